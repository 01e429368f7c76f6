"""Random parameters of the augmentations: one draw for each image of a batch.

Every function is pure: the same seed (int32 [2], as in `tf.random.stateless_*`)
gives the same draw. What row k draws depends on the seed and k alone, not on how
many rows there are: `first` is the number of the first row, so that who holds
rows 4 to 6 of a batch draws `count=3, first=4`. What is done with a draw is in
`ops.py`.
"""

import math
from collections.abc import Sequence

import tensorflow as tf

_ATTEMPTS = 10  # as torchvision's RandomResizedCrop
_ALGORITHM = "philox"  # named, since XLA's default is another than the CPU's
_PHILOX = tf.random.Algorithm.PHILOX.value
_BLOCK = 4  # numbers of 32 bits that Philox makes from one value of its counter


def crop_boxes(
    seed: tf.Tensor,
    count: int | tf.Tensor,
    height: int | tf.Tensor,
    width: int | tf.Tensor,
    scale: tuple[float, float],
    ratio: tuple[float, float],
    first: int | tf.Tensor = 0,
) -> tf.Tensor:
    """Boxes of RandomResizedCrop (Szegedy et al. 2015, arXiv 1409.4842, section 6).

    Args:
        seed: int32 [2].
        count: Number of boxes N.
        height, width: Size of the images, in pixels.
        scale: (low, high), the box's share of the image's area, uniform.
        ratio: (low, high), width / height, log-uniform.
        first: Number of the first row.

    Returns:
        float32 [N, 4] of (top, left, height, width) in pixels, inside the
        image. Of ten draws the first that fits is taken; where none does, a
        centered box with the ratio clipped, as torchvision.
    """
    seeds = split(seed, 3)
    height, width = tf.cast(height, tf.float32), tf.cast(width, tf.float32)
    shape = [count, _ATTEMPTS]
    area = height * width * uniform(seeds[0], shape, *scale, first)
    aspect = tf.exp(uniform(seeds[1], shape, math.log(ratio[0]), math.log(ratio[1]), first))
    box_h, box_w = tf.sqrt(area / aspect), tf.sqrt(area * aspect)
    fits = (box_h <= height) & (box_w <= width)
    taken = tf.argmax(tf.cast(fits, tf.int32), axis=1, output_type=tf.int32)
    box_h = tf.gather(box_h, taken, axis=1, batch_dims=1)
    box_w = tf.gather(box_w, taken, axis=1, batch_dims=1)
    # The fallback: the whole image, cut to the nearest allowed ratio.
    whole = tf.clip_by_value(width / height, ratio[0], ratio[1])
    some_fit = tf.reduce_any(fits, axis=1)
    box_h = tf.where(some_fit, box_h, tf.minimum(height, width / whole))
    box_w = tf.where(some_fit, box_w, tf.minimum(width, height * whole))
    free = tf.stack([height - box_h, width - box_w], axis=1)
    # 0.5 puts a fallback box in the middle.
    place = uniform(seeds[2], [count, 2], 0.0, 1.0, first)
    share = tf.where(some_fit[:, None], place, 0.5)
    return tf.concat([free * share, box_h[:, None], box_w[:, None]], axis=1)


def uniform(
    seed: tf.Tensor,
    shape: Sequence[int | tf.Tensor],
    low: float,
    high: float,
    first: int | tf.Tensor = 0,
) -> tf.Tensor:
    """Uniform float32 of a shape [N, ...] in [low, high).

    Made from random bits here, because TensorFlow's own float numbers differ
    between a CPU kernel and XLA; its bits do not.
    """
    bits = tf.bitwise.right_shift(_bits(seed, shape, first), 8)  # 24, as float32 holds
    return low + (high - low) * (tf.cast(bits, tf.float32) * 2.0**-24)


def _bits(seed: tf.Tensor, shape: Sequence[int | tf.Tensor], first: int | tf.Tensor) -> tf.Tensor:
    """uint32 of a shape [N, ...]: the rows from `first` on of what
    `tf.random.stateless_uniform` gives for first + N rows, which need not be made."""
    row = math.prod(shape[1:])
    begin = tf.cast(first, tf.int64) * row
    key, stream = _key_and_stream(seed)
    counter = tf.stack([tf.cast(begin // _BLOCK, tf.uint64), stream])
    size = shape[0] * row
    blocks = _philox([size + _BLOCK - 1], key, counter)
    return tf.reshape(tf.slice(blocks, [begin % _BLOCK], [size]), shape)


def _key_and_stream(seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Philox's key, uint64 [1], and upper half of its counter, as `tf.random.stateless_*`."""
    scrambled = _philox([2, 2], [0x02461E293EC8F720], tf.cast(seed, tf.uint64))
    key, stream = tf.unstack(tf.bitcast(scrambled, tf.uint64))
    return key[None], stream


def _philox(
    shape: Sequence[int | tf.Tensor], key: tf.Tensor | list[int], counter: tf.Tensor
) -> tf.Tensor:
    return tf.raw_ops.StatelessRandomUniformFullIntV2(
        shape=shape, key=key, counter=counter, alg=_PHILOX, dtype=tf.uint32
    )


def split(seed: tf.Tensor, count: int) -> list[tf.Tensor]:
    """`count` seeds, int32 [2] each, independent of one another."""
    return tf.unstack(tf.random.split(seed, count, alg=_ALGORITHM))


def fold_in(seed: tf.Tensor, number: int | tf.Tensor) -> tf.Tensor:
    """A seed that depends on `seed` and an int scalar."""
    return tf.random.fold_in(seed, number, alg=_ALGORITHM)


def bernoulli(
    seed: tf.Tensor, count: int | tf.Tensor, probability: float, first: int | tf.Tensor = 0
) -> tf.Tensor:
    """bool [N], each true with `probability`."""
    return uniform(seed, [count], 0.0, 1.0, first) < probability


def permutations(
    seed: tf.Tensor, count: int | tf.Tensor, steps: int, first: int | tf.Tensor = 0
) -> tf.Tensor:
    """int32 [N, steps], each row a permutation of 0..steps-1, all equally likely."""
    return tf.argsort(uniform(seed, [count, steps], 0.0, 1.0, first), axis=1)


def uniform_factors(
    seed: tf.Tensor, count: int | tf.Tensor, strength: float, first: int | tf.Tensor = 0
) -> tf.Tensor:
    """float32 [N], uniform in [max(0, 1 - strength), 1 + strength]."""
    return uniform(seed, [count], max(0.0, 1.0 - strength), 1.0 + strength, first)
