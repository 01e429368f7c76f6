"""From encoded bytes to pixels: the same code in training, evaluation and serving."""

import tensorflow as tf


def decode_image(encoded: tf.Tensor, channels: int) -> tf.Tensor:
    """Pixels uint8 [H, W, channels] of one PNG or JPEG, the same as PIL's.

    Args:
        encoded: Scalar string.
        channels: 1 or 3. Color becomes gray, gray becomes color, alpha is
            dropped and 16 bits keep their upper 8.
    """
    image = tf.cond(
        tf.io.is_jpeg(encoded),
        # The default would be a quicker transform, off by as much as 5 of 255.
        lambda: tf.io.decode_jpeg(encoded, channels, dct_method="INTEGER_ACCURATE"),
        lambda: tf.io.decode_image(encoded, channels, expand_animations=False),
    )
    return tf.ensure_shape(image, [None, None, channels])


def fit_to_square(images: tf.Tensor, size: int) -> tf.Tensor:
    """Cuts the central square and resizes it to size x size.

    Args:
        images: uint8 or float [..., H, W, C], one image or a batch of one size.
        size: Int, pixels.

    Returns:
        float32 [..., size, size, C] in the range of the input (antialiased
        bilinear, unchanged where the size is right already).
    """
    shape = tf.shape(images)
    height, width = shape[-3], shape[-2]
    short = tf.minimum(height, width)
    top, left = (height - short) // 2, (width - short) // 2
    square = images[..., top : top + short, left : left + short, :]
    fitted = tf.cond(
        short == size,
        lambda: tf.cast(square, tf.float32),
        lambda: tf.image.resize(square, [size, size], antialias=True),
    )
    return tf.ensure_shape(
        fitted, [None] * (len(images.shape) - 3) + [size, size, images.shape[-1]]
    )


def decode_batch(encoded: tf.Tensor, size: int, channels: int) -> tf.Tensor:
    """Float32 [N, size, size, channels] of whole numbers 0..255, of encoded images [N]."""
    return tf.map_fn(
        lambda one: tf.round(fit_to_square(decode_image(one, channels), size)),
        encoded,
        fn_output_signature=tf.TensorSpec([size, size, channels], tf.float32),
    )
