"""Some variables at a multiple of the rate, against optimizers of their own for them."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tf_scl
from tf_scl.optimizers.by_name import build_optimizer
from tf_scl.optimizers.part_rate import multiply_rate

_FACTOR = 0.1
_SHAPES = [(3, 2), (2,), (4, 3)]
_SLOWER = (0, 2)  # places of the variables that the factor is for


def _optimizer(kind, factor=1.0):
    train = tf_scl.Config().replace({"train": {"optimizer": kind, "weight_decay": 0.02}}).train
    # A rate that changes: what the velocity holds of earlier ones then counts.
    rate = keras.optimizers.schedules.PiecewiseConstantDecay([1], [0.5 * factor, 0.05 * factor])
    return build_optimizer(train, rate)


def _variables():
    rng = np.random.default_rng(0)
    return [keras.Variable(rng.normal(size=shape).astype(np.float32)) for shape in _SHAPES]


def _gradients(step):
    rng = np.random.default_rng(10 + step)
    return [tf.constant(rng.normal(size=shape), tf.float32) for shape in _SHAPES]


def _steps(optimizer, variables, places=(0, 1, 2)):
    variables = [variables[place] for place in places]
    optimizer.build(variables)
    for step in range(4):
        gradients = [_gradients(step)[place] for place in places]
        tf.function(lambda: optimizer.apply(gradients, variables))()  # noqa: B023
    return [np.asarray(variable) for variable in variables]


@pytest.mark.parametrize("kind", ["sgd", "lars", "lamb", "adamw"])
def test_a_part_moves_as_under_an_optimizer_of_its_own(kind):
    optimizer, variables = _optimizer(kind), _variables()
    multiply_rate(optimizer, lambda: [variables[place] for place in _SLOWER], 0.7)
    multiply_rate(optimizer, lambda: [variables[place] for place in _SLOWER], _FACTOR)
    found = _steps(optimizer, variables)
    slower = _steps(_optimizer(kind, _FACTOR), _variables(), _SLOWER)
    for place, expected in zip(_SLOWER, slower, strict=True):
        np.testing.assert_allclose(found[place], expected, rtol=1e-5, atol=1e-6)
        assert np.abs(expected - np.asarray(_variables()[place])).max() > 1e-4
    (expected,) = _steps(_optimizer(kind), _variables(), [1])
    np.testing.assert_allclose(found[1], expected, rtol=1e-6)
