"""What a two-view model asks of its data and of its encoder."""

import warnings
from collections.abc import Iterable
from typing import Any

import keras
import tensorflow as tf

from tf_scl.errors import InputError
from tf_scl.images.pixel_range import why_refused
from tf_scl.typing import Element, Images

_SHOWN = 3  # parts of a long structure that a message describes


def images_in(data: Element) -> Images:
    """The images in an element of the data, which is these alone or (images, labels).

    Raises:
        InputError: Data of another form, or with sample weights.
    """
    images, _, weights = keras.utils.unpack_x_y_sample_weight(data)
    refuse_weights(sample_weight=weights)
    if not isinstance(images, (tuple, list, dict)):
        return images
    raise InputError(
        "with an `augmentation` each element of the data must be a batch of "
        f"images, alone or as (images, labels). Received: {describe(data)}. "
        "Stack a list of images into one array (`numpy.stack`); "
        "for data that already holds two views pass `augmentation=None`"
    )


def pair_in(data: Element) -> tuple[Images, Images]:
    """The two views in an element of the data: (view1, view2), or ((view1, view2), labels).

    Raises:
        InputError: Data of another form, or with sample weights.
    """
    pair, weights = data, None
    if isinstance(data, (tuple, list)) and data and isinstance(data[0], (tuple, list)):
        pair, weights = data[0], data[2] if len(data) == 3 else None
    elif isinstance(data, (tuple, list)) and len(data) == 3:  # of `fit(view1, view2, ...)`
        pair, weights = data[:2], data[2]
    refuse_weights(sample_weight=weights)
    is_pair = isinstance(pair, (tuple, list)) and len(pair) == 2
    if is_pair and all(hasattr(view, "shape") for view in pair):
        return tuple(pair)
    raise InputError(
        "without an `augmentation` each element of the data must be a pair of views "
        f"(view1, view2). Received: {describe(data)}. "
        "Pass `augmentation=tf_scl.TwoViews(size)` to make views from images"
    )


def images_to_embed(data: Element) -> tuple[Images]:
    """What `predict` is given, as a tuple of one batch."""
    images, _, _ = keras.utils.unpack_x_y_sample_weight(data)
    if isinstance(images, dict):
        raise InputError(
            f"`predict` takes a batch of images [N, H, W, C]. Received: a dict of "
            f"{sorted(map(str, images))[:_SHOWN]}; give the images themselves"
        )
    return (images[0] if isinstance(images, (tuple, list)) else images,)


def read(batches: tuple[Images, ...], encoder: keras.layers.Layer) -> tuple[tf.Tensor, ...]:
    """The images, or both batches of views, of known and right shapes.

    Args:
        batches: Tuple of one batch of images, or of two of views.
        encoder: Tells the shape that they must have.

    Returns:
        Tuple of as many tensors.

    Raises:
        InputError: Another shape than the encoder takes, or one that neither
            tells; views of two shapes.
    """
    any_size = len(batches) == 1  # views are made of them
    batches = tuple(known_shape(tf.convert_to_tensor(x), encoder, any_size) for x in batches)
    if len({tuple(images.shape) for images in batches}) > 1:
        raise InputError(
            "the two views must be of one shape. "
            f"Received: {describe(batches)}. Is the second one labels?"
        )
    for images in batches:
        _require_shape(images.shape, encoder)
    return batches


def look_at(batches: Iterable[Images], encoder: keras.layers.Layer, refuse: bool) -> None:
    """Looks at concrete images on the host, before they are used.

    Args:
        batches: Iterable of arrays or tensors.
        encoder: Tells the shape that they must have.
        refuse: Bool, whether scaled values are an error, not only a warning.

    Raises:
        InputError: Another shape than the encoder takes, or values scaled to
            0..1 or -1..1.
    """
    for images in batches:
        _require_shape(images.shape, encoder)
        look_at_range(images, refuse)


def look_at_range(images: Images, refuse: bool) -> None:
    """Warns of concrete images that were scaled to 0..1 or -1..1, or refuses them."""
    reason = why_refused(images)
    if reason and refuse:
        raise InputError(f"images: {reason}")
    if reason:
        warnings.warn(f"views: {reason}", stacklevel=2)


