"""The sums of the spectral contrastive loss, in two exact forms with their gradients.

With rows a_i of A and b_i of B [N, d], clipped to norm sqrt(mu),

    inner   = sum_i a_i.b_i
    squares = sum_{i != j} (a_i.b_j)^2
            = tr((A^T A)(B^T B)) - sum_i (a_i.b_i)^2

The first line of `squares` is the sample form, O(N^2) memory; the second is the
moment form, O(N d + d^2). The d x d moments are sums over rows: replicas add
theirs up (one all-reduce) and each knows the loss of the global batch exactly.
Its gradient, 2 A (B^T B) - 2 (a_i.b_i) b_i for row i of A, needs no further
communication, and is written out here since automatic differentiation takes
twice the products.

Every function returns four scalars: the number of pairs of the global batch,
this replica's share of `inner` and of `squares`, and how many of its 2 N rows
reach sqrt(mu). With mu, values and gradients are right for norms up to
1e30 sqrt(mu), also in float32, and NaN beyond 1e32 sqrt(mu) (`row_norms.py`);
without, what overflows is infinite or NaN.

Gradients assume what is true of a sum of shares: that the
incoming gradient is the same on every replica.
"""

from collections.abc import Callable, Sequence
from typing import TypeAlias

import tensorflow as tf

from tf_scl.losses import row_norms
from tf_scl.typing import Gradient

# (pairs, inner, squares, clipped), see above.
Sums: TypeAlias = tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]

# Rows are worked through in chunks of at most so many numbers: the temporaries of a
# step then take 64 MB each in float32, whatever N and d are.
_CHUNK = 2**24


def sample_sums(z1: tf.Tensor, z2: tf.Tensor, mu: float | None = None) -> Sums:
    """By the N x N matrix of inner products; see the head of this file.

    Args:
        z1, z2: float32 or float64 [N, d].
        mu: Float > 0, or None for no clipping.
    """
    a, b, clipped = _clip_both(z1, z2, mu)
    inner, squares = _sample(a, b)
    return tf.cast(tf.shape(z1)[0], z1.dtype), inner, squares, clipped


