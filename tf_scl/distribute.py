"""`tf.distribute` strategies by name, and whether replicas have others beside them."""

import functools

import tensorflow as tf

from tf_scl.errors import InputError


def strategy(name="auto"):
    """Makes a strategy.

    Args:
        name: "one_device"; "mirrored" (every GPU of this machine, or every
            logical CPU device where it has none); or "auto", which mirrors
            where there is more than one GPU.

    Returns:
        `tf.distribute.Strategy`.

    Raises:
        InputError: Another name.
    """
    gpus = tf.config.list_logical_devices("GPU")
    devices = [device.name for device in gpus or tf.config.list_logical_devices("CPU")]
    if name == "mirrored" or (name == "auto" and len(gpus) > 1):
        return _mirrored(tuple(devices))
    if name in ("one_device", "auto"):
        return tf.distribute.OneDeviceStrategy(devices[0])
    raise InputError(f"no strategy {name!r}; there are auto, one_device and mirrored")


def several_replicas():
    """The replica context, or None where there is one replica only."""
    context = tf.distribute.get_replica_context()
    return context if context and context.num_replicas_in_sync > 1 else None


@functools.cache
def _mirrored(devices):
    """One strategy for the same devices: two would share, and confuse, collective keys."""
    return tf.distribute.MirroredStrategy(devices)
