"""Batch normalization folded into the layer before it, for serving.

At inference a normalization is linear, and so is what it normalizes:

    gamma (conv(x, K) + b - mean) / sqrt(var + epsilon) + beta = conv(x, K s) + offset,
    s = gamma / sqrt(var + epsilon),   offset = beta + (b - mean) s

(Jacob et al., CVPR 2018, arXiv 1712.05877, section 3.2, equation 14.) A
convolution with an offset, and the ReLU after it, is one kernel on processors.
TensorFlow does this by itself where weights are constants, but those of a
SavedModel are variables.

What can be folded is read from a traced graph, and not made by
`keras.models.clone_model`, since a clone (tried with Keras 3.4.1 to 3.15.1)

- does not reach into layers that are no models, such as a residual block of
  the user's own, and into models inside models only since Keras 3.14 (pull
  request 22276);
- cannot tell whether a kernel is read elsewhere, and parts a layer from
  another whose weights it reads;
- adds calls to the layers that it shares with the network, which has to stay
  as it was; and takes a `call_function` of functional models alone.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tf_scl.encoders.convolution import Conv2D
from tf_scl.models.dense import Dense
from tf_scl.normalization import BatchNormalization
from tf_scl.serving.tracing import outputs_with
from tf_scl.typing import Array

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
    """A layer that a batch normalization follows, and both as one layer."""

    linear: keras.layers.Layer
    normalization: keras.layers.Layer
    kernel: Array  # float32, of the shape of the layer's own
    offset: Array  # float32 [C]


@dataclasses.dataclass(frozen=True)
class _Call:
    """A call of a layer in a graph, and the operations in it that read the layer's weights."""

    layer: keras.layers.Layer
    inputs: tf.Tensor
    outputs: tf.Tensor
    readers: set[str]


def find_folds(network: keras.Model) -> list[Fold]:
    """The normalizations of a network that can be folded, each with its layer.

    Those whose input is, in float32, all that a convolution or a dense layer
    gives, and is given to nothing else; whether they are layers of the network
    or inside one of them. Nothing else may read the weights of either: they
    change, or are gone.

    Args:
        network: Built `keras.Model` with input [N, S, S, C].

    Returns:
        List of `Fold`. Weights of the network stay as they are.
    """
    calls, readers_of, graph = _calls(network)
    once = [made[0] for made in calls.values() if len(made) == 1]
    own = [call for call in once if readers_of(call.layer) == call.readers]
    linear = {call.outputs.ref(): call.layer for call in own if _can_take_an_offset(call)}
    folds = [
        _fold(linear[call.inputs.ref()], call.layer)
        for call in own
        if call.inputs.ref() in linear
        and _is_for_each_channel(call)
        and len(call.inputs.consumers()) == 1
    ]
    del graph
    return folds


def _calls(
    network: keras.Model,
) -> tuple[dict[int, list[_Call]], Callable[[keras.layers.Layer], set[str]], tf.Graph]:
    """Calls in a graph of the network with its weights as inputs.

    Returns:
        Dict from the id of a layer to its calls, a function that gives the
        names of all operations that read a layer's weights, and the graph,
        whose tensors live as long as it does.
    """
    calls: dict[int, list[_Call]] = {}
    inputs: dict[int, tf.Tensor] = {}  # by the id of a weight

    def readers_of(layer: keras.layers.Layer) -> set[str]:
        read = [inputs[id(weight)] for weight in layer.variables if id(weight) in inputs]
        return {operation.name for tensor in read for operation in tensor.consumers()}

    def recording(layer: keras.layers.Layer) -> Callable[..., tf.Tensor]:
        own = layer.call

        def call(x: tf.Tensor, *args: Any, **kwargs: Any) -> tf.Tensor:
            before = readers_of(layer)
            y = own(x, *args, **kwargs)
            made = _Call(layer, x, y, readers_of(layer) - before)
            calls.setdefault(id(layer), []).append(made)
            return y

        return call

    def traced(images: tf.Tensor, weights: list[tf.Tensor]) -> tf.Tensor:
        inputs.update({id(variable): w for variable, w in zip(variables, weights, strict=True)})
        layers = network._flatten_layers(include_self=False)
        kinds = _LINEAR + _NORMALIZATIONS
        replaced = {(layer, "call"): recording(layer) for layer in layers if type(layer) in kinds}
        return tf.identity(outputs_with(network, inputs, images, replaced))

    variables = network.variables
    graph = (
        tf.function(traced, autograph=False)
        .get_concrete_function(
            tf.TensorSpec(network.input_shape, tf.float32),
            [tf.TensorSpec(variable.shape, variable.dtype) for variable in variables],
        )
        .graph
    )
    return calls, readers_of, graph


def _can_take_an_offset(call: _Call) -> bool:
    layer = call.layer
    return (
        type(layer) in _LINEAR
        and layer.activation is keras.activations.linear
        and getattr(layer, "data_format", "channels_last") == "channels_last"
        and isinstance(layer.kernel, keras.Variable)  # and not that with LoRA's product
        and call.inputs.dtype == call.outputs.dtype == layer.kernel.dtype == tf.float32
    )


def _is_for_each_channel(call: _Call) -> bool:
    return (
        type(call.layer) in _NORMALIZATIONS
        and call.layer.axis in (-1, call.inputs.shape.rank - 1)
        and call.outputs.dtype == tf.float32
    )


def _fold(linear: keras.layers.Layer, normalization: keras.layers.Layer) -> Fold:
    def exact(variable: Any, otherwise: Any = None) -> Any:
        return otherwise if variable is None else np.asarray(variable, np.float64)

    variance = exact(normalization.moving_variance) + normalization.epsilon
    scale = exact(normalization.gamma, 1.0) / np.sqrt(variance)
    center = exact(normalization.moving_mean) - exact(linear.bias, 0.0)
    offset = exact(normalization.beta, 0.0) - center * scale
    kernel = exact(linear.kernel)
    if isinstance(linear, keras.layers.DepthwiseConv2D):
        scale = scale.reshape(kernel.shape[2:])  # [C, multiplier]; elsewhere channels are last
    return Fold(
        linear, normalization, (kernel * scale).astype(np.float32), offset.astype(np.float32)
    )
