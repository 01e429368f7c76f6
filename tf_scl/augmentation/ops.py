"""Augmentations of a whole batch, each image with its own parameters.

Images are float32 [N, H, W, C] with values 0..255. Everything is matrix
products and elementwise arithmetic with static shapes: it runs on any device
and compiles under XLA.
"""

import math

import numpy as np
import tensorflow as tf

_LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601, as PIL and torchvision
# RGB -> YIQ, the FCC's matrix; a hue shift is a rotation of the plane (I, Q).
_YIQ = np.array([_LUMA, (0.5959, -0.2746, -0.3213), (0.2115, -0.5227, 0.3112)])


def crop_resize(images, boxes, flips, size):
    """Cuts a box from each image, resizes it to size x size, mirrors some.

    Bilinear, antialiased when it shrinks: the values of PIL's
    `Image.resize(..., BILINEAR, box=...)`. The resampling is separable, so an
    image is A_y @ image @ A_x^T with two small matrices of its own; a mirror
    is a reversal of A_x's rows.

    Args:
        images: float32 [N, H, W, C].
        boxes: float32 [N, 4] of (top, left, height, width), in pixels.
        flips: bool [N], mirror left and right.
        size: Int, side of the result in pixels.

    Returns:
        float32 [N, size, size, C].
    """
    rows = _resampling(boxes[:, 0], boxes[:, 2], tf.shape(images)[1], size)
    columns = _resampling(boxes[:, 1], boxes[:, 3], tf.shape(images)[2], size)
    columns = tf.where(flips[:, None, None], columns[:, ::-1], columns)
    return _separable(images, rows, columns)


def _resampling(start, length, extent, size):
    """Triangle filter [N, size, extent] from pixels start..start+length to `size` pixels."""
    step = (length / size)[:, None, None]
    target = tf.range(size, dtype=tf.float32)[None, :, None] + 0.5
    centre = start[:, None, None] + target * step
    source = tf.range(extent)[None, None, :]
    distance = tf.abs(tf.cast(source, tf.float32) + 0.5 - centre) / tf.maximum(step, 1.0)
    weights = tf.maximum(0.0, 1.0 - distance)
    return weights / tf.reduce_sum(weights, axis=2, keepdims=True)


def _separable(images, rows, columns):
    channels = images.shape[-1]
    n, width = tf.shape(images)[0], tf.shape(images)[2]
    height = tf.shape(images)[1]
    out_h, out_w = tf.shape(rows)[1], tf.shape(columns)[1]
    x = tf.matmul(rows, tf.reshape(images, [n, height, width * channels]))
    x = tf.reshape(x, [n, out_h, width, channels])
    x = tf.transpose(x, [0, 2, 1, 3])  # [N, width, out_h, C]
    x = tf.matmul(columns, tf.reshape(x, [n, width, out_h * channels]))
    x = tf.transpose(tf.reshape(x, [n, out_w, out_h, channels]), [0, 2, 1, 3])
    static = (images.shape[0], rows.shape[1], columns.shape[1], channels)
    return tf.ensure_shape(x, static)


def adjust_brightness(images, factor):
    """Multiplies each image by its factor [N], clipped to 0..255."""
    return _clip(images * _per_image(factor))


def adjust_contrast(images, factor):
    """Blends each image with the mean of its grey version, clipped to 0..255."""
    mean = tf.reduce_mean(grayscale(images), axis=(1, 2, 3), keepdims=True)
    return _clip(mean + _per_image(factor) * (images - mean))


def adjust_saturation(images, factor):
    """Blends each image with its grey version, clipped to 0..255. [N, H, W, 3]."""
    grey = grayscale(images)
    return _clip(grey + _per_image(factor) * (images - grey))


def adjust_hue(images, turns):
    """Rotates the hue by `turns` [N], as a share of the full circle, in YIQ.

    YIQ's rotation keeps the luma and is one 3x3 product; PIL and torchvision
    turn the HSV hexagon instead, so colours differ a little from theirs.
    """
    angle = 2.0 * math.pi * turns
    cos, sin, zero, one = tf.cos(angle), tf.sin(angle), 0.0 * angle, 0.0 * angle + 1.0
    rotation = tf.stack(
        [
            tf.stack([one, zero, zero], axis=1),
            tf.stack([zero, cos, -sin], axis=1),
            tf.stack([zero, sin, cos], axis=1),
        ],
        axis=1,
    )
    to_yiq = tf.constant(_YIQ, tf.float32)
    from_yiq = tf.constant(np.linalg.inv(_YIQ), tf.float32)
    matrix = from_yiq @ rotation @ to_yiq  # [N, 3, 3]
    return _clip(tf.einsum("nhwc,ndc->nhwd", images, matrix))


def grayscale(images):
    """Luma in every channel. One-channel images come back as they are."""
    if images.shape[-1] == 1:
        return images
    luma = tf.tensordot(images, tf.constant(_LUMA), 1)[..., None]
    return tf.repeat(luma, 3, axis=-1)


def gaussian_blur(images, sigma):
    """Gaussian blur with a standard deviation [N] in pixels for each image.

    The kernel is cut where the image ends and its weights add up to one. It
    is not cut off at a radius.
    """

    def kernel(extent):
        position = tf.cast(tf.range(extent), tf.float32)
        distance = (position[:, None] - position[None, :])[None] / sigma[:, None, None]
        weights = tf.exp(-0.5 * tf.square(distance))
        return weights / tf.reduce_sum(weights, axis=2, keepdims=True)

    shape = tf.shape(images)
    blurred = _separable(images, kernel(shape[1]), kernel(shape[2]))
    return tf.ensure_shape(blurred, images.shape)


def where(condition, changed, images):
    """`changed` where `condition` [N] holds, else `images`."""
    return tf.where(_per_image(condition), changed, images)


def _per_image(values):
    return tf.reshape(values, [-1, 1, 1, 1])


def _clip(images):
    return tf.clip_by_value(images, 0.0, 255.0)
