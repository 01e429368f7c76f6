"""Batch normalisation folded into the layer before it, for serving.

At inference a normalisation is linear, and so is what it normalises:

    gamma (conv(x, K) + b - mean) / sqrt(var + epsilon) + beta = conv(x, K s) + offset,
    s = gamma / sqrt(var + epsilon),   offset = beta + (b - mean) s

(Jacob et al., CVPR 2018, arXiv 1712.05877, section 3.2, equation 14.) A
convolution with an offset, and the ReLU after it, is one kernel on processors.
TensorFlow does this by itself where weights are constants, but those of a
SavedModel are variables.
"""

import contextlib
import dataclasses

import keras
import numpy as np
import tensorflow as tf

from tf_scl.encoders.convolution import Conv2D
from tf_scl.models.dense import Dense
from tf_scl.normalization import BatchNormalization

# Exactly these: a subclass may compute something else with its kernel.
_LINEAR = (
    keras.layers.Conv2D,
    Conv2D,
    keras.layers.DepthwiseConv2D,
    keras.layers.Dense,
    Dense,
)
_NORMALIZATIONS = (keras.layers.BatchNormalization, BatchNormalization)


@dataclasses.dataclass(frozen=True)
class Fold:
    """A layer that a batch normalisation follows, and both as one layer."""

    linear: keras.layers.Layer
    normalization: keras.layers.Layer
    kernel: np.ndarray  # float32, of the shape of the layer's own
    offset: np.ndarray  # float32 [C]


def find_folds(network):
    """The normalisations of a network that can be folded, each with its layer.

    Those whose input is, in float32, all that a convolution or a dense layer
    gives, and is given to nothing else; whether they are layers of the network
    or inside one of them.

    Args:
        network: Built `keras.Model` with input [N, S, S, C].

    Returns:
        List of `Fold`. Weights of the network stay as they are.
    """
    calls = {}  # id of a layer -> [(layer, input, output), ...]

    def recording(layer):
        own = layer.call

        def call(inputs, *args, **kwargs):
            outputs = own(inputs, *args, **kwargs)
            calls.setdefault(id(layer), []).append((layer, inputs, outputs))
            return outputs

        return call

    kinds = _LINEAR + _NORMALIZATIONS
    layers = network._flatten_layers(include_self=False)
    replaced = {layer: recording(layer) for layer in layers if type(layer) in kinds}
    images = tf.TensorSpec(network.input_shape, tf.float32)
    with calls_replaced(replaced):
        traced = tf.function(lambda x: network(x, training=False), autograph=False)
        graph = traced.get_concrete_function(images).graph  # its tensors live as long as it does
    once = [made[0] for made in calls.values() if len(made) == 1]
    linear = {y.ref(): layer for layer, x, y in once if _can_take_an_offset(layer, x, y)}
    folds = [
        _fold(linear[x.ref()], layer)
        for layer, x, y in once
        if x.ref() in linear and _is_for_each_channel(layer, x, y) and len(x.consumers()) == 1
    ]
    del graph
    return folds


def _can_take_an_offset(layer, inputs, outputs):
    return (
        type(layer) in _LINEAR
        and layer.activation is keras.activations.linear
        and getattr(layer, "data_format", "channels_last") == "channels_last"
        and isinstance(layer.kernel, keras.Variable)  # and not that with LoRA's product
        and inputs.dtype == outputs.dtype == layer.kernel.dtype == tf.float32
    )


def _is_for_each_channel(layer, inputs, outputs):
    return (
        type(layer) in _NORMALIZATIONS
        and layer.axis in (-1, inputs.shape.rank - 1)
        and outputs.dtype == tf.float32
    )


def _fold(linear, normalization):
    def exact(variable, otherwise=None):
        return otherwise if variable is None else np.asarray(variable, np.float64)

    variance = exact(normalization.moving_variance) + normalization.epsilon
    scale = exact(normalization.gamma, 1.0) / np.sqrt(variance)
    centre = exact(normalization.moving_mean) - exact(linear.bias, 0.0)
    offset = exact(normalization.beta, 0.0) - centre * scale
    kernel = exact(linear.kernel)
    if isinstance(linear, keras.layers.DepthwiseConv2D):
        scale = scale.reshape(kernel.shape[2:])  # [C, multiplier]; elsewhere channels are last
    return Fold(
        linear, normalization, (kernel * scale).astype(np.float32), offset.astype(np.float32)
    )


@contextlib.contextmanager
def calls_replaced(calls):
    """While it lasts, layers compute something else.

    Args:
        calls: Dict from `keras.layers.Layer` to a function in place of its
            `call`.
    """
    for layer, call in calls.items():
        vars(layer)["call"] = call  # hides the method of the class
    try:
        yield
    finally:
        for layer in calls:
            del vars(layer)["call"]
