import keras
import numpy as np
import pytest
import tensorflow as tf

from tf_scl.encoders.convolution import Conv2D
from tf_scl.models.dense import Dense
from tf_scl.normalization import BatchNormalization
from tf_scl.serving.folding import find_folds
from tf_scl.serving.network import ExportedWeights

SIZE = 6


def _images():
    return np.random.default_rng(1).normal(0, 1, (5, SIZE, SIZE, 4)).astype(np.float32)


def _randomized(network):
    generator = np.random.default_rng(2)
    for variable in network.variables:
        low = 0.2 if "variance" in variable.name else -1.0
        variable.assign(generator.uniform(low, 1.5, variable.shape))
    return network


def _of(*layers):
    pooled = keras.layers.GlobalAveragePooling2D()
    return _randomized(keras.Sequential([keras.Input((SIZE, SIZE, 4)), *layers, pooled]))


def _assert_computes_the_same(network):
    expected = network(_images(), training=False)
    stored = ExportedWeights(network, "float32")
    np.testing.assert_allclose(stored.bind()(_images()), expected, rtol=1e-5, atol=1e-5)
    return stored


def test_kernel_and_offset_are_those_of_the_equation():
    network = _of(keras.layers.Conv2D(3, 3), keras.layers.BatchNormalization(epsilon=0.5))
    (fold,) = find_folds(network)
    kernel, bias, gamma, beta, mean, variance = (
        np.float64(weight) for weight in network.get_weights()
    )
    s = gamma / np.sqrt(variance + 0.5)
    np.testing.assert_allclose(fold.kernel, kernel * s, rtol=1e-6)
    np.testing.assert_allclose(fold.offset, beta + (bias - mean) * s, rtol=1e-5)


@pytest.mark.parametrize(
    "layer",
    [
        Conv2D(3, 3, use_bias=False),
        keras.layers.Conv2D(6, 3, strides=2, groups=2, padding="same"),
        keras.layers.DepthwiseConv2D(3, depth_multiplier=2, use_bias=False),
        keras.layers.DepthwiseConv2D(3, depth_multiplier=2),
        keras.layers.Dense(3, use_bias=False),
        keras.layers.Dense(3),
        Dense(3),
    ],
    ids=lambda layer: f"{type(layer).__name__}-{layer.use_bias}",
)
@pytest.mark.parametrize(
    "arguments", [{}, {"scale": False}, {"center": False}], ids=["both", "no gamma", "no beta"]
)
def test_every_linear_layer_is_folded(layer, arguments):
    network = _of(layer.__class__.from_config(layer.get_config()), BatchNormalization(**arguments))
    assert len(find_folds(network)) == 1
    assert len(_assert_computes_the_same(network).module.variables) == 2


def test_also_inside_models_and_layers_of_the_users_own():
    @keras.saving.register_keras_serializable("test_folding")
    class Block(keras.layers.Layer):
        def __init__(self):
            super().__init__()
            self.convolution = keras.layers.Conv2D(4, 3, padding="same")
            self.normalization = keras.layers.BatchNormalization()

        def call(self, inputs, training=None):
            y = self.normalization(self.convolution(inputs), training=training)
            return keras.ops.relu(y) + inputs

    inner = keras.Sequential()  # layer by layer, so that Keras builds it again and again
    for layer in (keras.Input((SIZE, SIZE, 4)), Conv2D(4, 1), BatchNormalization()):
        inner.add(layer)
    network = _of(Block(), inner)
    assert len(find_folds(network)) == 2
    _assert_computes_the_same(network)


class _Doubled(keras.layers.Conv2D):
    def call(self, inputs):
        return 2 * super().call(inputs)


def _tapped(images):
    y = Conv2D(3, 3)(images)
    return keras.layers.Add()([BatchNormalization()(y), y])


def _called_twice(images):
    layer = Conv2D(4, 3, padding="same")
    return BatchNormalization()(layer(layer(images)))


def _normalized_twice(images):
    layer = BatchNormalization()
    return layer(Conv2D(4, 3)(layer(images)))


