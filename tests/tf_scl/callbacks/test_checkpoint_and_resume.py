import json
import os
import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf

import tf_scl
from tests.conftest import first_fast
from tf_scl import checkpoints
from tf_scl.callbacks.checkpoint_and_resume import CheckpointAndResume

_STEPS = 5  # in an epoch


class _Losses(keras.callbacks.Callback):
    """Keeps the running mean after each step; may stop the run as a crash would."""

    def __init__(self, crash_after=None):
        super().__init__()
        self.means = {}
        self.crash_after = crash_after

    def on_epoch_begin(self, epoch, logs=None):
        self._epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        if not logs:
            return
        self.means[self._epoch * _STEPS + batch] = logs["loss"]
        if len(self.means) == self.crash_after:
            raise KeyboardInterrupt


def _data():
    """The same 5 batches of 8 random pairs of vectors in every epoch."""
    pairs = np.random.default_rng(0).normal(size=(2, 8 * _STEPS, 6)).astype(np.float32)
    return tf.data.Dataset.from_tensor_slices(tuple(pairs)).batch(8)


def _sgd():
    rate = keras.optimizers.schedules.CosineDecay(0.05, 3 * _STEPS)
    return keras.optimizers.SGD(rate, momentum=0.9)


def _fit(model, folder, crash_after=None, epochs=3, data=None, callbacks=(), **kwargs):
    """(history, running means by step); of a run that crashes, (None, means)."""
    losses = _Losses(crash_after)
    saver = CheckpointAndResume(folder, **kwargs)
    try:
        data = _data() if data is None else data
        callbacks = [losses, *callbacks, saver]
        history = model.fit(data, epochs=epochs, verbose=0, callbacks=callbacks)
    except KeyboardInterrupt:
        return None, losses.means
    return history, losses.means


def _state(model):
    variables = [*model.variables, *model.optimizer.variables]
    return [keras.ops.convert_to_numpy(variable) for variable in variables]


def _assert_same_state(one, other):
    for a, b in zip(_state(one), _state(other), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


class _Copies(keras.callbacks.Callback):
    """Copies the folder of checkpoints where a kill after so many steps would leave it."""

    def __init__(self, folder, steps):
        super().__init__()
        self.copies = {step: folder.with_name(f"killed-{step}") for step in steps}
        self.folder, self.made = folder, 0

    def on_train_batch_end(self, batch, logs=None):
        self.made += 1
        if self.made in self.copies:
            shutil.copytree(self.folder, self.copies[self.made])


@pytest.fixture(scope="module")
def whole(pair_model, tmp_path_factory):
    """A run that nothing stopped: (model, history, means, folders by the step of a kill)."""
    model, folder = pair_model(_sgd()), tmp_path_factory.mktemp("whole") / "checkpoints"
    copies = _Copies(folder, [8, 10, 13])
    history, means = _fit(model, folder, callbacks=[copies], every_steps=3)
    return model, history, means, copies.copies


@pytest.mark.parametrize("killed_after", [8, 10, 13])
def test_a_run_that_was_killed_goes_on_as_if_it_had_not(pair_model, whole, killed_after):
    *run, folders = whole
    _check_rest(pair_model(_sgd()), folders[killed_after], killed_after, *run)


@pytest.mark.parametrize(
    "optimizer",
    [
        pytest.param(lambda: keras.optimizers.AdamW(1e-3), id="adamw"),
        pytest.param(lambda: tf_scl.LARS(0.1, momentum=0.9), id="lars", marks=pytest.mark.slow),
    ],
)
def test_so_does_every_optimizer(pair_model, tmp_path, optimizer):
    _check(tmp_path, 8, lambda: pair_model(optimizer()))


@pytest.mark.slow
def test_so_does_a_run_on_two_replicas(pair_model, tmp_path, two_replicas):
    def build():
        with two_replicas.scope():
            return pair_model(_sgd())

    _check(tmp_path, 8, build)


@pytest.mark.parametrize("precision", first_fast(["mixed_float16", "mixed_bfloat16"]))
def test_so_does_mixed_precision(pair_model, tmp_path, precision, one_replica):
    def build():
        before = keras.config.dtype_policy()
        keras.config.set_dtype_policy(precision)
        try:
            with one_replica.scope():
                return pair_model(_sgd())
        finally:
            keras.config.set_dtype_policy(before)

    model = _check(tmp_path, 8, build)
    scaled = isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)
    assert scaled == (precision == "mixed_float16")


