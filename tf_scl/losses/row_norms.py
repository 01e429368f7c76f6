"""Rows clipped to a norm, or brought to norm 1, without overflow.

The square of a float32 leaves its range from 1.8e19 on, and factors that are
multiplied before they meet the large number that they are for underflow
earlier still: both without a sign of it. Here rows are scaled before they are
squared, and gradients are written out in an order that multiplies large by
small numbers first.
"""

import math

import numpy as np
import tensorflow as tf

from tf_scl.typing import Gradient

# Rows are measured in units of 2**44 sqrt(mu), about: float32 then holds the squares of
# norms from sqrt(mu), where clipping starts, to `_LARGEST` sqrt(mu).
_UNIT_EXPONENT = 44
_LARGEST = 1e32


def clip(z: tf.Tensor, mu: float) -> tuple[tf.Tensor, tf.Tensor]:
    """Clips the norm of each row to sqrt(mu).

    A row that reaches sqrt(mu) counts as clipped, as in the official code: the
    gradient of a row of exactly that norm has no radial part.

    Args:
        z: float32 or float64 [N, d].
        mu: Float > 0.

    Returns:
        (clipped rows [N, d], the number of rows that reach sqrt(mu), scalar).
        A row longer than 1e32 sqrt(mu), or with infinities, becomes NaN, so
        that the loss tells of it.
    """

    @tf.custom_gradient
    def clipped(z: tf.Tensor) -> tuple[tuple[tf.Tensor, tf.Tensor], Gradient]:
        factors, over = clip_factors(z, mu)
        a = factors * z

        def gradient(da: tf.Tensor, _: tf.Tensor) -> tf.Tensor:
            radial = over * tf.reduce_sum(a * da, axis=1, keepdims=True) / mu
            return factors * (da - radial * a)

        return (a, tf.reduce_sum(over)), gradient

    return clipped(z)


def clip_factors(z: tf.Tensor, mu: float) -> tuple[tf.Tensor, tf.Tensor]:
    """What `clip` multiplies each row by, without gradient.

    Args:
        z, mu: As in `clip`.

    Returns:
        (factors, over), both [N, 1]: factors from 0 to 1, or NaN; over is 1
        where a row reaches sqrt(mu), and 0 elsewhere.
    """
    root = math.sqrt(mu)
    unit = 2.0 ** -(_UNIT_EXPONENT + math.frexp(root)[1])  # a power of two: scaling is exact
    norms = tf.sqrt(tf.reduce_sum(tf.square(z * unit), axis=1, keepdims=True))
    over = norms >= root * unit
    factors = tf.where(over, root * unit / norms, tf.ones_like(norms))
    factors = tf.where(norms < _LARGEST * root * unit, factors, math.nan)
    return factors, tf.cast(over, z.dtype)


@tf.custom_gradient
def normalize(z: tf.Tensor) -> tuple[tf.Tensor, Gradient]:
    """Brings each row to norm 1; a row of zeros stays, and has a zero gradient.

    Args:
        z: float32 or float64 [N, d].

    Returns:
        Tensor of the same shape and dtype. Rows with infinities become NaN;
        subnormal numbers count as zeros, as processors may take them for.
    """
    largest = tf.reduce_max(tf.abs(z), axis=1, keepdims=True)
    some = tf.logical_not(largest < np.finfo(z.dtype.as_numpy_dtype).tiny)  # so is NaN
    scale = tf.where(some, largest, 1.0)
    u = z / scale
    inverse = tf.where(some, 1.0 / tf.norm(u, axis=1, keepdims=True), 0.0)
    u = inverse * u

    def gradient(du: tf.Tensor) -> tf.Tensor:
        return inverse * (du - tf.reduce_sum(u * du, axis=1, keepdims=True) * u) / scale

    return u, gradient
