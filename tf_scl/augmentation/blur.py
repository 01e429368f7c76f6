"""Gaussian blur of a whole batch, each image with its own standard deviation."""

import math

import tensorflow as tf

from tf_scl.augmentation.xla import compiled, materialize

# A tap of a short kernel costs about as much as this many of a whole matrix, whose
# products are better at keeping numbers in registers (benchmarks/augment.py).
_TAP = 2.5
_REACH = 5  # standard deviations; beyond lies 6e-7 of the weight
_NONE = 1e-3  # standard deviation of a kernel that is 1 at its center and else 0


def gaussian_blur(planes: tf.Tensor, sigma: tf.Tensor, largest: float) -> tf.Tensor:
    """Gaussian blur with a standard deviation of each image.

    The kernel is cut where the image ends, and its weights add up to one.
    Where that is faster, it is cut too at a radius of 5 * largest, which
    changes a value of 0..255 by less than 0.001.

    Args:
        planes: float32 [N, C, H, W].
        sigma: float32 [N], in pixels; 0 leaves the image exactly as it is.
        largest: Float that no `sigma` exceeds.

    Returns:
        float32 [N, C, H, W].
    """
    sigma = tf.maximum(sigma, _NONE)
    radius = math.ceil(_REACH * largest)
    shape = planes.shape
    for axis in (2, 3):
        short = shape[axis] is not None and _TAP * (2 * radius + 1) <= shape[axis]
        x = _by_shifts(planes, sigma, radius, axis) if short else _by_product(planes, sigma, axis)
        planes = materialize(tf.ensure_shape(x, shape))
    return planes


def _by_shifts(planes: tf.Tensor, sigma: tf.Tensor, radius: int, axis: int) -> tf.Tensor:
    """A sum of planes, moved along an axis by each tap of a kernel cut at `radius`."""
    weights, inside = _kernels(sigma, radius, planes.shape[axis])
    # The margin is made by itself: within the sum it would be a branch for each value.
    return _sum_of_shifts(_with_margin(planes, radius, axis), weights, inside, axis)


@compiled
def _kernels(sigma: tf.Tensor, radius: int, extent: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Taps [N, 2 * radius + 1], and their sums inside the image [N, extent] for each place."""
    tap = tf.range(-radius, radius + 1)
    weights = tf.exp(-0.5 * tf.square(tf.cast(tap, tf.float32)[None] / sigma[:, None]))
    place = tap[:, None] + tf.range(extent)[None]
    inside = tf.cast((place >= 0) & (place < extent), tf.float32)
    return weights, tf.matmul(weights, inside)


@compiled
def _with_margin(planes: tf.Tensor, radius: int, axis: int) -> tf.Tensor:
    return tf.pad(planes, [[radius, radius] if one == axis else [0, 0] for one in range(4)])


@compiled
def _sum_of_shifts(wide: tf.Tensor, weights: tf.Tensor, inside: tf.Tensor, axis: int) -> tf.Tensor:
    total = 0.0
    for tap in range(weights.shape[1]):
        place = slice(tap, tap + inside.shape[1])
        moved = wide[:, :, place] if axis == 2 else wide[:, :, :, place]
        total += weights[:, tap, None, None, None] * moved
    share = 1.0 / inside
    return total * (share[:, None, :, None] if axis == 2 else share[:, None, None, :])


def _by_product(planes: tf.Tensor, sigma: tf.Tensor, axis: int) -> tf.Tensor:
    """A product with a matrix of the whole kernel for each image, of any size."""
    matrix = _gaussian(sigma, planes.shape[axis] or tf.shape(planes)[axis])
    if axis == 2:
        return tf.matmul(matrix, planes)
    return tf.matmul(planes, matrix, transpose_b=True)


def _gaussian(sigma: tf.Tensor, extent: int | tf.Tensor) -> tf.Tensor:
    """Matrices [N, 1, extent, extent] that blur along one axis."""
    position = tf.cast(tf.range(extent), tf.float32)
    distance = (position[:, None] - position[None, :])[None] / sigma[:, None, None]
    weights = tf.exp(-0.5 * tf.square(distance))
    return (weights / tf.reduce_sum(weights, axis=2, keepdims=True))[:, None]
