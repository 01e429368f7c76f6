import keras
import numpy as np
import pytest
import tensorflow as tf

from tf_scl.serving.tracing import attributes_replaced, functions_traced_anew, outputs_with


def _images(channels=3, size=6):
    return np.random.default_rng(0).normal(0, 1, (2, size, size, channels)).astype(np.float32)


class _InFunction(keras.layers.Layer):  # a name that no graph takes at its root
    """Two weights, read in a `tf.function` that decides by what it computes."""

    def build(self, shape):
        self.scale = self.add_weight(shape=(shape[-1],), initializer="ones")
        self.shift = self.add_weight(shape=(shape[-1],), initializer="zeros")

    @tf.function
    def call(self, inputs):
        outputs = inputs * self.scale
        if tf.reduce_sum(outputs) > -1e9:
            outputs = outputs + self.shift
        return outputs


@tf.function(jit_compile=True)
def _at_module_level(layer, inputs):
    return inputs * layer.scale + layer.shift


class _Helped(_InFunction):
    def call(self, inputs):
        return _at_module_level(self, inputs)


class _Method(_InFunction):
    @tf.function
    def mixed(self, inputs):
        return inputs * self.scale + self.shift

    def call(self, inputs):
        return self.mixed(inputs)


@pytest.mark.parametrize("kind", [_InFunction, _Helped, _Method])
def test_functions_see_other_weights_and_later_their_own_again(kind):
    network = keras.Sequential([keras.Input((6, 6, 3)), kind()])
    images = _images()
    np.testing.assert_allclose(network(images), images)  # keeps a graph
    values = {id(v): tf.constant([2.0, 3.0, 4.0]) for v in network.trainable_variables}

    @tf.function
    def traced(x):
        return outputs_with(network, values, x)

    expected = images * [2, 3, 4] + [2, 3, 4]
    np.testing.assert_allclose(traced(images), expected, rtol=1e-6)
    np.testing.assert_allclose(outputs_with(network, values, images), expected, rtol=1e-6)
    np.testing.assert_allclose(network(images), images)
    network.layers[0].scale.assign([5.0, 5.0, 5.0])
    np.testing.assert_allclose(network(images), 5 * images, rtol=1e-6)
    functions = traced.get_concrete_function(images).graph.as_graph_def().library.function
    assert not any(made.attr["_XlaMustCompile"].b for made in functions)


def _grouped(x, kernel, strides):
    """The sum of its definition in float64, "valid"."""
    rows, columns, depth, filters = kernel.shape
    groups = x.shape[-1] // depth
    height = (x.shape[1] - rows) // strides[0] + 1
    width = (x.shape[2] - columns) // strides[1] + 1
    y = np.zeros((len(x), height, width, filters))
    for f in range(filters):
        first = f // (filters // groups) * depth
        for i in range(height):
            for j in range(width):
                top, left = i * strides[0], j * strides[1]
                part = x[:, top : top + rows, left : left + columns, first : first + depth]
                y[:, i, j, f] = (part * kernel[..., f]).sum((1, 2, 3))
    return y


@pytest.mark.parametrize("groups", [2, 4])
@pytest.mark.parametrize("strides", [(1, 1), (2, 2), (1, 2)])
def test_grouped_convolutions_need_no_xla(groups, strides):
    layer = keras.layers.Conv2D(8, 3, groups=groups, strides=strides, use_bias=False)
    network = keras.Sequential([keras.Input((6, 6, 4)), layer])
    images = _images(4)
    traced = tf.function(lambda x: outputs_with(network, {}, x))
    expected = _grouped(np.float64(images), np.float64(layer.kernel), strides)
    np.testing.assert_allclose(traced(images), expected, rtol=1e-5, atol=1e-5)
    graph = traced.get_concrete_function(images).graph.as_graph_def()
    kinds = [node for node in graph.node if node.op in ("Conv2D", "DepthwiseConv2dNative")]
    assert len(kinds) == (1 if groups == 4 and len(set(strides)) == 1 else groups)
    assert not any("Partitioned" in node.op for node in graph.node)


def test_also_in_one_dimension_and_causal():
    layer = keras.layers.Conv1D(4, 3, groups=2, padding="causal")
    network = keras.Sequential([keras.Input((6, 6, 4)), keras.layers.Reshape((36, 4)), layer])
    np.testing.assert_allclose(
        outputs_with(network, {}, _images(4)), network(_images(4)), rtol=1e-5, atol=1e-6
    )


def test_everything_is_put_back_after_an_error():
    layer, kind = keras.layers.Dense(3), type(tf.function(lambda: None))
    call = kind.__call__
    with pytest.raises(KeyError), functions_traced_anew():
        with attributes_replaced({(layer, "call"): None}):
            raise KeyError
    assert kind.__call__ is call
    assert "call" not in vars(layer)
