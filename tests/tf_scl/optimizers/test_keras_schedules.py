"""Keras's schedule is enough: warm-up and cosine, and it survives saving."""

import inspect
import json
import math

import keras
import numpy as np
import pytest

import tf_scl

ARGUMENTS = {
    "initial_learning_rate": 0.25,
    "decay_steps": 6,
    "alpha": 0.1,
    "name": "mine",
    "warmup_target": 2.0,
    "warmup_steps": 4,
}


def _by_hand(step, initial_learning_rate, decay_steps, alpha, warmup_target, warmup_steps, name):
    if step < warmup_steps:
        share = step / warmup_steps
        return initial_learning_rate + share * (warmup_target - initial_learning_rate)
    share = min(1.0, (step - warmup_steps) / decay_steps)
    cosine = 0.5 * (1 + math.cos(math.pi * share))
    return warmup_target * ((1 - alpha) * cosine + alpha)


def test_every_argument_is_tested():
    parameters = inspect.signature(keras.optimizers.schedules.CosineDecay).parameters
    assert list(parameters) == list(ARGUMENTS)
    assert not any(ARGUMENTS[name] == p.default for name, p in parameters.items())


@pytest.mark.parametrize("optimizer", [None, keras.optimizers.SGD, tf_scl.L2SGD, tf_scl.LARS])
def test_warm_up_and_cosine_survive_serialization(optimizer):
    """Alone, and as the learning rate of an optimizer; through JSON, as in a `.keras` file."""
    schedule = keras.optimizers.schedules.CosineDecay(**ARGUMENTS)
    kind = keras.optimizers if optimizer else keras.optimizers.schedules
    saved = json.dumps(kind.serialize(optimizer(schedule) if optimizer else schedule))
    copy = kind.deserialize(json.loads(saved))
    copy = copy._learning_rate if optimizer else copy
    assert copy.get_config() == ARGUMENTS
    for step in range(13):
        np.testing.assert_allclose(copy(step), _by_hand(step, **ARGUMENTS), rtol=1e-6)