def check_encoder(encoder: keras.layers.Layer, augmented: bool) -> None:
    """Raises InputError if an encoder is known not to take images [N, H, W, C]."""
    shape = input_shape(encoder)
    if shape is None or (not augmented and _is_one(shape) and len(shape) != 4):
        return
    if not _is_one(shape) or len(shape) != 4:
        raise InputError(
            "the encoder must take one batch of images [N, H, W, C]. "
            f"Received: an encoder of input shape {shape}"
        )
    _, first, second, last = shape
    if first in (1, 3) and second == last and last not in (1, 3):
        raise InputError(
            f"images are [N, H, W, C], channels last. Received: an encoder of input shape {shape}; "
            "put `keras.layers.Permute((3, 1, 2))` before it, in a `keras.Sequential`"
        )


def check_features(features: Any) -> tf.Tensor:
    """The features, if they are one tensor [N, D].

    Raises:
        InputError: They are not.
    """
    if not hasattr(features, "shape"):
        raise InputError(
            "the encoder must give features [N, D], one tensor. "
            f"Received: {describe(features)}; make it a model of one output, such as "
            "`keras.Model(encoder.input, NAME_OR_PLACE_OF_ONE)`"
        )
    rank = tf.TensorShape(features.shape).rank
    if rank == 2 or rank is None:
        return features
    layer = f"GlobalAveragePooling{rank - 2}D" if rank in (3, 4) else "Flatten"
    raise InputError(
        "the encoder must give features [N, D], for the projector and all that uses them. "
        f"Received: shape {tuple(features.shape)}; add `keras.layers.{layer}()` to its end"
    )


def input_shape(encoder: keras.layers.Layer) -> Any:
    """Shape, or list or dict of shapes, that a built encoder takes, or None if it does not tell."""
    return getattr(encoder, "input_shape", None) if getattr(encoder, "built", False) else None


def fixed_size(encoder: keras.layers.Layer) -> int | None:
    """Side of the square that an encoder takes, or None where it takes any size."""
    shape: Any = getattr(encoder, "input_shape", None)
    square = isinstance(shape, tuple) and len(shape) == 4 and shape[1] == shape[2]
    return shape[1] if square else None


def refuse_weights(**weights: Any) -> None:
    """Raises InputError for each of these that is not None."""
    for name, value in weights.items():
        if value is not None:
            raise InputError(
                f"`{name}` would have no effect: the loss compares all images of a batch with one "
                "another, and has neither labels nor weights; leave it out"
            )


def describe(data: Any) -> str:
    """Shapes and types in a structure, in few words however large it is."""
    if isinstance(data, dict):
        return f"a dict of {sorted(map(str, data))[:_SHOWN]}"
    if isinstance(data, (tuple, list)):
        parts = [describe(item) for item in data[:_SHOWN]]
        more = [f"... {len(data):,} in all"] if len(data) > _SHOWN else []
        return f"({', '.join(parts + more)})"
    if hasattr(data, "shape"):
        shape = tf.TensorShape(data.shape)
        return "an unknown shape" if shape.rank is None else f"shape {tuple(shape)}"
    return type(data).__name__


def known_shape(images: tf.Tensor, encoder: keras.layers.Layer, any_size: bool) -> tf.Tensor:
    """A tensor with a shape also where the data set does not tell it but the encoder does.

    Raises:
        InputError: Neither does.
    """
    rank = images.shape.rank
    if rank not in (None, 4) or (rank == 4 and images.shape[-1] is not None):
        return images
    known = input_shape(encoder)
    if known is None:
        raise InputError(
            "neither the data set nor the encoder tells the shape of the images. Received: "
            f"{describe(images)}; give the data set one (`output_signature=tf.TensorSpec([None, "
            "H, W, C], tf.uint8)` in `from_generator`), or the encoder a `keras.Input`"
        )
    return tf.ensure_shape(
        images, [None, None, None, known[-1]] if any_size else [None, *known[1:]]
    )


def _require_shape(shape: Any, encoder: keras.layers.Layer) -> None:
    """Of a batch; its height and width are not looked at, for images are fitted to the encoder."""
    known, shape = input_shape(encoder), tf.TensorShape(shape)
    wanted = [None] * 4 if known is None else [*[None] * (len(known) - 1), known[-1]]
    if shape.is_compatible_with(wanted):
        return
    names = ["N", "H", "W", "C" if wanted[-1] is None else str(wanted[-1])]
    form = f"[{', '.join(names)}]" if len(wanted) == 4 else str(known)
    raise InputError(
        f"images must be {form}, as the encoder takes them. "
        f"Received: a batch of shape {tuple(shape)}"
    )


def _is_one(shape: Any) -> bool:
    return isinstance(shape, tuple) and all(size is None or isinstance(size, int) for size in shape)
