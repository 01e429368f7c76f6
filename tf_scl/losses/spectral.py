"""Spectral contrastive loss: its exact value on one or many replicas.

For N positive pairs (z_i, z'_i), the rows of Z and Z' [N, d]:

    L = -2/N sum_i z_i.z'_i  +  1/(N(N-1)) sum_{i != j} (z_i.z'_j)^2
        `attraction`            `repulsion`

HaoChen et al., NeurIPS 2021, arXiv 2106.04156, section 3.2, for the population
form; above is its unbiased estimate from N pairs. How its sums are computed,
with or without an N x N matrix, is in `spectral_forms.py`.
"""

from typing import Any

import tensorflow as tf

from tf_scl import validation
from tf_scl.errors import InputError
from tf_scl.losses import row_norms, spectral_forms
from tf_scl.losses.names import MU_AUTO, NEGATIVES
from tf_scl.losses.precision import as_accurate
from tf_scl.typing import ArrayLike

FORMS = ("auto", "moment", "sample")


def spectral_contrastive_loss(
    z1: ArrayLike | tf.Tensor,
    z2: ArrayLike | tf.Tensor,
    mu: float | str | None = None,
    form: str = "auto",
) -> tf.Tensor:
    """Spectral contrastive loss of one batch on one device.

    Args:
        z1: Float tensor [N, d], embeddings of the first views. N >= 2.
        z2: Float tensor [N, d], embeddings of the second views, row by row
            the same images.
        mu: None for the plain loss. A positive float clips row norms to
            sqrt(mu) and divides the loss by mu, as the official code does
            (the paper's experiments use it). A row that reaches sqrt(mu) is
            clipped: its gradient has no radial part. "auto" brings all rows to
            the squared norm at which they have the least loss, see `docs/explanation/mu.md`:
            with u of norm 1, a = mean u.u' over pairs and r = mean (u.u')^2
            over others, mu = a / r, a constant to the gradient. The loss is
            then -a, and its gradient 1 / mu times that of -a^2 / r, the least
            loss at any norm. mu is 0, which leaves attraction only, where a is
            negative, and d at most, which a / r exceeds by the chance of a
            small batch only.
        form: "sample" (N x N inner products), "moment" (d x d moments) or
            "auto", which takes the cheaper one. Their values are equal.

    Returns:
        Scalar: float64 for float64 embeddings, else float32, in which all
        sums are taken whatever the dtype of the embeddings. Infinite or NaN
        where the sums leave the range of the dtype: without mu, in float32,
        from norms of about 1e9 on; with mu only from 1e32 sqrt(mu) on.

    Raises:
        InputError: Shapes that differ, fewer than two pairs, an unknown `form`,
            or `mu` something else.
    """
    terms = replica_terms(z1, z2, mu=mu, form=form)
    return terms["attraction"] + terms["repulsion"]


def replica_terms(
    z1: ArrayLike | tf.Tensor,
    z2: ArrayLike | tf.Tensor,
    mu: float | str | None = None,
    form: str = "auto",
    negatives: str = "global",
    context: tf.distribute.ReplicaContext | None = None,
) -> dict[str, tf.Tensor]:
    """This replica's share of the global batch's loss, term by term.

    The shares of all replicas add up to the loss of the global batch, so
    gradients summed over replicas (what Keras optimizers do) are its
    gradient: no further factor of 1/replicas is due.

    Args:
        z1, z2, mu: As in `spectral_contrastive_loss`, with this replica's
            rows. The numbers of rows may differ between replicas where they
            are not static.
        form: With "global" negatives and several replicas, "moment" exchanges
            two d x d moments by one all-reduce, "sample" gathers features,
            "auto" does whichever moves fewer bytes (where the batch size is
            not static, moments). Otherwise as in `spectral_contrastive_loss`.
        negatives: "global", the pairs of all replicas; or "replica", those of
            the same replica only: the mean of the replicas' own losses, which
            is what the official code computes under DataParallel.
        context: The `tf.distribute` replica context, or None on one device.

    Returns:
        Dict of scalars, "attraction" and "repulsion", whose sum is the loss, and
        without gradient "clipped", the share of the rows that reach sqrt(mu).
        Where mu is "auto", not "clipped" but "mu", the value that was found (with
        "replica" negatives the mean of the replicas' own), and "scaled_loss", mu
        times the loss: that of rows of that norm, not divided, which training
        lowers.

    Raises:
        InputError: As in `spectral_contrastive_loss`, or unknown `negatives`.
    """
    replicas = context.num_replicas_in_sync if context else 1
    alone = replicas == 1 or negatives == "replica"
    z1, z2 = tf.convert_to_tensor(z1), tf.convert_to_tensor(z2)
    _check(z1, z2, mu, form, alone)
    check_negatives(negatives)
    z1, z2 = as_accurate(z1), as_accurate(z2)
    bound = None if isinstance(mu, str) else mu
    if is_auto(mu):
        z1, z2 = row_norms.normalize(z1), row_norms.normalize(z2)
    if alone:
        sums, share = _alone(z1, z2, bound, form), 1.0 / replicas
    else:
        sums, share = _together(z1, z2, bound, form, context), 1.0
    pairs, inner, squares, clipped = sums
    # A replica may have no rows of a last batch, or one, without negatives: 0, not 0/0.
    cosine = tf.math.divide_no_nan(inner, pairs)
    squared = tf.math.divide_no_nan(squares, pairs * (pairs - 1.0))
    if is_auto(mu):
        width = tf.cast(tf.shape(z1)[1], z1.dtype)
        best = _best_mu(cosine, squared, width, None if alone else context)
        attraction, repulsion = -2.0 * share * cosine, share * best * squared
        return {
            "attraction": attraction,
            "repulsion": repulsion,
            "mu": best / replicas,
            "scaled_loss": tf.stop_gradient(best * (attraction + repulsion)),
        }
    scale = share if bound is None else share / bound
    return {
        "attraction": -2.0 * scale * cosine,
        "repulsion": scale * squared,
        "clipped": share * tf.math.divide_no_nan(tf.stop_gradient(clipped), 2.0 * pairs),
    }


