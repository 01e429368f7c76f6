import keras
import numpy as np
import pytest
import tensorflow as tf

from tf_scl.encoders.convolution import Conv2D


@pytest.mark.parametrize("size", [1, 3, 4, 6])
@pytest.mark.parametrize("jit", [False, True])
def test_equals_the_float64_convolution(size, jit):
    """In bfloat16, on maps of either side of the limit: a product of nine taps each."""
    rng = np.random.default_rng(size)
    # Numbers that bfloat16 holds exactly, so that only sums are rounded.
    x, dy = (rng.integers(-4, 5, (2, size, size, c)) / 4.0 for c in (3, 5))
    kernel = rng.integers(-4, 5, (3, 3, 3, 5)) / 4.0
    layer = Conv2D(5, 3, padding="same", use_bias=False, dtype="mixed_bfloat16")
    layer.build((None, size, size, 3))
    layer.kernel.assign(kernel)
    y, dx, dkernel = tf.function(lambda: _results(layer, x, dy), jit_compile=jit)()
    padded = np.pad(x, [(0, 0), (1, 1), (1, 1), (0, 0)])
    expected_y, expected_dx = np.zeros_like(dy), np.zeros_like(padded)
    expected_dkernel = np.zeros_like(kernel)
    for i in range(3):
        for j in range(3):
            tap = padded[:, i : i + size, j : j + size]
            expected_y += tap @ kernel[i, j]
            expected_dx[:, i : i + size, j : j + size] += dy @ kernel[i, j].T
            expected_dkernel[i, j] = np.einsum("nhwc,nhwd->cd", tap, dy)
    for found, expected in (
        (y, expected_y),
        (dx, expected_dx[:, 1:-1, 1:-1]),
        (dkernel, expected_dkernel),
    ):
        np.testing.assert_allclose(found, expected, rtol=2**-7, atol=2**-6)


def _results(layer, x, dy):
    """(y, dx, dkernel) as float64."""
    x, dy = tf.cast(x, tf.bfloat16), tf.cast(dy, tf.bfloat16)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = layer(x)
    gradients = tape.gradient(y, [x, layer.kernel.value], output_gradients=dy)
    return [tf.cast(result, tf.float64) for result in (y, *gradients)]


@pytest.mark.parametrize(
    "options", [{"strides": 2}, {"use_bias": True}, {"activation": "relu"}, {"dilation_rate": 2}]
)
def test_anything_else_is_keras_layer(options):
    keras.utils.set_random_seed(0)
    options = {"padding": "same", "use_bias": False, "dtype": "mixed_bfloat16", **options}
    ours, theirs = Conv2D(5, 3, **options), keras.layers.Conv2D(5, 3, **options)
    x = tf.random.normal([2, 4, 4, 3])
    ours(x), theirs(x)
    ours.set_weights(theirs.get_weights())
    np.testing.assert_array_equal(ours(x), theirs(x))