def _check(tmp_path, crash_after, build):
    """Compares an uninterrupted run with one that crashes; saves after every 3rd step."""
    whole = build()
    history, means = _fit(whole, tmp_path / "whole", every_steps=3)
    crashed, before = _fit(build(), tmp_path / "crashed", crash_after, every_steps=3)
    assert crashed is None
    for step, mean in before.items():
        assert mean == pytest.approx(means[step], rel=1e-4), step
    return _check_rest(build(), tmp_path / "crashed", crash_after, whole, history, means)


def _check_rest(resumed, folder, crash_after, whole, history, means):
    """Goes on from a folder of checkpoints; compares with the run that nothing stopped."""
    assert sorted(means) == list(range(3 * _STEPS))
    for weight in resumed.trainable_variables:
        weight.assign(weight + 1.0)  # what is restored does not depend on the start
    resumed_history, after = _fit(resumed, folder, every_steps=3)

    # The crash comes before the callback could save that step.
    first = (crash_after - 1) // 3 * 3
    assert sorted(after) == list(range(first, 3 * _STEPS))
    for step, mean in after.items():
        assert mean == pytest.approx(means[step], rel=1e-4), step
    _assert_same_state(resumed, whole)
    assert resumed_history.epoch == history.epoch == [0, 1, 2]
    assert sorted(resumed_history.history) == sorted(history.history)
    for name, values in history.history.items():
        assert resumed_history.history[name] == pytest.approx(values, rel=1e-4, abs=1e-6), name
    return resumed


def test_a_finished_run_is_restored_without_a_step(pair_model, tmp_path):
    model = pair_model(_sgd())
    history, _ = _fit(model, tmp_path, every_steps=4)
    names = [os.path.basename(path) for path in checkpoints.list_checkpoints(str(tmp_path))]
    assert names == ["checkpoint-00000012.npz", "checkpoint-00000015.npz"]
    again = pair_model(_sgd())
    repeated, means = _fit(again, tmp_path, every_steps=4)
    assert means == {}
    assert repeated.history == history.history
    _assert_same_state(again, model)
    longer, means = _fit(again, tmp_path, every_steps=4, epochs=4)
    assert sorted(means) == list(range(15, 20))
    assert len(longer.history["loss"]) == 4


def test_a_plain_keras_model_with_arrays_and_metrics_resumes(tmp_path):
    x = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)

    def fit(folder, crash_after=None):
        keras.utils.set_random_seed(0)
        layers = [keras.Input((3,)), keras.layers.Dropout(0.5, seed=1), keras.layers.Dense(1)]
        model = keras.Sequential(layers)
        model.compile("adam", "mse", metrics=["mae"])
        losses, saver = _Losses(crash_after), CheckpointAndResume(folder, every_steps=3)
        callbacks = [losses, saver]
        try:
            model.fit(x, x[:, :1], 8, epochs=3, shuffle=False, verbose=0, callbacks=callbacks)
        except KeyboardInterrupt:
            return None, None
        return model, losses.means

    whole, means = fit(tmp_path / "whole")
    fit(tmp_path / "crashed", 8)
    resumed, after = fit(tmp_path / "crashed")
    assert sorted(after) == list(range(6, 15))
    _assert_same_state(resumed, whole)
    # Metrics of a model that is built by its first step begin anew in that epoch.
    assert after[14] == pytest.approx(means[14], rel=1e-5)


def test_a_data_set_of_unknown_length(pair_model, tmp_path):
    unknown = _data().filter(lambda *pair: True)
    whole = pair_model(_sgd())
    history, _ = _fit(whole, tmp_path / "whole", every_steps=5, data=unknown)
    # With an unknown end the last step of an epoch is saved before its metrics are final.
    _fit(pair_model(_sgd()), tmp_path / "crashed", 6, every_steps=5, data=unknown)
    progress = checkpoints.load_newest(str(tmp_path / "crashed")).progress
    assert (progress["epoch"], progress["batch"]) == (0, 5)
    resumed = pair_model(_sgd())
    resumed_history, after = _fit(resumed, tmp_path / "crashed", every_steps=5, data=unknown)
    assert sorted(after) == list(range(5, 15))
    _assert_same_state(resumed, whole)
    assert resumed_history.history["loss"] == pytest.approx(history.history["loss"], rel=1e-4)


