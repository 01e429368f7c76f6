"""From encoded bytes to pixels: the same code in training, evaluation and serving."""

import tensorflow as tf


def decode_image(encoded, channels):
    """Pixels uint8 [H, W, channels] of one PNG, JPEG, BMP or GIF (first frame).

    Args:
        encoded: Scalar string.
        channels: 1 or 3. Colour becomes grey, grey becomes colour, alpha is
            dropped and 16 bits keep their upper 8.
    """
    image = tf.io.decode_image(encoded, channels, tf.uint8, expand_animations=False)
    return tf.ensure_shape(image, [None, None, channels])


def fit_to_square(images, size):
    """Resizes the short side to `size`, then cuts the central size x size square.

    Args:
        images: uint8 or float [..., H, W, C], one image or a batch of one size.
        size: Int, pixels.

    Returns:
        float32 [..., size, size, C] in the range of the input (antialiased
        bilinear, unchanged where the size is right already).
    """
    shape = tf.shape(images)
    height, width = shape[-3], shape[-2]
    short = tf.cast(tf.minimum(height, width), tf.float32)
    new_height = tf.maximum(
        size, tf.cast(tf.round(tf.cast(height, tf.float32) * size / short), tf.int32)
    )
    new_width = tf.maximum(
        size, tf.cast(tf.round(tf.cast(width, tf.float32) * size / short), tf.int32)
    )
    images = tf.cond(
        (height == size) & (width == size),
        lambda: tf.cast(images, tf.float32),
        lambda: tf.image.resize(images, [new_height, new_width], antialias=True),
    )
    top, left = (new_height - size) // 2, (new_width - size) // 2
    images = images[..., top : top + size, left : left + size, :]
    return tf.ensure_shape(
        images, [None] * (len(images.shape) - 3) + [size, size, images.shape[-1]]
    )


def decode_batch(encoded, size, channels):
    """Float32 [N, size, size, channels], values 0..255, of encoded images [N]."""
    return tf.map_fn(
        lambda one: fit_to_square(decode_image(one, channels), size),
        encoded,
        fn_output_signature=tf.TensorSpec([size, size, channels], tf.float32),
    )
