"""The encoder that settings ask for: built here, or brought from elsewhere.

A network that is brought may want its images in another range than 0..255. What it
wants is done by layers inside the encoder, so that training, probes, exports and
model servers all give it images as they are.
"""

import contextlib
import difflib
import os
import re
import sys
import types
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tf_scl.config import NO_WEIGHTS, RESNET, ModelConfig
from tf_scl.encoders.model_files import check_files, is_path
from tf_scl.encoders.resnet import resnet
from tf_scl.encoders.weights_file import load_weights
from tf_scl.errors import InputError, first_sentence
from tf_scl.models import checks
from tf_scl.saving import load_model

IMAGENET = "imagenet"  # weights of keras.applications
PRESET = "preset"  # weights of KerasHub

# What moving averages keep at a step, at most. Those of keras.applications keep up to
# 0.9997, for trainings of millions of steps: after a thousand they would be far behind.
_MOMENTUM = 0.9
_INSTALL = "pip install 'tf_scl[hub]'"


def build_encoder(model: ModelConfig) -> keras.Model:
    """The encoder of a `ModelConfig`, with the weights that it begins with.

    Args:
        model: `tf_scl.config.ModelConfig`; `encoder` is

            - "resnet", `tf_scl.resnet` of `depth`, `stem` and `width`;
            - a name of keras.applications: without its classifier, average-pooled;
            - a preset of KerasHub (a name, a handle such as "hf://...", or a
              folder): feature maps or tokens are averaged;
            - the path of a `.keras` file: a network from images 0..255 to features
              [N, D], or a model of tf_scl, whose encoder is taken;

            and `weights` is "none" (random, or those of a `.keras` file),
            "imagenet" (keras.applications), "preset" (KerasHub), or the path of a
            `.weights.h5` or `.keras` file.

    Returns:
        `keras.Model` from images [N, S, S, C], values 0..255, to features float32
        [N, D]. Layers compute in Keras's current dtype policy, those of a `.keras`
        file in their own. Where several replicas train, batch normalizations take
        the statistics of the global batch.

    Raises:
        InputError: A name that nobody knows, a file that is missing, damaged or of
            something else, images that the network does not take, weights of
            another architecture, or ones that cannot be downloaded.
    """
    check_files(model)
    shape = (model.image_size, model.image_size, model.channels)
    if model.encoder == RESNET:
        _require_offered(model, ())
        network = encoder = resnet(
            model.depth, shape, model.stem, model.width, model.zero_init_residual
        )
    elif model.encoder.endswith(".keras"):
        _require_offered(model, ())
        network, encoder = _from_file(model.encoder, shape)
        if model.backbone_rate and not encoder.trainable_weights:
            encoder.trainable = True  # it was frozen when it was saved
    elif model.encoder in _applications():
        _require_offered(model, (IMAGENET,))
        network, encoder = _application(model, shape)
    else:
        hub = _hub(model.encoder)
        _require_offered(model, (PRESET,))
        network, encoder = _preset(hub, model, shape)
    if is_path(model.weights):
        load_weights(model.weights, model.encoder, network, encoder)
    if tf.distribute.get_strategy().num_replicas_in_sync > 1:
        for layer in _normalizations(encoder):
            layer.synchronized = True
    return encoder


def check_encoder(model: ModelConfig) -> None:
    """Builds the encoder of a `ModelConfig` once, if it is brought from elsewhere.

    Raises:
        InputError: As `build_encoder`.
    """
    if model.encoder != RESNET or model.weights != NO_WEIGHTS:
        build_encoder(model)


def _require_offered(model: ModelConfig, offered: Sequence[str]) -> None:
    """Raises InputError for weights that are neither a file nor offered with the encoder."""
    names = (NO_WEIGHTS, *offered)
    if model.weights not in names and not is_path(model.weights):
        raise InputError(
            f"no weights {model.weights!r} for the encoder {model.encoder!r}; model.weights "
            f"takes {', '.join(names)}, or the path of a .weights.h5 or .keras file"
        )


def _applications() -> dict[str, Callable[..., keras.Model]]:
    """Dict from the names of keras.applications to what builds each network."""
    return {
        name: build
        for name, build in vars(keras.applications).items()
        if name[0].isupper() and callable(build)
    }


