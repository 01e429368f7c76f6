"""A Keras model computed with other values of its weights, as served graphs need it."""

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import keras
import tensorflow as tf

_CONVOLUTIONS = (keras.layers.Conv1D, keras.layers.Conv2D, keras.layers.Conv3D)


def outputs_with(
    network: keras.Model,
    values: Mapping[int, tf.Tensor],
    images: tf.Tensor,
    replaced: Mapping[tuple[Any, str], Any] | None = None,
) -> Any:
    """Outputs of a model at inference, with other values in place of its weights.

    What is traced runs wherever TensorFlow runs, also where XLA is not
    compiled in or is switched off, as it is in TF Serving: functions that ask
    for XLA become plain ones, and grouped convolutions, for which Keras asks
    for XLA, become one convolution for each group.

    Args:
        network: Built `keras.Model`; it stays as it is.
        values: Dict from the id of a `keras.Variable` to a tensor. Other
            variables keep their values.
        images: Float32 [n, S, S, C].
        replaced: Dict from (layer, name) to what stands in place of this
            attribute meanwhile, or None.

    Returns:
        What `network` returns.
    """
    trainable, state = (
        [values.get(id(variable), variable.value) for variable in variables]
        for variables in (network.trainable_variables, network.non_trainable_variables)
    )
    grouped = {
        (layer, "convolution_op"): _convolution_by_groups(layer)
        for layer in network._flatten_layers(include_self=False)
        if isinstance(layer, _CONVOLUTIONS) and layer.groups > 1
    }
    with contextlib.ExitStack() as stack:
        stack.enter_context(attributes_replaced({**grouped, **(replaced or {})}))
        stack.enter_context(functions_traced_anew())
        stack.enter_context(tf.name_scope("encoder"))  # below a name layers may be called _any
        outputs, _ = network.stateless_call(trainable, state, images, training=False)
    return outputs


@contextlib.contextmanager
def attributes_replaced(replaced: Mapping[tuple[Any, str], Any]) -> Iterator[None]:
    """While it lasts, objects have other attributes, which hide those of their classes.

    Args:
        replaced: Dict from (object, name) to the attribute.
    """
    for (owner, name), attribute in replaced.items():
        vars(owner)[name] = attribute
    try:
        yield
    finally:
        for owner, name in replaced:
            del vars(owner)[name]


@contextlib.contextmanager
def functions_traced_anew() -> Iterator[None]:
    """While it lasts, every `tf.function` called in this thread is traced anew, without XLA.

    A `tf.function` keeps its graphs, and these the tensors that its code has
    read. With weights that are tensors of another graph it would fail, and
    later, with the model's own weights, go on with the wrong ones.
    """
    kind = type(tf.function(lambda: None))
    own, thread = kind.__call__, threading.get_ident()

    def call(function: Any, *args: Any, **kwargs: Any) -> Any:
        if threading.get_ident() == thread:
            function = tf.function(function.python_function)
        return own(function, *args, **kwargs)

    kind.__call__ = call
    try:
        yield
    finally:
        kind.__call__ = own


def _convolution_by_groups(
    layer: keras.layers.Layer,
) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
    """In place of the `convolution_op` of a layer with several groups."""
    own, last = layer.convolution_op, layer.data_format == "channels_last"
    channels = -1 if last else 1

    def convolve(inputs: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        depthwise = inputs.shape[channels] == layer.groups and len(set(layer.strides)) == 1
        if isinstance(layer, keras.layers.Conv2D) and depthwise:
            return keras.ops.depthwise_conv(
                inputs,
                keras.ops.reshape(kernel, (*kernel.shape[:2], layer.groups, -1)),
                strides=layer.strides[0],
                padding=layer.padding,
                data_format=layer.data_format,
                dilation_rate=layer.dilation_rate,
            )
        parts = zip(
            keras.ops.split(inputs, layer.groups, axis=channels),
            keras.ops.split(kernel, layer.groups, axis=-1),
            strict=True,
        )
        return keras.ops.concatenate([own(x, part) for x, part in parts], axis=channels)

    return convolve
