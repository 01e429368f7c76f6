"""Pixel values are 0..255 everywhere; how images of another range are told, in one place."""

from typing import Any

import numpy as np
import tensorflow as tf

from tf_scl.errors import InputError
from tf_scl.typing import Array, ArrayLike, Images

# What images that were scaled to 0..1 or -1..1 hold at most; resizing may overshoot a little.
_LARGEST_SCALED = 1.25
_ROUNDING = 1e-3  # float32 keeps 1e-5 of the value 255
ALLOWED = "values must be 0..255 (uint8 or float)"
REMEDIES = "multiply values in 0..1 by 255, or turn -1..1 into 0..255 by (x + 1) * 127.5"


def looks_scaled(images: Images | ArrayLike) -> tf.Tensor:
    """Whether images were scaled to 0..1 or -1..1, by TensorFlow operations alone.

    So is a float batch of which no value is above 1 (and a little), but some are
    not whole. Integers never are, nor are floats that are whole: an image may
    well be that dark, even black.

    Args:
        images: Tensor of any shape and number type, or what can become one. In
            a graph too, such as that of a served signature.

    Returns:
        Bool scalar tensor.
    """
    images = tf.convert_to_tensor(images)
    if not images.dtype.is_floating:
        return tf.constant(False)
    small = tf.reduce_all(tf.abs(images) <= _LARGEST_SCALED)
    return small & tf.reduce_any(images != tf.round(images))


def are_scaled_bytes(images: tf.Tensor) -> tf.Tensor:
    """Whether images are bytes that were scaled to 0..1 or -1..1 and nothing else, surely.

    Unlike `looks_scaled` it is for few images, of which all may be dark and resized:
    every value must be a multiple of 1/255 (or -1 and a multiple of 1/127.5), which
    resizing does not leave them.

    Args:
        images: Float tensor of any shape.

    Returns:
        Bool scalar tensor.
    """

    def whole(x: tf.Tensor) -> tf.Tensor:
        return tf.reduce_all(tf.abs(x - tf.round(x)) < _ROUNDING)

    scaled = whole(255.0 * images) | whole(127.5 * (images + 1.0))
    return tf.reduce_all(tf.abs(images) <= 1.0) & scaled & ~whole(images)


def require_pixels(name: str, images: Array) -> None:
    """Raises InputError where images were scaled (see `looks_scaled`) or are not finite.

    Args:
        name: What they are called in the message.
        images: [N, H, W, C].
    """
    refused = why_refused(images)
    if refused:
        raise InputError(f"`{name}`: {refused}")
    finite = np.isfinite(images).all(axis=(1, 2, 3))
    if not finite.all():
        row = int(np.flatnonzero(~finite)[0])
        raise InputError(f"`{name}[{row}]` holds values that are not finite; leave it out")


def why_refused(images: Images | ArrayLike) -> str | None:
    """One line if images were scaled (see `looks_scaled`), else None.

    Looks at concrete values, on the host; mostly at those of the first image alone.

    Args:
        images: Array or eager tensor [N, ...].
    """
    batch: Any = images if hasattr(images, "dtype") else tf.convert_to_tensor(images)
    dtype = tf.as_dtype(batch.dtype)
    if not dtype.is_floating or not tf.reduce_all(tf.abs(batch[:1]) <= _LARGEST_SCALED):
        return None
    if not looks_scaled(batch):
        return None
    low, high = float(tf.reduce_min(batch)), float(tf.reduce_max(batch))
    return (
        f"{ALLOWED}. Received: a batch of {dtype.name} between {low:.3g} and {high:.3g}; "
        f"{REMEDIES}. Images that are truly this dark: round them to whole numbers. An encoder "
        "that expects another range begins with a `keras.layers.Rescaling`"
    )