@tf.custom_gradient
def _sample(a: tf.Tensor, b: tf.Tensor) -> tuple[tuple[tf.Tensor, tf.Tensor], Gradient]:
    gram = tf.matmul(a, b, transpose_b=True)
    inner = tf.linalg.diag_part(gram)
    gram = tf.linalg.set_diag(gram, tf.zeros_like(inner))

    def gradient(d_inner: tf.Tensor, d_squares: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        weights = 2.0 * d_squares * gram
        da = tf.matmul(weights, b) + d_inner * b
        db = tf.matmul(weights, a, transpose_a=True) + d_inner * a
        return da, db

    return (tf.reduce_sum(inner), tf.reduce_sum(tf.square(gram))), gradient


def gathered_sums(
    z1: tf.Tensor, z2: tf.Tensor, mu: float | None, context: tf.distribute.ReplicaContext
) -> Sums:
    """By inner products with the gathered features of all replicas: n x N here.

    Args:
        z1, z2, mu: As in `sample_sums`, this replica's n rows.
        context: `tf.distribute.ReplicaContext`.
    """
    a, b, clipped = _clip_both(z1, z2, mu)

    @tf.custom_gradient
    def sums(a: tf.Tensor, b: tf.Tensor) -> tuple[tuple[tf.Tensor, ...], Gradient]:
        both = context.all_gather(tf.concat([a, b], axis=1), axis=0)  # [N, 2 d]
        all_a, all_b = tf.split(both, 2, axis=1)
        a_to_all = tf.matmul(a, all_b, transpose_b=True)  # [n, N]
        inner = tf.reduce_sum(a * b, axis=1, keepdims=True)  # [n, 1]
        squares = tf.reduce_sum(tf.square(a_to_all)) - tf.reduce_sum(tf.square(inner))

        def gradient(
            _: tf.Tensor, d_inner: tf.Tensor, d_squares: tf.Tensor
        ) -> tuple[tf.Tensor, tf.Tensor]:
            # b meets the other replicas' rows of A, so it needs products of its own.
            b_to_all = tf.matmul(b, all_a, transpose_b=True)
            own = d_inner - 2.0 * d_squares * inner
            da = tf.matmul(2.0 * d_squares * a_to_all, all_b) + own * b
            db = tf.matmul(2.0 * d_squares * b_to_all, all_a) + own * a
            return da, db

        return (tf.cast(tf.shape(both)[0], a.dtype), tf.reduce_sum(inner), squares), gradient

    return *sums(a, b), clipped


def moment_sums(
    z1: tf.Tensor,
    z2: tf.Tensor,
    mu: float | None = None,
    context: tf.distribute.ReplicaContext | None = None,
) -> Sums:
    """By d x d moments, summed over replicas; see the head of this file.

    Clipping is part of the gradient here: no clipped copy of the rows is kept.

    Args:
        z1, z2, mu: As in `sample_sums`, this replica's n rows.
        context: `tf.distribute.ReplicaContext`, or None on one device.
    """

    @tf.custom_gradient
    def sums(z1: tf.Tensor, z2: tf.Tensor) -> tuple[Sums, Gradient]:
        chunks = _chunks(z1)
        moment1, moment2, *rows = _forward(z1, z2, mu, chunks)
        factors1, over1, factors2, over2, inner = rows
        pairs, replicas = tf.cast(tf.shape(z1)[0], z1.dtype), 1
        if context is not None:
            moment1, moment2, pairs = context.all_reduce(
                tf.distribute.ReduceOp.SUM, [moment1, moment2, pairs]
            )
            replicas = context.num_replicas_in_sync
        squares = tf.reduce_sum(moment1 * moment2) / replicas - tf.reduce_sum(tf.square(inner))

        def gradient(
            _: tf.Tensor, d_inner: tf.Tensor, d_squares: tf.Tensor, __: tf.Tensor
        ) -> tuple[tf.Tensor, tf.Tensor]:
            own = d_inner - 2.0 * d_squares * inner
            weights = 2.0 * d_squares
            rows1 = [z1, z2, factors1, factors2, over1, inner, own]
            dz1 = _backward(rows1, weights * moment2, mu, chunks)
            with tf.control_dependencies([dz1]):
                rows2 = [z2, z1, factors2, factors1, over2, inner, own]
                dz2 = _backward(rows2, weights * moment1, mu, chunks)
            return dz1, dz2

        clipped = tf.reduce_sum(over1) + tf.reduce_sum(over2)
        return (pairs, tf.reduce_sum(inner), squares, clipped), gradient

    return sums(z1, z2)


def _forward(z1: tf.Tensor, z2: tf.Tensor, mu: float | None, chunks: int) -> tuple[tf.Tensor, ...]:
    """Moments, and what the gradient needs of each row.

    Returns:
        (A^T A, B^T B, factors of z1, which rows of it reach sqrt(mu), both of
        z2, a_i.b_i): [d, d] twice, [n, 1] five times.
    """

    def step(z1: tf.Tensor, z2: tf.Tensor) -> tuple[list[tf.Tensor], list[tf.Tensor]]:
        # In turn, here and below: side by side each would hold a temporary like z.
        factors1, over1 = _clip_factors(z1, mu)
        with tf.control_dependencies([factors1]):
            moment1 = _moment(_scaled(z1, factors1, mu))
        with tf.control_dependencies([moment1]):
            factors2, over2 = _clip_factors(z2, mu)
        with tf.control_dependencies([factors2]):
            b = _scaled(z2, factors2, mu)
            moment2 = _moment(b)
        with tf.control_dependencies([moment2]):
            inner = factors1 * _row_products(z1, b)
        return [moment1, moment2], [factors1, over1, factors2, over2, inner]

    if chunks == 1:
        sums, rows = step(z1, z2)
    else:
        d = z1.shape[1]
        zeros = [tf.zeros([d, d], z1.dtype)] * 2
        sums, rows = _by_chunks(step, [z1, z2], chunks, zeros, [1] * 5)
    return *sums, *rows


def _backward(rows: list[tf.Tensor], moment: tf.Tensor, mu: float | None, chunks: int) -> tf.Tensor:
    """The gradient with respect to the rows of z before clipping, [n, d].

    With respect to a clipped row a it is g = a M + own b; through the clipping
    of a row that reached sqrt(mu) comes f (g - a (a.g) / mu). Factors f, which
    are small where z is large, are never multiplied with each other first.

    Args:
        rows: z and other, [n, d], not clipped; then [n, 1] each, the factors f
            of z and of other, which rows of z reach sqrt(mu), a.b, and own.
        moment: M, [d, d].
    """

    def step(
        z: tf.Tensor,
        other: tf.Tensor,
        factors: tf.Tensor,
        other_factors: tf.Tensor,
        over: tf.Tensor,
        inner: tf.Tensor,
        own: tf.Tensor,
    ) -> tuple[list[tf.Tensor], list[tf.Tensor]]:
        gradient = tf.matmul(z, moment)
        if mu is None:
            return [], [gradient + own * other]
        gradient = factors * gradient
        along = factors * _row_products(z, gradient) + own * inner
        with tf.control_dependencies([along]):
            gradient += (own * other_factors) * other
        with tf.control_dependencies([gradient]):
            gradient -= (over * along * factors / mu) * z
            return [], [factors * gradient]

    if chunks == 1:
        return step(*rows)[1][0]
    return _by_chunks(step, rows, chunks, [], [rows[0].shape[1]])[1][0]


def _row_products(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
    """a_i.b_i, [N, 1]."""
    return tf.reduce_sum(a * b, axis=1, keepdims=True)


def _moment(a: tf.Tensor) -> tf.Tensor:
    """A^T A, [d, d]."""
    return tf.matmul(a, a, transpose_a=True)


def _scaled(z: tf.Tensor, factors: tf.Tensor, mu: float | None) -> tf.Tensor:
    return z if mu is None else factors * z


def _clip_factors(z: tf.Tensor, mu: float | None) -> tuple[tf.Tensor, tf.Tensor]:
    if mu is None:
        ones = tf.ones([tf.shape(z)[0], 1], z.dtype)
        return ones, tf.zeros_like(ones)
    return row_norms.clip_factors(z, mu)


def _clip_both(
    z1: tf.Tensor, z2: tf.Tensor, mu: float | None
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    if mu is None:
        return z1, z2, tf.zeros([], z1.dtype)
    (a, over1), (b, over2) = row_norms.clip(z1, mu), row_norms.clip(z2, mu)
    return a, b, over1 + over2


def _chunks(z: tf.Tensor) -> int:
    """Into how many chunks the rows are cut; 1 where their number is not static."""
    n, d = z.shape
    return 1 if n is None or n * d <= 2 * _CHUNK else min(n, -(-n * d // _CHUNK))


def _by_chunks(
    step: Callable[..., tuple[list[tf.Tensor], list[tf.Tensor]]],
    rows: Sequence[tf.Tensor],
    chunks: int,
    zeros: list[tf.Tensor],
    widths: Sequence[int],
) -> tuple[list[tf.Tensor], list[tf.Tensor]]:
    """Works through rows chunk by chunk.

    Args:
        step: From chunks of `rows` to ([sums], [results by row]).
        rows: Tensors [n, w].
        chunks: Int, at most n.
        zeros: Start values of the sums.
        widths: Int for each result by row.

    Returns:
        ([sums], [results [n, width]]).
    """
    n, dtype = rows[0].shape[0], rows[0].dtype
    size = n // chunks
    written = [tf.TensorArray(dtype, chunks, element_shape=[size, width]) for width in widths]

    def body(
        i: tf.Tensor, sums: list[tf.Tensor], written: list[tf.TensorArray]
    ) -> tuple[tf.Tensor, list[tf.Tensor], list[tf.TensorArray]]:
        more, results = step(*(tf.slice(x, [i * size, 0], [size, x.shape[1]]) for x in rows))
        sums = [total + part for total, part in zip(sums, more, strict=True)]
        written = [array.write(i, x) for array, x in zip(written, results, strict=True)]
        return i + 1, sums, written

    _, sums, written = tf.while_loop(
        lambda i, *_: i < chunks, body, (0, zeros, written), parallel_iterations=1
    )
    results = [
        tf.reshape(array.stack(), [chunks * size, width])
        for array, width in zip(written, widths, strict=True)
    ]
    if chunks * size < n:
        more, rest = step(*(x[chunks * size :] for x in rows))
        sums = [total + part for total, part in zip(sums, more, strict=True)]
        results = [tf.concat(parts, axis=0) for parts in zip(results, rest, strict=True)]
    return sums, results