def _application(
    model: ModelConfig, shape: tuple[int, int, int]
) -> tuple[keras.Model, keras.Model]:
    name, build = model.encoder, _applications()[model.encoder]
    _require_color(name, shape)
    weights = IMAGENET if model.weights == IMAGENET else None
    with _told(model):
        network = build(weights=weights, include_top=False, pooling="avg", input_shape=shape)
    _quicken(network)
    images = keras.Input(shape, name="images")
    x = _preprocessed(images, sys.modules[build.__module__].preprocess_input)
    return network, _encoder(images, network(x), name)


def _preprocessed(images: keras.KerasTensor, preprocess: Callable[..., Any]) -> keras.KerasTensor:
    """What a `preprocess_input` of keras.applications does, by layers.

    All of them are affine in each channel, and some exchange red and blue: what a
    function does to black and to the three full colors tells all of it.
    """
    probes = np.concatenate([np.zeros((1, 3)), 255.0 * np.eye(3)]).reshape(4, 1, 1, 3)
    found = np.asarray(preprocess(probes.astype(np.float32), data_format="channels_last"))
    offset = found[0, 0, 0].astype(np.float64)
    slopes = (found[1:, 0, 0] - offset) / 255.0  # [from, to]
    if np.abs(slopes[0, 2]) > np.abs(slopes[0, 0]):
        images, slopes = keras.ops.flip(images, axis=-1), slopes[::-1]
    scale = np.diag(slopes)
    if (scale == 1.0).all() and (offset == 0.0).all():
        return images  # done by the network itself
    return _rescaled(images, scale.tolist(), offset.tolist())


def _rescaled(
    images: keras.KerasTensor, scale: float | list[float], offset: float | list[float]
) -> keras.KerasTensor:
    return keras.layers.Rescaling(scale, offset, dtype="float32", name="standardize")(images)


def _hub(name: str) -> types.ModuleType:
    """The module `keras_hub`, if the name can be one of its presets.

    Raises:
        InputError: It cannot, or KerasHub is not installed.
    """
    try:
        import keras_hub as hub
    except ImportError:
        hub = None
    is_preset = "://" in name or os.path.isdir(name)
    known = [*_applications(), *(hub.models.Backbone.presets if hub else ())]
    similar = _similar(name, known)
    if not is_preset and name not in known and (hub or similar or "_" not in name):
        meant = f"; did you mean {' or '.join(similar)}?" if similar else ""
        more = "" if hub else f" ({_INSTALL} adds the presets of KerasHub)"
        raise InputError(
            f"no encoder {name!r}: model.encoder takes {RESNET}, a name of keras.applications, "
            f"a preset of KerasHub, or the path of a .keras file{more}{meant}"
        )
    if hub is None:
        raise InputError(
            f"the encoder {name!r} would be a preset of KerasHub, which is not installed: "
            f"{_INSTALL}"
        )
    return hub


def _similar(name: str, known: Iterable[str]) -> list[str]:
    lower = {one.lower(): one for one in known}
    return [lower[one] for one in difflib.get_close_matches(name.lower(), lower, 3)]


def _preset(
    hub: types.ModuleType, model: ModelConfig, shape: tuple[int, int, int]
) -> tuple[keras.Model, keras.Model]:
    name = model.encoder
    _require_color(name, shape)
    with _told(model):
        network = hub.models.Backbone.from_preset(
            name,
            load_weights=model.weights == PRESET,
            image_shape=shape,
            dtype=keras.config.dtype_policy().name,
        )
        try:
            converter = hub.layers.ImageConverter.from_preset(name)
        except FileNotFoundError:
            converter = None  # of a preset that takes images as they are
        _quicken(network)
        images = x = keras.Input(shape, name="images")
        if converter is not None and (converter.scale is not None or converter.offset is not None):
            scale = 1.0 if converter.scale is None else converter.scale
            x = _rescaled(images, scale, 0.0 if converter.offset is None else converter.offset)
        x = network(x)
    pooling = {
        4: keras.layers.GlobalAveragePooling2D,
        3: keras.layers.GlobalAveragePooling1D,  # of tokens
    }.get(len(getattr(x, "shape", ())))
    return network, _encoder(images, pooling()(x) if pooling else x, name)


