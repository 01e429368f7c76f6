"""Whether replicas have others beside them."""

import tensorflow as tf


def multi_replica_context() -> tf.distribute.ReplicaContext | None:
    """The replica context, or None where there is one replica only."""
    context = tf.distribute.get_replica_context()
    return context if context and context.num_replicas_in_sync > 1 else None


def is_multi_worker(strategy: tf.distribute.Strategy) -> bool:
    """Whether other processes take part in the training."""
    return isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy)


def is_multi_host(strategy: tf.distribute.Strategy) -> bool:
    """Whether other machines take part: workers of ours, or hosts of a TPU."""
    return is_multi_worker(strategy) or getattr(strategy.extended, "num_hosts", 1) > 1


def is_chief(strategy: tf.distribute.Strategy) -> bool:
    """Whether this process is the one that writes files: always, on one machine."""
    resolver = strategy.cluster_resolver
    if resolver is None or resolver.task_type is None:
        return True
    task, index = resolver.task_type, resolver.task_id
    return task == "chief" or (
        task == "worker" and index == 0 and "chief" not in resolver.cluster_spec().jobs
    )
