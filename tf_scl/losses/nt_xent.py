"""NT-Xent, the loss of SimCLR (Chen et al., ICML 2020, arXiv 2002.05709, equation 1).

For the 2 N unit vectors u of both views of N images, with u_p the other view
of the image of u_i,

    L = 1/(2N) sum_i [ -u_i.u_p / t  +  log sum_{k != i} exp(u_i.u_k / t) ]
                       `attraction`     `repulsion`

The logarithm of a sum over all others does not come apart into moments, so
replicas must gather features, and memory is O(N^2). A row of zeros, which has
no direction, stays zero.
"""

from typing import Any

import tensorflow as tf

from tf_scl import validation
from tf_scl.losses import row_norms
from tf_scl.losses.precision import as_accurate
from tf_scl.losses.spectral import check_negatives, check_pair


def replica_terms(
    z1: tf.Tensor,
    z2: tf.Tensor,
    temperature: float = 0.5,
    negatives: str = "global",
    context: tf.distribute.ReplicaContext | None = None,
) -> dict[str, tf.Tensor]:
    """This replica's share of the global batch's loss, term by term.

    Shares, and so their gradients, add up over the replicas to those of the
    global batch: features are gathered with their gradients, so an image also
    learns from being another replica's negative.

    Args:
        z1, z2: Float tensors [n, d], this replica's embeddings of either view.
        temperature: Float t > 0.
        negatives: "global", the images of all replicas; or "replica", those of
            this one: the mean of the replicas' own losses.
        context: The `tf.distribute` replica context, or None on one device.

    Returns:
        Dict of scalars, "attraction" and "repulsion".

    Raises:
        InputError: `temperature` not positive, unknown `negatives`, or shapes
            that differ.
    """
    check_temperature(temperature)
    check_negatives(negatives)
    z1, z2 = as_accurate(z1), as_accurate(z2)
    check_pair(z1, z2)
    replicas = context.num_replicas_in_sync if context else 1
    gathering = replicas > 1 and negatives == "global"
    u1, u2 = (row_norms.normalize(z) for z in (z1, z2))
    n = tf.shape(u1)[0]
    all1, all2, start = _gathered(u1, u2, context) if gathering else (u1, u2, 0)
    all_embeddings = tf.concat([all1, all2], axis=0)  # [2 N, d]
    count = tf.shape(all1)[0]
    rows = start + tf.range(n)  # where this replica's images are among all
    anchors = tf.concat([u1, u2], axis=0)  # [2 n, d]
    similarity = tf.matmul(anchors, all_embeddings, transpose_b=True) / temperature  # [2 n, 2 N]
    itself = tf.one_hot(tf.concat([rows, count + rows], axis=0), 2 * count, True, False)
    similarity = tf.where(itself, similarity.dtype.min, similarity)
    share = (1.0 if gathering else 1.0 / replicas) / tf.cast(tf.maximum(2 * count, 1), u1.dtype)
    return {
        "attraction": -2.0 * share * tf.reduce_sum(u1 * u2) / temperature,
        "repulsion": share * tf.reduce_sum(tf.reduce_logsumexp(similarity, axis=1)),
    }


def _gathered(
    u1: tf.Tensor, u2: tf.Tensor, context: tf.distribute.ReplicaContext
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """All replicas' rows of both views, and how many come before this replica's."""
    both = context.all_gather(tf.concat([u1, u2], axis=1), axis=0)
    all1, all2 = tf.split(both, 2, axis=1)
    counts = context.all_gather(tf.shape(u1)[:1], axis=0)
    before = tf.range(context.num_replicas_in_sync) < context.replica_id_in_sync_group
    return all1, all2, tf.reduce_sum(tf.where(before, counts, 0))


def check_temperature(temperature: Any) -> None:
    """Raises InputError unless `temperature` is positive."""
    validation.positive("temperature", temperature)
