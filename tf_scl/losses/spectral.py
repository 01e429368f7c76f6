"""Spectral contrastive loss in its two exact forms, on one or many replicas.

For N positive pairs (z_i, z'_i), the rows of Z and Z' [N, d]:

    L = -2/N sum_i z_i.z'_i  +  1/(N(N-1)) sum_{i != j} (z_i.z'_j)^2
        `attraction`            `repulsion`

HaoChen et al., NeurIPS 2021, arXiv 2106.04156, section 3.2, for the population
form; above is its unbiased estimate from N pairs.

The repulsion needs no N x N matrix, because

    sum_{i != j} (z_i.z'_j)^2 = tr((Z^T Z)(Z'^T Z')) - sum_i (z_i.z'_i)^2,

whose d x d moments are sums over rows: replicas add theirs up (one
all-reduce) and each then knows the loss of the global batch exactly.
"""

import tensorflow as tf

from tf_scl.errors import InputError

FORMS = ("auto", "moment", "sample")


def clip_norm(z, mu):
    """Scales every row longer than sqrt(mu) back to that length.

    Args:
        z: Float tensor [N, d].
        mu: Positive float, the largest squared norm that a row may have.

    Returns:
        Tensor like `z`. Shorter rows, zero rows too, are left as they are.
    """
    squared = tf.reduce_sum(tf.square(z), axis=1, keepdims=True)
    # Divides by max(|z|^2, mu) so that a zero row has a zero, not a NaN, gradient.
    return z * tf.sqrt(mu / tf.maximum(squared, mu))


def spectral_contrastive_loss(z1, z2, mu=None, form="auto"):
    """Spectral contrastive loss of one batch on one device.

    Args:
        z1: Float tensor [N, d], embeddings of the first views. N >= 2.
        z2: Float tensor [N, d], embeddings of the second views, row by row
            the same images.
        mu: None for the plain loss. A positive float clips row norms to
            sqrt(mu) and divides the loss by mu, as the official code does
            (the paper's experiments use it).
        form: "sample" (N x N inner products), "moment" (d x d moments) or
            "auto", which takes the cheaper one. Their values are equal.

    Returns:
        float32 scalar, whatever the dtype of the embeddings.

    Raises:
        InputError: Shapes that differ, fewer than two pairs, `mu` not
            positive or an unknown `form`.
    """
    terms = replica_terms(z1, z2, mu=mu, form=form, context=None)
    return terms["attraction"] + terms["repulsion"]


def replica_terms(z1, z2, mu=None, form="auto", context=None):
    """This replica's share of the global batch's loss, term by term.

    The shares of all replicas add up to the loss of the global batch, so
    gradients summed over replicas (what Keras optimisers do) are its
    gradient: no further factor of 1/replicas is due.

    Args:
        z1, z2, mu, form: As in `spectral_contrastive_loss`, with this
            replica's rows. Over several replicas the moment form is used.
        context: The `tf.distribute` replica context, or None on one device.

    Returns:
        Dict of two float32 scalars, "attraction" and "repulsion".

    Raises:
        InputError: As in `spectral_contrastive_loss`.
    """
    replicas = context.num_replicas_in_sync if context else 1
    z1, z2 = tf.convert_to_tensor(z1), tf.convert_to_tensor(z2)
    _check(z1, z2, mu, form, replicas)
    z1, z2 = tf.cast(z1, tf.float32), tf.cast(z2, tf.float32)
    if mu is not None:
        z1, z2 = clip_norm(z1, mu), clip_norm(z2, mu)
    n = tf.cast(tf.shape(z1)[0], tf.float32)
    inner = tf.reduce_sum(z1 * z2, axis=1)  # [N], z_i . z'_i
    if replicas > 1:
        moments = [_moment(z1), _moment(z2), n]
        moment1, moment2, n = context.all_reduce(tf.distribute.ReduceOp.SUM, moments)
        squares = tf.reduce_sum(moment1 * moment2) / replicas
        squares -= tf.reduce_sum(tf.square(inner))
    else:
        squares = _squares(z1, z2, inner, form)
    scale = 1.0 if mu is None else 1.0 / mu
    return {
        "attraction": -2.0 * scale * tf.reduce_sum(inner) / n,
        # A last batch of one image has no negatives: its repulsion is 0, not 0/0.
        "repulsion": scale * tf.math.divide_no_nan(squares, n * (n - 1.0)),
    }


def _moment(z):
    return tf.matmul(z, z, transpose_a=True)  # [d, d]


def _squares(z1, z2, inner, form):
    """sum_{i != j} (z_i.z'_j)^2 on one device."""

    def from_samples():
        gram = tf.matmul(z1, z2, transpose_b=True)
        return tf.reduce_sum(tf.square(tf.linalg.set_diag(gram, tf.zeros_like(inner))))

    def from_moments():
        return tf.reduce_sum(_moment(z1) * _moment(z2)) - tf.reduce_sum(tf.square(inner))

    if form != "auto":
        return from_samples() if form == "sample" else from_moments()
    # 2 N d^2 products against N^2 d: equal at N = 2 d. Where a last batch may be
    # smaller, N is known in the step only.
    n, d = (known or asked for known, asked in zip(z1.shape, tf.unstack(tf.shape(z1)), strict=True))
    if isinstance(n, int) and isinstance(d, int):
        return from_samples() if n <= 2 * d else from_moments()
    return tf.cond(n <= 2 * d, from_samples, from_moments)


def check_mu(mu):
    """Raises InputError unless `mu` is None or positive."""
    if mu is not None and not mu > 0:
        raise InputError(f"`mu` must be None or a positive number. Received: mu={mu!r}")


def _check(z1, z2, mu, form, replicas):
    if form not in FORMS:
        raise InputError(f"`form` must be one of {FORMS}. Received: form={form!r}")
    check_mu(mu)
    if len(z1.shape) != 2 or not z1.shape.is_compatible_with(z2.shape):
        raise InputError(
            "`z1` and `z2` must be of one shape [N, d], a row for each image. "
            f"Received: {tuple(z1.shape)} and {tuple(z2.shape)}"
        )
    if replicas == 1 and z1.shape[0] in (0, 1):
        raise InputError(
            "the spectral contrastive loss needs at least two pairs in a batch, since "
            f"the negatives of a pair are the others. Received: {z1.shape[0]}; "
            "use a larger batch"
        )
