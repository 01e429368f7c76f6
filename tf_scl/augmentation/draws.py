"""Random parameters of the augmentations: one draw for each image of a batch.

Every function is pure: the same seed (int32 [2], as in `tf.random.stateless_*`)
gives the same draw. What is done with a draw is in `ops.py`.
"""

import math

import tensorflow as tf

_ATTEMPTS = 10  # as torchvision's RandomResizedCrop
_ALGORITHM = "philox"  # named, since XLA's default is another than the CPU's


def crop_boxes(seed, count, height, width, scale, ratio):
    """Boxes of RandomResizedCrop (Szegedy et al. 2015, arXiv 1409.4842, section 6).

    Args:
        seed: int32 [2].
        count: Number of boxes N.
        height, width: Size of the images, in pixels.
        scale: (low, high), the box's share of the image's area, uniform.
        ratio: (low, high), width / height, log-uniform.

    Returns:
        float32 [N, 4] of (top, left, height, width) in pixels, inside the
        image. Of ten draws the first that fits is taken; where none does, a
        centred box with the ratio clipped, as torchvision.
    """
    seeds = split(seed, 3)
    height, width = tf.cast(height, tf.float32), tf.cast(width, tf.float32)
    shape = [count, _ATTEMPTS]
    area = height * width * uniform(seeds[0], shape, *scale)
    aspect = tf.exp(uniform(seeds[1], shape, math.log(ratio[0]), math.log(ratio[1])))
    box_h, box_w = tf.sqrt(area / aspect), tf.sqrt(area * aspect)
    fits = (box_h <= height) & (box_w <= width)
    first = tf.argmax(tf.cast(fits, tf.int32), axis=1, output_type=tf.int32)
    box_h = tf.gather(box_h, first, axis=1, batch_dims=1)
    box_w = tf.gather(box_w, first, axis=1, batch_dims=1)
    # The fallback: the whole image, cut to the nearest allowed ratio.
    whole = tf.clip_by_value(width / height, ratio[0], ratio[1])
    some_fit = tf.reduce_any(fits, axis=1)
    box_h = tf.where(some_fit, box_h, tf.minimum(height, width / whole))
    box_w = tf.where(some_fit, box_w, tf.minimum(width, height * whole))
    free = tf.stack([height - box_h, width - box_w], axis=1)
    # 0.5 puts a fallback box in the middle.
    share = tf.where(some_fit[:, None], uniform(seeds[2], [count, 2], 0.0, 1.0), 0.5)
    return tf.concat([free * share, box_h[:, None], box_w[:, None]], axis=1)


def uniform(seed, shape, low, high):
    """Uniform float32 in [low, high).

    Made from random bits here, because TensorFlow's own float numbers differ
    between a CPU kernel and XLA; its bits do not.
    """
    bits = tf.random.stateless_uniform(shape, seed, None, None, tf.int32, alg=_ALGORITHM)
    bits = tf.bitwise.right_shift(tf.bitcast(bits, tf.uint32), 8)  # 24, as float32 holds
    return low + (high - low) * (tf.cast(bits, tf.float32) * 2.0**-24)


def split(seed, count):
    """`count` seeds, int32 [2] each, independent of one another."""
    return tf.unstack(tf.random.split(seed, count, alg=_ALGORITHM))


def fold_in(seed, number):
    """A seed that depends on `seed` and an int scalar."""
    return tf.random.fold_in(seed, number, alg=_ALGORITHM)


def happens(seed, count, probability):
    """bool [N], each true with `probability`."""
    return uniform(seed, [count], 0.0, 1.0) < probability


def orders(seed, count, steps):
    """int32 [N, steps], each row a permutation of 0..steps-1, all equally likely."""
    return tf.argsort(uniform(seed, [count, steps], 0.0, 1.0), axis=1)


def factors(seed, count, strength):
    """float32 [N], uniform in [max(0, 1 - strength), 1 + strength]."""
    return uniform(seed, [count], max(0.0, 1.0 - strength), 1.0 + strength)
