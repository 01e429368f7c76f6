import numpy as np
import pytest
import tensorflow as tf

from tests import reference
from tf_scl.losses import row_norms


def _rows(norms, d=3, dtype="float32"):
    directions = np.random.default_rng(0).normal(size=(len(norms), d))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    return (np.array(norms)[:, None] * directions).astype(dtype)


def _value_and_gradient(function, z, weights):
    z = tf.constant(z)
    with tf.GradientTape() as tape:
        tape.watch(z)
        value = function(z)
        total = tf.reduce_sum(value * tf.cast(weights, value.dtype))
    return value.numpy(), tape.gradient(total, z).numpy()


def _assert_rows_close(found, expected, tolerance):
    """Each row's error beside that row's norm."""
    error = np.linalg.norm(found.astype("float64") - expected, axis=1)
    np.testing.assert_array_less(error, tolerance * np.linalg.norm(expected, axis=1) + 1e-300)


@pytest.mark.parametrize("mu", [3e-6, 0.3, 1.0, 10.0, 1e6])
@pytest.mark.parametrize("jit", [False, True])
def test_clips_rows_of_any_norm_as_float64_does(mu, jit):
    z = _rows([1e-20, 1e-3, 0.1, 0.7, 1.5, 40.0, 1e10, 1e19, 3e19, 1e24, 1e26], d=5)
    weights = np.random.default_rng(1).normal(size=z.shape)

    def plain(z):  # by automatic differentiation, in float64
        norms = tf.norm(z, axis=1, keepdims=True)
        return tf.where(norms < mu**0.5, z, mu**0.5 * z / norms)

    truth = _value_and_gradient(plain, z.astype("float64"), weights)
    clip = tf.function(lambda z: row_norms.clip(z, mu)[0], jit_compile=jit)
    for found, expected in zip(_value_and_gradient(clip, z, weights), truth, strict=True):
        _assert_rows_close(found, expected, 1e-5)
    reached = np.linalg.norm(z.astype("float64"), axis=1) >= mu**0.5
    assert float(row_norms.clip(z, mu)[1]) == reached.sum()


def test_norms_up_to_1e30():
    z = _rows([1e28, 1e29, 9.9e29, 1e30], d=300)
    a, _ = row_norms.clip(z, 1.0)
    np.testing.assert_allclose(a, reference.clip_norm(z, 1.0), rtol=1e-5)


def test_wide_rows_are_measured_whole():
    """Equal entries of 8,192 columns, each small beside the norm."""
    z = np.full((2, 8192), 8192**-0.5, np.float32) * np.array([[0.999], [1.001]], np.float32)
    a, over = row_norms.clip(z, 1.0)
    np.testing.assert_allclose(np.linalg.norm(a, axis=1), [0.999, 1.0], rtol=1e-6)
    assert float(over) == 1


@pytest.mark.parametrize("row", [[3e38, 0.0], [np.inf, 1.0], [np.nan, 1.0], [3e33, 3e33]])
def test_what_cannot_be_clipped_is_nan(row):
    a, _ = row_norms.clip(tf.constant([row, [0.5, 0.5]]), 1.0)
    assert np.isnan(a[0]).all()
    np.testing.assert_array_equal(a[1], [0.5, 0.5])


@pytest.mark.parametrize("mu,row", [(25.0, [3.0, 4.0]), (2.0, [1.0, -1.0]), (1.0, [0.0, 1.0])])
def test_a_row_that_reaches_the_root_is_clipped(mu, row):
    """Its value stays, and its gradient has no part along it."""
    value, gradient = _value_and_gradient(
        lambda z: row_norms.clip(z, mu)[0], np.array([row], np.float32), [[1.0, 0.0]]
    )
    np.testing.assert_array_equal(value, [row])
    unit = np.array(row) / np.linalg.norm(row)
    np.testing.assert_allclose(gradient[0], [1, 0] - unit[0] * unit, rtol=1e-6, atol=1e-7)
    assert float(row_norms.clip(np.array([row], np.float32), mu)[1]) == 1


@pytest.mark.parametrize("jit", [False, True])
def test_normalizes_rows_of_any_norm_as_float64_does(jit):
    z = _rows([1e-30, 1e-20, 1e-7, 1e-3, 1.0, 1e5, 1e10, 1e13, 1e19, 1e25, 1e30, 2e38], d=4)
    weights = np.random.default_rng(1).normal(size=z.shape)
    truth = _value_and_gradient(
        lambda z: z / tf.norm(z, axis=1, keepdims=True), z.astype("float64"), weights
    )
    normalize = tf.function(row_norms.normalize, jit_compile=jit)
    value, gradient = _value_and_gradient(normalize, z, weights)
    _assert_rows_close(value, truth[0], 1e-6)
    _assert_rows_close(gradient[:-1], truth[1][:-1], 1e-5)  # the last is below float32's range
    assert np.isfinite(gradient).all()


def test_a_row_of_zeros_stays_and_has_no_gradient():
    z = np.array([[0.0, 0.0], [3.0, 4.0]], np.float32)
    value, gradient = _value_and_gradient(row_norms.normalize, z, np.ones((2, 2)))
    np.testing.assert_allclose(value, [[0, 0], [0.6, 0.8]], rtol=1e-6)
    np.testing.assert_array_equal(gradient[0], [0, 0])


@pytest.mark.parametrize("value", [np.inf, np.nan])
def test_what_has_no_direction_is_nan(value):
    u = row_norms.normalize(tf.constant([[value, 1.0], [0.0, 2.0]]))
    assert np.isnan(u[0]).any()
    np.testing.assert_array_equal(u[1], [0, 1])