class _Dense(keras.layers.Layer):
    """Dense and normalization, whose weights subclasses read for something else too."""

    def build(self, shape):
        self.dense, self.other = keras.layers.Dense(4), keras.layers.Dense(4)
        self.normalization = BatchNormalization()
        for layer in (self.dense, self.other, self.normalization):
            layer.build(shape)

    def call(self, inputs):
        return self.normalization(self.dense(inputs))


class _Tied(_Dense):
    def call(self, inputs):
        return keras.ops.matmul(super().call(inputs), keras.ops.transpose(self.dense.kernel))


class _SharedKernel(_Dense):
    def build(self, shape):
        super().build(shape)
        self.other._tracker.unlock()
        self.other._kernel = self.dense.kernel
        self.other._tracker.lock()

    def call(self, inputs):
        return super().call(inputs) + self.other(inputs)


class _BiasElsewhere(_Dense):
    def call(self, inputs):
        return super().call(inputs) * self.dense.bias


class _GammaElsewhere(_Dense):
    def call(self, inputs):
        return super().call(inputs) * self.normalization.gamma


class _StatisticsElsewhere(_Dense):
    def call(self, inputs):
        return super().call(inputs) - self.normalization.moving_mean


class _InACondition(_Dense):
    def call(self, inputs):
        y = super().call(inputs)
        return keras.ops.cond(
            keras.ops.sum(y) > 1e9, lambda: y, lambda: keras.ops.matmul(y, self.dense.kernel)
        )


class _Unused(_Dense):
    def call(self, inputs):
        y = self.dense(inputs)
        self.normalization(y)
        return y


class _InFunction(_Dense):
    @tf.function
    def call(self, inputs):
        return self.normalization(self.dense(inputs))


class _WithLora(_Dense):
    def build(self, shape):
        super().build(shape)
        self.dense.enable_lora(2)


def _float8(images):
    return BatchNormalization()(keras.layers.Dense(4, dtype="float8_from_float32")(images))


_ELSEWHERE = [
    _Tied,
    _SharedKernel,
    _BiasElsewhere,
    _GammaElsewhere,
    _StatisticsElsewhere,
    _InACondition,
    _Unused,
    _InFunction,
    _WithLora,
]


@pytest.mark.parametrize(
    "build",
    [
        *(lambda x, kind=kind: kind()(x) for kind in _ELSEWHERE),
        _float8,
        _tapped,
        _called_twice,
        _normalized_twice,
        lambda x: BatchNormalization()(_Doubled(3, 3)(x)),
        lambda x: BatchNormalization()(Conv2D(3, 3, activation="relu")(x)),
        lambda x: BatchNormalization(axis=1)(Conv2D(3, 3)(x)),
        lambda x: Conv2D(3, 3)(BatchNormalization()(x)),
        lambda x: BatchNormalization(dtype="mixed_bfloat16")(Conv2D(3, 3, dtype="bfloat16")(x)),
    ],
    ids=[kind.__name__ for kind in _ELSEWHERE]
    + "float8 tapped twice normalized_twice subclass relu axis before half".split(),
)
def test_what_is_not_linear_and_its_own_is_left(build):
    """Also where the weights of either layer are read by anything else."""
    images = keras.Input((SIZE, SIZE, 4))
    pooled = keras.layers.GlobalAveragePooling2D(dtype="float32")(build(images))
    network = _randomized(keras.Model(images, pooled))
    assert not find_folds(network)
    _assert_computes_the_same(network)


def test_the_network_stays_as_it_was():
    network = _of(Conv2D(3, 3), BatchNormalization())
    before, weights = network(_images(), training=False), network.get_weights()
    ExportedWeights(network, "float32").bind()(_images())
    np.testing.assert_array_equal(network(_images(), training=False), before)
    for now, then in zip(network.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(now, then)
    assert not any("call" in vars(layer) for layer in network.layers)
    trained = network(_images(), training=True)
    assert np.abs(tf.reduce_mean(trained, 0) - tf.reduce_mean(before, 0)).max() > 1e-3
