"""What callbacks and the data see of batches that are passed over."""

import types

import pytest

from tf_scl.callbacks.skipped_batches import SkippedBatches, is_skipping


def _model(steps_per_execution=1):
    def train(iterator):
        return {"loss": [next(iterator) for _ in range(steps_per_execution)]}

    return types.SimpleNamespace(train_function=train, steps_per_execution=steps_per_execution)


def _run(model, data, calls):
    """(Whether it was skipped, logs) of each call, as `fit` makes them."""
    iterator = iter(data)
    seen = []
    for _ in range(calls):
        logs = model.train_function(iterator)
        seen.append((is_skipping(model), logs))
    return seen


@pytest.mark.parametrize(("data_resume", "first"), [(False, 2), (True, 0)])
def test_batches_are_passed_over_and_then_trained_on(data_resume, first):
    model = _model()
    SkippedBatches(model, 2, data_resume)
    seen = _run(model, range(9), 4)
    assert seen == [
        *[(True, {})] * 2,
        (False, {"loss": [first]}),
        (False, {"loss": [first + 1]}),
    ]


def test_several_steps_in_a_call():
    model = _model(steps_per_execution=2)
    SkippedBatches(model, 4, data_resume=False)
    assert _run(model, range(9), 3) == [(True, {}), (True, {}), (False, {"loss": [4, 5]})]


def test_the_train_function_is_given_back():
    model = _model()
    train = model.train_function
    skipped = SkippedBatches(model, 1, data_resume=False)
    _run(model, range(9), 1)
    assert is_skipping(model)
    skipped.stop()
    skipped.stop()
    assert model.train_function is train and not is_skipping(model)