def _best_mu(
    cosine: tf.Tensor,
    squared: tf.Tensor,
    width: tf.Tensor,
    context: tf.distribute.ReplicaContext | None,
) -> tf.Tensor:
    """The squared norm at which rows of these directions have the least loss, without gradient.

    That is cosine / squared. Over all pairs of a distribution `squared` is at least
    1 / width, so the quotient at most the width; but its estimate from few rows may be
    0, or by rounding below, and the quotient anything.
    """
    cosine, squared = tf.stop_gradient(cosine), tf.stop_gradient(squared)
    if context is not None:
        cosine, squared = context.all_reduce(tf.distribute.ReduceOp.SUM, [cosine, squared])
    cosine = tf.maximum(cosine, 0.0)
    return tf.math.divide_no_nan(cosine, tf.maximum(squared, cosine / width))


def _alone(z1: tf.Tensor, z2: tf.Tensor, mu: float | None, form: str) -> spectral_forms.Sums:
    """The sums over one replica's pairs, by the cheaper form."""

    def sample() -> spectral_forms.Sums:
        return spectral_forms.sample_sums(z1, z2, mu)

    def moment() -> spectral_forms.Sums:
        return spectral_forms.moment_sums(z1, z2, mu)

    if form != "auto":
        return sample() if form == "sample" else moment()
    # Where a last batch may be smaller, N is known in the step only.
    n, d = (known or asked for known, asked in zip(z1.shape, tf.unstack(tf.shape(z1)), strict=True))
    # 6 N^2 d operations against 8 N d^2: equal at N = 4/3 d, and measured so, or a little
    # above (benchmarks/loss.py).
    if isinstance(n, int) and isinstance(d, int):
        return sample() if 3 * n <= 4 * d else moment()
    return tf.cond(3 * n <= 4 * d, sample, moment)


def _together(
    z1: tf.Tensor, z2: tf.Tensor, mu: float | None, form: str, context: tf.distribute.ReplicaContext
) -> spectral_forms.Sums:
    """This replica's share of the sums over all replicas' pairs, by the fewer bytes."""
    if form == "auto":
        # A ring passes 2 N d numbers to gather, 2 x 2 d^2 to reduce (both times
        # (replicas - 1) / replicas). Replicas must agree, so the number of rows must
        # be one that all of them know.
        n, d = z1.shape
        gather = n is not None and n * context.num_replicas_in_sync < 2 * d
        form = "sample" if gather else "moment"
    if form == "sample":
        return spectral_forms.gathered_sums(z1, z2, mu, context)
    return spectral_forms.moment_sums(z1, z2, mu, context)


def check_pair(z1: tf.Tensor, z2: tf.Tensor) -> None:
    """Raises InputError unless two tensors are of one shape [N, d]."""
    if len(z1.shape) != 2 or not z1.shape.is_compatible_with(z2.shape):
        raise InputError(
            "`z1` and `z2` must be of one shape [N, d], a row for each image. "
            f"Received: {tuple(z1.shape)} and {tuple(z2.shape)}"
        )


def is_auto(mu: Any) -> bool:
    """Whether `mu` is to be found in each batch; it may be anything."""
    return isinstance(mu, str) and mu == MU_AUTO


def check_mu(mu: Any) -> None:
    """Raises InputError unless `mu` is None, "auto" or positive."""
    if mu is not None and not is_auto(mu):
        validation.positive("mu", mu, allowed=f'None, "{MU_AUTO}" or a positive number')


def check_form(form: Any) -> None:
    """Raises InputError unless `form` is known."""
    validation.one_of("form", form, FORMS)


def check_negatives(negatives: Any) -> None:
    """Raises InputError unless `negatives` is known."""
    validation.one_of("negatives", negatives, NEGATIVES)


def _check(z1: tf.Tensor, z2: tf.Tensor, mu: float | str | None, form: str, alone: bool) -> None:
    check_form(form)
    check_mu(mu)
    check_pair(z1, z2)
    if alone and z1.shape[0] in (0, 1):
        raise InputError(
            "the spectral contrastive loss needs at least two pairs in a batch, since "
            f"the negatives of a pair are the others. Received: {z1.shape[0]}; "
            "use a larger batch"
        )
