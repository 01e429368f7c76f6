"""Which layers of a classifier's encoder are trained."""

import keras

from tf_scl.errors import InputError

HEAD, LAST, ALL = "head", "last", "all"
PARTS = (HEAD, LAST, ALL)


def part_of(encoder: keras.Model) -> list[keras.layers.Layer]:
    """The layers of an encoder after the last change of resolution, its last stage.

    Args:
        encoder: Functional or Sequential `keras.Model` from images to features, maybe of models
            inside it.

    Returns:
        List of layers that are no models.

    Raises:
        InputError: No weights come before it, as in vision transformers, or there are no maps.
    """
    layers = leaves(encoder)
    heights = [_height(layer) for layer in layers]
    last = next((height for height in reversed(heights) if height), None)
    # Not the first map of that height: squeeze and excitation has maps of 1 x 1 everywhere.
    larger = [at for at, height in enumerate(heights) if last and height and height > last]
    first = larger[-1] + 1 if larger else 0
    if not any(layer.weights for layer in layers[:first]):
        raise InputError(
            f"the encoder {encoder.name!r} has no last stage: all of its weights come after the "
            'last change of resolution; train it all ("all") or the head alone ("head")'
        )
    return layers[first:]


def leaves(model: keras.Model) -> list[keras.layers.Layer]:
    """The layers of a model and of the models inside it, in the order in which they compute."""
    found: list[keras.layers.Layer] = []
    for layer in model.layers:
        found += leaves(layer) if isinstance(layer, keras.Model) else [layer]
    return found


def _height(layer: keras.layers.Layer) -> int | None:
    """Of the feature map that a layer gives, or None where it gives none."""
    try:
        shape = layer.output.shape
    except (AttributeError, ValueError):
        return None
    channels_first = getattr(layer, "data_format", None) == "channels_first"
    return shape[2 if channels_first else 1] if len(shape) == 4 else None
