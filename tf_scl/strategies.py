"""`tf.distribute` strategies by name, for settings. A new one is an entry here.

Imports TensorFlow only when a strategy is made, see `tf_scl/registry.py`.
"""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from tf_scl.errors import InputError

if TYPE_CHECKING:
    import tensorflow as tf


def _auto() -> tf.distribute.Strategy:
    import tensorflow as tf

    several = len(tf.config.list_logical_devices("GPU")) > 1
    return STRATEGIES["mirrored" if several else "one_device"]()


def _one_device() -> tf.distribute.Strategy:
    import tensorflow as tf

    return tf.distribute.OneDeviceStrategy(_devices()[0])


def _mirrored() -> tf.distribute.Strategy:
    return _mirrored_over(_devices())


def _devices() -> tuple[str, ...]:
    import tensorflow as tf

    gpus = tf.config.list_logical_devices("GPU")
    return tuple(device.name for device in gpus or tf.config.list_logical_devices("CPU"))


@functools.cache
def _mirrored_over(devices: tuple[str, ...]) -> tf.distribute.MirroredStrategy:
    """One strategy for the same devices: two would share, and confuse, collective keys."""
    import tensorflow as tf

    return tf.distribute.MirroredStrategy(devices)


@functools.cache
def _multi_worker() -> tf.distribute.MultiWorkerMirroredStrategy:
    import tensorflow as tf

    text = os.environ.get("TF_CONFIG", "")
    try:
        cluster = json.loads(text)
        workers = [*cluster["cluster"].get("chief", []), *cluster["cluster"]["worker"]]
        task = f"{cluster['task']['type']} {int(cluster['task']['index'])}"
    except (ValueError, KeyError, TypeError, AttributeError):
        raise InputError(
            "the strategy multi_worker needs the environment variable TF_CONFIG, such as "
            '{"cluster": {"worker": ["host1:2222", "host2:2222"]}, "task": {"type": "worker", '
            f'"index": 0}}}}, with another index on each machine. Received: TF_CONFIG={text!r}'
        ) from None
    try:
        return tf.distribute.MultiWorkerMirroredStrategy()
    except (RuntimeError, ValueError) as error:
        raise InputError(
            f"cannot start {task} of the {len(workers)} workers {workers}: {error} "
            "Make the strategy before anything else of TensorFlow, and see that TF_CONFIG is right"
        ) from error


@functools.cache
def _tpu() -> tf.distribute.TPUStrategy:
    import tensorflow as tf

    try:
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver()
        tf.config.experimental_connect_to_cluster(resolver)
        tf.tpu.experimental.initialize_tpu_system(resolver)
    except (ValueError, tf.errors.OpError) as error:
        raise InputError(
            f"no TPU was found ({error}); run on a TPU VM, or set the environment variable "
            "TPU_NAME to its name or address (local, on the VM itself)"
        ) from error
    return tf.distribute.TPUStrategy(resolver)


STRATEGIES: dict[str, Callable[[], tf.distribute.Strategy]] = {
    "auto": _auto,
    "one_device": _one_device,
    "mirrored": _mirrored,
    "multi_worker": _multi_worker,
    "tpu": _tpu,
}


def make_strategy(name: str = "auto") -> tf.distribute.Strategy:
    """Makes a strategy.

    Args:
        name: "one_device"; "mirrored" (every GPU of this machine, or every
            logical CPU device where it has none); "multi_worker" (mirrored over
            the machines that the environment variable TF_CONFIG names, each of
            which runs the same program); "tpu" (the TPU that the environment
            names, as on a Cloud TPU VM); or "auto", which mirrors where there
            is more than one GPU.

    Returns:
        `tf.distribute.Strategy`. Those of several machines must be made before
        TensorFlow is used otherwise.

    Raises:
        InputError: Another name, no usable TF_CONFIG, or no TPU.
    """
    if name not in STRATEGIES:
        raise InputError(f"no strategy {name!r}; there are {', '.join(STRATEGIES)}")
    return STRATEGIES[name]()
