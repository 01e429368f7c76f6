import keras
import numpy as np
import pytest
import tensorflow as tf

import tf_scl
from tf_scl import time_budget


class _Clock:
    """Gives the ends of steps that last so long; what comes after these, the last of them."""

    def __init__(self, *durations):
        self.durations, self.calls, self.now = durations, 0, 1000.0

    def __call__(self):
        self.now += self.durations[min(self.calls, len(self.durations) - 1)]
        self.calls += 1
        return self.now


@pytest.mark.parametrize(
    "durations, timed, mean",
    [
        pytest.param([90.0, 7.0, 0.25], 10, 0.25, id="ten steps"),
        pytest.param([90.0, 7.0, 1 / 32], 32, 1 / 32, id="short ones, for a second"),
        pytest.param([90.0, 7.0, 1.25], 4, 1.25, id="long ones, for five seconds"),
        pytest.param([90.0, 7.0, 60.0], 1, 60.0, id="one at least"),
        pytest.param([90.0, 7.0, 1.0, 2.0, 3.0], 3, 2.0, id="the mean"),
    ],
)
def test_steps_are_timed_after_the_first_two(durations, timed, mean):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    data = tf.data.Dataset.from_tensors((np.ones((4, 2)), np.ones((4, 1)))).repeat()
    clock = _Clock(*durations)
    assert time_budget.step_seconds(model, data, 3, clock) == mean  # binary fractions: exact
    assert clock.calls == int(model.optimizer.iterations) == 2 + timed


@pytest.mark.parametrize(
    "minutes, seconds, steps, epochs",
    [(3, 0.25, 15, 48), (1, 0.5, 40, 3), (1, 0.5, 41, 2), (0.5, 30, 1, 1), (60, 2.0, 1000, 1)],
)
def test_as_many_epochs_as_fit(minutes, seconds, steps, epochs):
    assert time_budget.epochs_within(minutes, seconds, steps) == epochs


def test_minutes_too_few_for_an_epoch_are_refused():
    with pytest.raises(tf_scl.InputError) as raised:
        time_budget.epochs_within(0.5, 0.2134, 200)
    assert str(raised.value).startswith(
        "train.minutes is 0.5, but an epoch takes 43 s (200 steps of 0.21 s); use train.minutes "
        "0.72 or more"
    )


@pytest.mark.parametrize("seconds", np.random.default_rng(0).uniform(0.5, 9000, 20))
def test_the_minutes_that_are_named_suffice_and_are_hardly_more(seconds):
    with pytest.raises(tf_scl.InputError) as raised:
        time_budget.epochs_within(seconds / 61, seconds, 1)
    named = float(str(raised.value).partition("use train.minutes ")[2].split()[0])
    assert time_budget.epochs_within(named, seconds, 1) == 1
    assert named * 60 <= 1.1 * seconds or named == np.ceil(seconds / 60)


def test_the_line_for_the_user():
    line = time_budget.describe(3.0, 0.2104, 57, 15)
    assert line == "a step takes 0.21 s: 57 epochs of 15 steps in 3 minutes"
    line = time_budget.describe(1.0, 59.7, 1, 1)
    assert line == "a step takes 60 s: 1 epoch of 1 step in 1 minute"
