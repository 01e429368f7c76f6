"""Random crops of a whole batch, resized, each image with its own box."""

import tensorflow as tf

from tf_scl.augmentation.xla import compiled, materialize

# From about here on a product with a whole matrix is faster than gathers.
_MOST_TAPS = 32


def crop_resize(images: tf.Tensor, boxes: tf.Tensor, flips: tf.Tensor, size: int) -> tf.Tensor:
    """Cuts a box from each image, resizes it to size x size, mirrors some.

    Bilinear, antialiased when it shrinks: the values of PIL's
    `Image.resize(..., BILINEAR, box=...)`. The resampling is separable; a
    mirror reads the box from right to left.

    Args:
        images: uint8 or float [N, H, W, C].
        boxes: float32 [K * N, 4] of (top, left, height, width), in pixels and
            inside the image: one for each image, then one more for each, and
            so on.
        flips: bool [K * N], mirror left and right.
        size: Int, side of the result in pixels.

    Returns:
        float32 [K * N, C, size, size].
    """
    top, left, height, width = tf.unstack(boxes, axis=1)
    left, width = tf.where(flips, left + width, left), tf.where(flips, -width, width)
    sides = images.shape[1:3]
    few = None not in sides and max(_taps(side, size) for side in sides) <= _MOST_TAPS
    form = _by_gathers if few else _by_products
    x = form(images, (top, height), (left, width), size)
    x = tf.ensure_shape(x, [boxes.shape[0], images.shape[-1], size, size])
    return materialize(x)


def _taps(extent: int, size: int) -> int:
    """How many pixels of `extent` the triangle filter of a box inside it can touch.

    It spans two pixels, or two of the result where that has fewer: an open
    interval that holds at most as many centers as it is long, rounded up.
    """
    return max(2, -(-2 * extent // size))


def _by_gathers(
    images: tf.Tensor,
    rows: tuple[tf.Tensor, tf.Tensor],
    columns: tuple[tf.Tensor, tf.Tensor],
    size: int,
) -> tf.Tensor:
    """As few multiplications as there are taps: 2 a value and axis unless it shrinks.

    What is gathered are whole rows, contiguous in memory; so the image is
    turned on its side for its columns.
    """
    height, width = images.shape[1:3]
    x = _gather(_on_its_side(images), *_tap_weights(*columns, width, size))
    x = materialize(tf.transpose(x, [0, 1, 3, 2]))
    return _gather(x, *_tap_weights(*rows, height, size))


@compiled
def _on_its_side(images: tf.Tensor) -> tf.Tensor:
    """[N, H, W, C] as [N, C, W, H]."""
    return tf.transpose(images, [0, 3, 2, 1])


@compiled
def _tap_weights(
    start: tf.Tensor, length: tf.Tensor, extent: int, size: int
) -> tuple[tf.Tensor, tf.Tensor]:
    """Pixels int32 [N, T, size] and their weights, of `_triangle`'s that are not zero."""
    center, reach = _spans(start, length, size)
    center, reach = center[:, None], reach[:, None, None]
    first = tf.floor(center - reach - 0.5) + 1.0  # the first to be nearer than `reach`
    pixel = first + tf.range(_taps(extent, size), dtype=tf.float32)[None, :, None]
    weights = tf.maximum(0.0, 1.0 - tf.abs(pixel + 0.5 - center) / reach)
    weights = tf.where((pixel >= 0.0) & (pixel < extent), weights, 0.0)
    pixel = tf.clip_by_value(tf.cast(pixel, tf.int32), 0, extent - 1)
    return pixel, weights / tf.reduce_sum(weights, axis=1, keepdims=True)


@compiled
def _gather(x: tf.Tensor, pixels: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
    """Sums of rows: [N, C, L, R] with pixels 0..L-1 [K * N, T, size] to [K * N, C, size, R]."""
    n, channels, length, row = (tf.shape(x)[axis] for axis in range(4))
    count, taps = tf.shape(pixels)[0], pixels.shape[1]
    plane = (tf.range(count) % n)[:, None] * channels + tf.range(channels)[None]
    x = tf.reshape(x, [n * channels * length, row])
    total = 0.0
    for tap in range(taps):
        rows = tf.gather(x, plane[:, :, None] * length + pixels[:, None, tap])
        total += tf.cast(rows, tf.float32) * weights[:, None, tap, :, None]
    return total


def _by_products(
    images: tf.Tensor,
    rows: tuple[tf.Tensor, tf.Tensor],
    columns: tuple[tf.Tensor, tf.Tensor],
    size: int,
) -> tf.Tensor:
    """A_y @ plane @ A_x^T with two small matrices of each image, of any size."""
    channels = images.shape[-1]
    n, height, width = (tf.shape(images)[axis] for axis in range(3))
    a_y = _triangle(*rows, images.shape[1] or height, size)
    a_x = _triangle(*columns, images.shape[2] or width, size)
    a_y = tf.reshape(a_y, [-1, n, size, height])
    x = tf.reshape(tf.cast(images, tf.float32), [n, height, width * channels])
    x = tf.reshape(tf.matmul(a_y, x), [-1, size, width, channels])
    return tf.matmul(tf.transpose(x, [0, 3, 1, 2]), a_x[:, None], transpose_b=True)


@compiled
def _triangle(start: tf.Tensor, length: tf.Tensor, extent: int | tf.Tensor, size: int) -> tf.Tensor:
    """Triangle filter [N, size, extent] from pixels start..start+length to `size` pixels."""
    center, reach = _spans(start, length, size)
    source = tf.cast(tf.range(extent), tf.float32)[None, None] + 0.5
    distance = tf.abs(source - center[:, :, None])
    weights = tf.maximum(0.0, 1.0 - distance / reach[:, None, None])
    return weights / tf.reduce_sum(weights, axis=2, keepdims=True)


def _spans(start: tf.Tensor, length: tf.Tensor, size: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Where the pixels of the result lie, [N, size], and how far their filter reaches, [N]."""
    step = length / size
    center = start[:, None] + (tf.range(size, dtype=tf.float32)[None] + 0.5) * step[:, None]
    return center, tf.maximum(tf.abs(step), 1.0)
