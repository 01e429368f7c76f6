"""`tf.distribute` strategies by name, and whether replicas have others beside them."""

import functools
import json
import os
from collections.abc import Callable

import tensorflow as tf

from tf_scl.errors import InputError


def strategy(name: str = "auto") -> tf.distribute.Strategy:
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
    makers: dict[str, Callable[[], tf.distribute.Strategy]] = {
        "auto": _auto,
        "one_device": lambda: tf.distribute.OneDeviceStrategy(_devices()[0]),
        "mirrored": lambda: _mirrored(_devices()),
        "multi_worker": _multi_worker,
        "tpu": _tpu,
    }
    if name not in makers:
        raise InputError(f"no strategy {name!r}; there are {', '.join(makers)}")
    return makers[name]()


def several_replicas() -> tf.distribute.ReplicaContext | None:
    """The replica context, or None where there is one replica only."""
    context = tf.distribute.get_replica_context()
    return context if context and context.num_replicas_in_sync > 1 else None


def several_workers(strategy: tf.distribute.Strategy) -> bool:
    """Whether other processes take part in the training."""
    return isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy)


def several_hosts(strategy: tf.distribute.Strategy) -> bool:
    """Whether other machines take part: workers of ours, or hosts of a TPU."""
    return several_workers(strategy) or getattr(strategy.extended, "num_hosts", 1) > 1


def is_chief(strategy: tf.distribute.Strategy) -> bool:
    """Whether this process is the one that writes files: always, on one machine."""
    resolver = strategy.cluster_resolver
    if resolver is None or resolver.task_type is None:
        return True
    task, index = resolver.task_type, resolver.task_id
    return task == "chief" or (
        task == "worker" and index == 0 and "chief" not in resolver.cluster_spec().jobs
    )


def _auto() -> tf.distribute.Strategy:
    several = len(tf.config.list_logical_devices("GPU")) > 1
    return strategy("mirrored" if several else "one_device")


def _devices() -> tuple[str, ...]:
    gpus = tf.config.list_logical_devices("GPU")
    return tuple(device.name for device in gpus or tf.config.list_logical_devices("CPU"))


@functools.cache
def _mirrored(devices: tuple[str, ...]) -> tf.distribute.MirroredStrategy:
    """One strategy for the same devices: two would share, and confuse, collective keys."""
    return tf.distribute.MirroredStrategy(devices)


@functools.cache
def _multi_worker() -> tf.distribute.MultiWorkerMirroredStrategy:
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