def test_several_steps_per_execution(pair_model, tmp_path):
    def build():
        model = pair_model(_sgd())
        model.compile(_sgd(), steps_per_execution=2)
        return model

    data = _data().repeat(2).take(6)
    whole = build()
    _fit(whole, tmp_path / "whole", every_steps=2, data=data, epochs=2)
    _fit(build(), tmp_path / "crashed", 5, every_steps=2, data=data, epochs=2)
    progress = checkpoints.load_newest(str(tmp_path / "crashed")).progress
    assert (progress["step"], progress["epoch"], progress["batch"]) == (8, 1, 2)
    resumed = build()
    _fit(resumed, tmp_path / "crashed", every_steps=2, data=data, epochs=2)
    _assert_same_state(resumed, whole)


class _Counter(tf_scl.StatefulCallback):
    """A callback with a state of its own: steps that were made."""

    count = 0

    def on_train_batch_end(self, batch, logs=None):
        self.count += bool(logs)

    def get_state(self):
        return {"count": np.int64(self.count)}

    def set_state(self, state):
        self.count = int(state["count"])


def test_callbacks_are_saved_along_with_the_model(pair_model, tmp_path):
    for crash_after in (8, None):
        counter, losses = _Counter(), _Losses(crash_after)
        saver = CheckpointAndResume(tmp_path, 3, stateful_callbacks=[counter])
        model = pair_model(_sgd())
        try:
            model.fit(_data(), epochs=3, verbose=0, callbacks=[losses, counter, saver])
        except KeyboardInterrupt:
            pass
    assert counter.count == 3 * _STEPS


def test_weights_that_are_not_finite_are_not_saved(pair_model, tmp_path):
    class Spoil(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if batch == 3:
                weight = self.model.trainable_variables[0]
                weight.assign(weight * np.nan)

    model = pair_model(_sgd())
    saver = CheckpointAndResume(tmp_path, 2)
    message = "weights are not finite after step 4 of the run.*checkpoint is .*00000002.npz; train"
    with pytest.raises(tf_scl.InputError, match=message):
        model.fit(_data(), epochs=1, verbose=0, callbacks=[Spoil(), saver])
    assert [os.path.basename(p) for p in os.listdir(tmp_path)] == ["checkpoint-00000002.npz"]


def test_a_run_goes_on_with_another_learning_rate(pair_model, tmp_path):
    """The remedy after a divergence: the checkpoint must not bring the old rate back."""
    _fit(pair_model(keras.optimizers.SGD(0.05, momentum=0.9)), tmp_path, 8, every_steps=3)
    model = pair_model(keras.optimizers.SGD(1e-4, momentum=0.9))
    _fit(model, tmp_path)
    assert float(model.optimizer.learning_rate.numpy()) == pytest.approx(1e-4)


def test_what_does_not_fit_the_checkpoint_is_refused(pair_model, tmp_path):
    _fit(pair_model(_sgd()), tmp_path, 8, every_steps=3, settings={"seed": 1})
    with pytest.raises(tf_scl.InputError, match="seed is 2, but was 1"):
        _fit(pair_model(_sgd()), tmp_path, settings={"seed": 2})
    with pytest.raises(tf_scl.InputError, match="epoch has 4 batches, but had 5 when"):
        _fit(pair_model(_sgd()), tmp_path, settings={"seed": 1}, data=_data().take(4))
    other = keras.optimizers.SGD(0.1)
    with pytest.raises(tf_scl.InputError, match="optimizer has 1 variables and the checkpoint"):
        _fit(pair_model(other), tmp_path, settings={"seed": 1})


def test_arguments_and_models_that_cannot_work(tmp_path):
    for every_steps in (0, 1.5):
        with pytest.raises(tf_scl.InputError, match="every_steps.*at least 1. Received"):
            CheckpointAndResume(tmp_path, every_steps)
    model = keras.Sequential([keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    with pytest.raises(tf_scl.InputError, match="built before `fit`"):
        model.fit(
            np.zeros((4, 2)), np.zeros(4), verbose=0, callbacks=[CheckpointAndResume(tmp_path)]
        )


def test_progress_names_the_versions(pair_model, tmp_path):
    _fit(pair_model(_sgd()), tmp_path, epochs=1)
    progress = checkpoints.load_newest(str(tmp_path)).progress
    assert progress["versions"] == {"tensorflow": tf.__version__, "keras": keras.__version__}
    assert json.dumps(progress)
