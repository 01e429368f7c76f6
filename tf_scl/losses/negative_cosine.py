"""Negative cosine similarity, the loss of SimSiam (Chen and He, arXiv 2011.10566)."""

import tensorflow as tf

from tf_scl.losses import row_norms
from tf_scl.losses.precision import as_accurate


def replica_terms(
    z1: tf.Tensor,
    p1: tf.Tensor,
    z2: tf.Tensor,
    p2: tf.Tensor,
    context: tf.distribute.ReplicaContext | None = None,
) -> dict[str, tf.Tensor]:
    """This replica's share of the symmetrised loss (equations 1 and 4).

    L = 1/N sum_i [ D(p1_i, stop(z2_i)) / 2 + D(p2_i, stop(z1_i)) / 2 ], with D
    the negative cosine and stop the stop-gradient.

    Args:
        z1, z2: Float tensors [n, d], projections of either view.
        p1, p2: Float tensors [n, d], predictions from them.
        context: The `tf.distribute` replica context, or None on one device.

    Returns:
        Dict of one scalar, "negative_cosine". Shares add up over the replicas.
    """
    total = -0.5 * (_cosines(p1, z2) + _cosines(p2, z1))
    n = tf.cast(tf.shape(z1)[0], total.dtype)
    if context is not None:
        n = context.all_reduce(tf.distribute.ReduceOp.SUM, n)
    return {"negative_cosine": total / n}


def _cosines(p: tf.Tensor, z: tf.Tensor) -> tf.Tensor:
    p, z = (row_norms.normalize(as_accurate(x)) for x in (p, tf.stop_gradient(z)))
    return tf.reduce_sum(p * z)