def _from_file(path: str, shape: tuple[int, int, int]) -> tuple[keras.Model, keras.Model]:
    network = load_model(path, compile=False)
    network = network.encoder if hasattr(network, "projector") else network
    with _named(path):
        checks.check_encoder(network, augmented=True)
    _, *sides, channels = checks.input_shape(network) or (None,) * 4
    size = shape[0]
    if channels not in (None, shape[-1]):
        raise InputError(
            f"the encoder {path!r} takes images of {channels} channels and model.channels is "
            f"{shape[-1]}; use " + _channels_remedy(channels)
        )
    if any(side not in (None, size) for side in sides):
        height, width = sides
        remedy = f"use model.image_size {height}" if height == width else "save a square one"
        raise InputError(
            f"the encoder {path!r} takes images of {height} x {width} pixels and "
            f"model.image_size is {size}; {remedy}"
        )
    images = keras.Input(shape, name="images")
    try:
        features = network(images)
    except Exception as error:  # a layer of the user's may raise anything
        raise InputError(
            f"the encoder {path!r} cannot take images of {size} x {size} pixels: "
            f"{first_sentence(error)}; use another model.image_size"
        ) from error
    with _named(path):
        checks.check_features(features)
    complete = getattr(network, "input_shape", None) == (None, *shape)
    if complete and features.dtype == "float32":
        return network, network
    return network, _encoder(images, features, network.name)


def _channels_remedy(channels: int) -> str:
    if channels in (1, 3):
        return f"model.channels {channels}"
    return "one of 1 or 3"


def _encoder(images: keras.KerasTensor, features: keras.KerasTensor, name: str) -> keras.Model:
    """The whole network, with features in float32 whatever the dtype policy."""
    with _named(name):
        checks.check_features(features)
    features = keras.layers.Activation("linear", dtype="float32", name="features")(features)
    return keras.Model(images, features, name=re.sub(r"\W+", "_", name))


def _require_color(name: str, shape: tuple[int, int, int]) -> None:
    if shape[-1] != 3:
        raise InputError(
            f"the encoder {name!r} takes images of 3 channels and model.channels is {shape[-1]}; "
            "use model.channels 3, which gray images are given too"
        )


def _normalizations(network: keras.Model) -> list[keras.layers.BatchNormalization]:
    return [
        layer
        for layer in network._flatten_layers()
        if isinstance(layer, keras.layers.BatchNormalization)
    ]


def _quicken(network: keras.Model) -> None:
    for layer in _normalizations(network):
        layer.momentum = min(layer.momentum, _MOMENTUM)


@contextlib.contextmanager
def _named(name: str) -> Iterator[None]:
    """Says in an error which encoder it is about."""
    try:
        yield
    except InputError as error:
        raise InputError(f"the encoder {name!r}: {error}") from error


@contextlib.contextmanager
def _told(model: ModelConfig) -> Iterator[None]:
    """What libraries raise about a network of theirs, in one line."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of sizes that weights were not trained at
            yield
    except Exception as error:
        name, size = model.encoder, model.image_size
        minimum = re.search(r"at least (\d+) ?x", str(error))
        if minimum:
            message = (
                f"model.image_size {size} is smaller than the encoder {name!r} takes; "
                f"use model.image_size {minimum[1]} or more"
            )
        elif _is_of_network(error):
            message = (
                f"the encoder {name!r} with weights {model.weights!r} cannot be downloaded "
                f"({first_sentence(error)}); try where there is a network, or give a file with "
                f"model.weights, or model.weights {NO_WEIGHTS} for random ones"
            )
        else:
            message = (
                f"the encoder {name!r} with weights {model.weights!r} cannot be built for images "
                f"of {size} x {size} pixels: {first_sentence(error)}"
            )
        raise InputError(message) from error


def _is_of_network(error: BaseException) -> bool:
    kinds = {kind.__name__ for kind in type(error).__mro__}
    said = "URL fetch failure" in str(error)
    return said or not kinds.isdisjoint({"ConnectionError", "URLError", "HTTPError", "Timeout"})
