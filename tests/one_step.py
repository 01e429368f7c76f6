"""Weights after one SGD step, under any strategy: the same data, the same start.

Imported by tests, and run as a program where a strategy needs a process of its own:

    python -m tests.one_step STRATEGY LOGICAL_CPUS FILE.npz CASE...
"""

import sys

import keras
import numpy as np
import tensorflow as tf

import tf_scl
from tf_scl.normalization import batch_normalization
from tf_scl.strategies import make_strategy

BATCH = 16
# name -> (class, its arguments, width of the embedding); with d = 64 "auto" gathers.
CASES = {
    "spectral auto d=6": (tf_scl.SpectralContrastive, {"mu": 2.0}, 6),
    "spectral auto d=64": (tf_scl.SpectralContrastive, {"mu": 20.0}, 64),
    "spectral moment": (tf_scl.SpectralContrastive, {"form": "moment"}, 12),
    "spectral sample": (tf_scl.SpectralContrastive, {"form": "sample"}, 12),
    "spectral mu=auto": (tf_scl.SpectralContrastive, {"mu": "auto"}, 6),
    "spectral plain": (tf_scl.SpectralContrastive, {"mu": None}, 6),
    "simclr": (tf_scl.SimCLR, {"temperature": 0.3}, 6),
    "simsiam": (tf_scl.SimSiam, {}, 6),
}


def views(size=6):
    """Two different batches, every image another."""
    rng = np.random.default_rng(0)
    return tuple(rng.normal(size=(BATCH, size, size, 2)) for _ in range(2))


def build(case, dtype="float64", **options):
    """A small model with convolution and normalization, from seed 0."""
    method, arguments, width = CASES[case]
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(dtype)
    try:
        keras.utils.set_random_seed(0)
        encoder = keras.Sequential(
            [
                keras.Input((6, 6, 2)),
                keras.layers.Conv2D(5, 3),
                batch_normalization(),
                keras.layers.ReLU(),
                keras.layers.GlobalAveragePooling2D(),
                keras.layers.Dense(8),
            ]
        )
        projector = tf_scl.projection_head(width, (7,))
        return method(encoder, projector, **arguments, **options)
    finally:
        keras.config.set_dtype_policy(before)


def weights_after_one_step(strategy, case, **options):
    """Trainable weights after SGD on the loss of the whole batch, and that loss."""
    with strategy.scope():
        model = build(case, **options)
        model.compile(keras.optimizers.SGD(0.5))
    data = tf.data.Dataset.from_tensors(views()).unbatch().batch(BATCH, drop_remainder=True)
    setting = tf.data.Options()
    setting.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
    history = model.fit(data.with_options(setting), verbose=0).history
    weights = [keras.ops.convert_to_numpy(weight) for weight in model.trainable_variables]
    return [*weights, np.float64(history["loss"][0])]


def main():
    name, cpus, path, *cases = sys.argv[1:]
    device = tf.config.list_physical_devices("CPU")[0]
    logical = [tf.config.LogicalDeviceConfiguration()] * int(cpus)
    tf.config.set_logical_device_configuration(device, logical)
    strategy = make_strategy(name)
    found = {}
    for case in cases:
        for index, value in enumerate(weights_after_one_step(strategy, case)):
            found[f"{case}/{index:02d}"] = value
    np.savez(path, replicas=strategy.num_replicas_in_sync, **found)


if __name__ == "__main__":
    main()
