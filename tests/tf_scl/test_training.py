import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

import tf_scl
from tests.conftest import TINY_MODEL, encode, first_fast, make_resnet_shallow, photo
from tests.tf_scl.callbacks.test_epoch_summaries import scalars
from tf_scl import checkpoints, distribute, time_budget, training
from tf_scl.data import features
from tf_scl.images.check_image import check_image
from tf_scl.models.methods import METHODS

pytestmark = pytest.mark.usefixtures("shallow_resnet")

_TINY = {
    # Without colors, for they take most of the time of tracing views.
    "augment": {"flip": 0.0, "jitter": 0.0, "grayscale": 0.0},
    "model": TINY_MODEL,
    "train": {"batch_size": 8, "epochs": 2, "warmup_epochs": 1, "base_learning_rate": 0.5},
}


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    path = str(tmp_path_factory.mktemp("training") / "records")
    with tf.io.TFRecordWriter(path) as writer:
        for number in range(20):
            image = check_image(encode(photo(number)), 10**6)
            writer.write(features.encode_example(image, b"", "", number, b"label"))
    return [path]


@pytest.fixture(scope="module")
def trained(records):
    """A plain run on one device, which several tests compare theirs with: (model, history, start).

    Not to be changed; `start` are the weights before the training.
    """
    starts = []
    with pytest.MonkeyPatch.context() as patch:
        make_resnet_shallow(patch)
        model, history = tf_scl.pretrain(records, _config(), _note(starts), verbose=0)
    assert model.distribute_strategy.num_replicas_in_sync == 1
    return model, history, starts[0]


def test_learning_rate_is_warm_up_then_cosine():
    train = tf_scl.Config().replace({"train": {"epochs": 5, "warmup_epochs": 2}}).train
    rate = training.learning_rate(train, steps_per_epoch=10)
    peak = 0.03 * 512 / 256
    for step in range(50):
        if step < 20:
            expected = peak * step / 20
        else:
            expected = peak * 0.5 * (1 + np.cos(np.pi * (step - 20) / 30))
        assert float(rate(step)) == pytest.approx(expected, abs=1e-8)


def test_a_short_run_warms_up_for_half_of_it_and_still_decays():
    train = tf_scl.preset("cifar10").replace({"train": {"epochs": 4}}).train
    rate = training.learning_rate(train, steps_per_epoch=10)
    assert float(rate(20)) == pytest.approx(0.06)
    assert float(rate(40)) == pytest.approx(0.0, abs=1e-8)


def test_learning_rate_without_warm_up_starts_at_the_peak():
    train = tf_scl.preset("imagenet").train
    rate = training.learning_rate(train, steps_per_epoch=10)
    assert float(rate(0)) == pytest.approx(0.05 * 384 / 256)
    assert float(rate(1010)) == pytest.approx(0.0, abs=1e-8)


def test_build_model_follows_the_configuration():
    model = training.build_model(tf_scl.preset("cifar10"))
    assert model.encoder.output_shape == (None, 512)
    assert model.projector.output_shape == (None, 1000)
    assert model.mu == 1.0
    assert (model.augmentation.size, model.augmentation.flip) == (32, 0.5)


@pytest.mark.parametrize("method", ["spectral", "simclr", "simsiam"])
def test_build_model_follows_the_method(method):
    changes = {"model": {"method": method}, "train": {"accumulate": 2}}
    model = training.build_model(_config(**changes))
    assert type(model) is METHODS[method]()
    assert model.accumulate == 2


@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
def test_precision_is_that_of_the_layers_and_of_nothing_else(precision):
    before = keras.config.dtype_policy().name
    model = training.build_model(_config(train={"precision": precision}))
    assert keras.config.dtype_policy().name == before
    assert model.dtype_policy.name == precision
    assert all(layer.compute_dtype == precision[6:] for layer in model.projector.layers)
    assert all(weight.dtype == "float32" for weight in model.weights)


def test_what_is_judged_and_served_computes_in_float32(records):
    seen = []
    config = _config(train={"precision": "mixed_bfloat16", "epochs": 1})
    model, _ = tf_scl.pretrain(records, config, seen.append, verbose=0)
    (untrained,) = seen
    for one in (model, untrained):
        layers = [*one.encoder.layers, *one.projector.layers]
        assert {layer.compute_dtype for layer in layers} == {"float32"}
    kernels = [one.projector.layers[0].get_weights()[0] for one in (untrained, model)]
    assert np.abs(kernels[0] - kernels[1]).max() > 1e-5  # the trained weights came along


def _config(**changes):
    return tf_scl.Config.from_dict(_TINY).replace(changes)


@pytest.mark.parametrize("views_in", first_fast(["step", "input"]))
def test_the_same_training_wherever_views_are_made_and_on_any_replicas(records, trained, views_in):
    config = _config(train={"views_in": views_in, "strategy": "mirrored"})
    model, history = tf_scl.pretrain(records, config, verbose=0)
    assert model.distribute_strategy.num_replicas_in_sync == 2
    for name in ("attraction", "repulsion"):  # the loss is their difference: what rounds is them
        np.testing.assert_allclose(history[name], trained[1][name], rtol=1e-4)
    assert np.isfinite(history["loss"]).all()


def _weights(model):
    return [keras.ops.convert_to_numpy(weight) for weight in model.weights]


def _note(starts):
    return lambda model: starts.append(_weights(model))


def test_pretrain_is_reproducible_and_hands_out_the_untrained_model(records, trained):
    first, _, start = trained
    starts = []
    model, history = tf_scl.pretrain(records, _config(), _note(starts), verbose=0)
    assert {"attraction", "learning_rate", "loss", "repulsion"} <= set(history)
    assert len(history["loss"]) == 2
    runs = [_weights(first), _weights(model)]
    for one, two in zip(*runs, strict=True):
        np.testing.assert_allclose(one, two, atol=1e-5)
    for one, two in zip(start, starts[0], strict=True):
        np.testing.assert_array_equal(one, two)
    assert any(np.abs(a - b).max() > 1e-3 for a, b in zip(runs[0], start, strict=True))


@pytest.mark.slow
def test_xla_compiles_the_step(records, trained):
    plain, _, _ = trained
    compiled, _ = tf_scl.pretrain(records, _config(train={"xla": True}), verbose=0)
    assert (plain.jit_compile, compiled.jit_compile) == (False, True)
    for one, two in zip(_weights(plain), _weights(compiled), strict=True):
        np.testing.assert_allclose(one, two, atol=1e-3)


class _Crash(keras.callbacks.Callback):
    """Ends a run after so many steps, as a kill would; notes the steps that were made."""

    def __init__(self, after=None):
        super().__init__()
        self.after = after
        self.losses = []

    def on_train_batch_end(self, batch, logs=None):
        if logs:
            self.losses.append(logs["loss"])
        if len(self.losses) == self.after:
            raise KeyboardInterrupt


def _crash(records, config, folder, after, **kwargs):
    with pytest.raises(KeyboardInterrupt):
        tf_scl.pretrain(
            records, config, verbose=0, checkpoint_dir=folder, callbacks=[_Crash(after)], **kwargs
        )


_MIRRORED = {"strategy": "mirrored", "optimizer": "adamw"}


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"views_in": "input"}, id="views in tf.data"),
        pytest.param({"precision": "mixed_float16", "optimizer": "lars"}, id="mixed_float16"),
        pytest.param(_MIRRORED, id="mirrored"),
        pytest.param({"accumulate": 2}, id="accumulate"),
    ],
)
def test_a_run_that_was_killed_goes_on_where_it_was(records, tmp_path, changes):
    config = _config(train={**changes, "epochs": 3, "batch_size": 4, "checkpoint_steps": 3})
    watch = _Crash()
    whole, history = tf_scl.pretrain(records, config, verbose=0, callbacks=[watch])
    assert len(watch.losses) == 15

    folder, starts = str(tmp_path / "checkpoints"), []
    logs = str(tmp_path / "logs")
    _crash(records, config, folder, 8, log_dir=logs, before_training=_note(starts))
    rest = _Crash()
    resumed, resumed_history = tf_scl.pretrain(
        records,
        config,
        _note(starts),
        verbose=0,
        checkpoint_dir=folder,
        log_dir=logs,
        callbacks=[rest],
    )
    assert rest.losses == pytest.approx(watch.losses[6:], rel=1e-3)
    for one, other in zip(_weights(resumed), _weights(whole), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-3)
    for one, other in zip(*starts, strict=True):
        np.testing.assert_array_equal(one, other)
    assert sorted(resumed_history) == sorted(history)
    for name, values in history.items():
        assert resumed_history[name] == pytest.approx(values, rel=1e-3, abs=1e-5), name
    curve = scalars(tmp_path / "logs" / "train")["epoch_loss"]
    assert curve == pytest.approx(dict(enumerate(resumed_history["loss"])))

    again, again_history = tf_scl.pretrain(
        records, config, verbose=0, checkpoint_dir=folder, log_dir=str(tmp_path / "again")
    )
    assert again_history == resumed_history
    assert scalars(tmp_path / "again" / "train")["epoch_loss"] == pytest.approx(curve)
    for one, other in zip(_weights(again), _weights(resumed), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["one_device", "mirrored"])
def test_minutes_are_the_epochs_that_fit(records, monkeypatch, caplog, strategy):
    """By a clock of which a step takes 6 s: a minute holds 5 epochs of 2 steps."""
    clock, measure = itertools.count(0, 6), time_budget.step_seconds
    monkeypatch.setattr(
        time_budget, "step_seconds", lambda *args: measure(*args, lambda: float(next(clock)))
    )
    caplog.set_level("INFO", "tf_scl")
    train = {"strategy": strategy, "warmup_epochs": 10}
    runs, starts, settled = [], [], []
    for length in ({"epochs": 5}, {"epochs": 1, "minutes": 1.0}):
        config = _config(train={**train, **length})
        model, history = tf_scl.pretrain(
            records, config, _note(starts), verbose=0, settled=settled.append
        )
        runs.append((_weights(model), history))
    assert "a step takes 6 s: 5 epochs of 2 steps in 1 minute" in caplog.messages
    assert settled == [_config(train={**train, "epochs": 5, "minutes": m}) for m in (0.0, 1.0)]
    (weights, history), (timed_weights, timed_history) = runs
    for one, other in zip([*weights, *starts[0]], [*timed_weights, *starts[1]], strict=True):
        np.testing.assert_allclose(other, one, atol=1e-5)
    assert len(timed_history["loss"]) == 5
    for name, values in history.items():
        assert timed_history[name] == pytest.approx(values, rel=1e-4, abs=1e-6), name


@pytest.fixture
def timings(monkeypatch):
    """A step takes 6 s, without a look at it; a list of how often that was asked."""
    timings = []
    monkeypatch.setattr(time_budget, "step_seconds", lambda *_: timings.append(6.0) or 6.0)
    return timings


@pytest.mark.slow
def test_minutes_of_a_run_that_was_killed_are_not_timed_again(records, tmp_path, timings):
    config, folder = _config(train={"minutes": 1.0, "checkpoint_steps": 3}), str(tmp_path)
    watch, rest = _Crash(), _Crash()
    _, history = tf_scl.pretrain(records, config, verbose=0, callbacks=[watch])
    _crash(records, config, folder, 7)
    assert timings == [6.0, 6.0]
    for changes, message in (
        ({"minutes": 2.0}, "train.minutes is 2.0, but was 1.0"),
        ({"minutes": 0.0}, "train.epochs is 2, but was 'of train.minutes'"),
    ):
        with pytest.raises(tf_scl.InputError, match=message):
            tf_scl.pretrain(
                records, config.replace({"train": changes}), verbose=0, checkpoint_dir=folder
            )
    settled = []
    for _ in range(2):  # the second has nothing left to do
        _, resumed = tf_scl.pretrain(
            records,
            config,
            verbose=0,
            checkpoint_dir=folder,
            callbacks=[rest],
            settled=settled.append,
        )
        assert rest.losses == pytest.approx(watch.losses[6:], rel=1e-3)
        for name, values in history.items():
            assert resumed[name] == pytest.approx(values, rel=1e-3, abs=1e-5), name
    assert [one.train.epochs for one in settled] == [5, 5]
    assert timings == [6.0, 6.0]


def test_minutes_that_cannot_be_kept_are_refused_before_training(records, timings, monkeypatch):
    def fail(model):
        raise AssertionError

    config = _config(train={"minutes": 0.1})
    with pytest.raises(
        tf_scl.InputError, match="an epoch takes 12 s .*use train.minutes 0.2 or more"
    ):
        tf_scl.pretrain(records, config, fail, verbose=0)
    monkeypatch.setattr(distribute, "is_multi_host", lambda strategy: True)
    with pytest.raises(tf_scl.InputError, match="several machines.*; set train.epochs"):
        tf_scl.pretrain(records, config, fail, verbose=0)


def test_a_probe_is_in_the_history_and_resumes(records, tmp_path):
    images = np.stack([photo(number, 8, 8) for number in range(20)])
    labels = np.arange(20) % 2

    def probe():
        return tf_scl.OnlineLinearProbe(images, labels, images, labels, batch_size=4)

    config, folder = _config(train={"checkpoint_steps": 1}), str(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        tf_scl.pretrain(
            records, config, verbose=0, checkpoint_dir=folder, callbacks=[probe(), _Crash(4)]
        )
    resumed = probe()
    _, history = tf_scl.pretrain(
        records, config, verbose=0, checkpoint_dir=folder, callbacks=[resumed]
    )
    assert len(history["probe_accuracy"]) == 2
    assert resumed.get_state()["steps"] == 4


def test_a_checkpoint_of_other_settings_or_data_is_refused(records, tmp_path):
    folder = str(tmp_path / "checkpoints")
    config = _config(train={"checkpoint_steps": 2})
    _crash(records, config, folder, 3)
    for changes, message in (
        ({"train": {"batch_size": 4}}, "train.batch_size is 4, but was 8 when the checkpoint .*"),
        ({"train": {"seed": 1}}, "train.seed is 1, but was 0"),
        ({"model": {"width": 8}}, "model.width is 8, but was 4"),
        ({"augment": {"blur": 0.5}}, "augment.blur is 0.5, but was 0.0"),
    ):
        with pytest.raises(tf_scl.InputError, match=f"{message}.*delete this one"):
            tf_scl.pretrain(records, config.replace(changes), verbose=0, checkpoint_dir=folder)
    with pytest.raises(tf_scl.InputError, match="data.bytes is .*, but was"):
        tf_scl.pretrain(2 * records, config, verbose=0, checkpoint_dir=folder)
    slower = config.replace({"train": {"base_learning_rate": 0.1, "strategy": "one_device"}})
    rest = _Crash()
    tf_scl.pretrain(records, slower, verbose=0, checkpoint_dir=folder, callbacks=[rest])
    assert len(rest.losses) == 2


def test_a_batch_that_cannot_be_shared_is_refused(records):
    changes = {"batch_size": 10, "accumulate": 2, "strategy": "mirrored"}
    message = r"batch_size 10 cannot.*accumulate 2 x 2 replica.* = 4; use .*batch_size 8 or 12"
    with pytest.raises(tf_scl.InputError, match=message):
        tf_scl.pretrain(records, _config(train=changes), verbose=0)
    changes = {"batch_size": 3, "strategy": "mirrored", "accumulate": 2}
    with pytest.raises(tf_scl.InputError, match="batch_size 4$"):
        tf_scl.pretrain(records, _config(train=changes), verbose=0)


def test_a_diverged_run_stops_with_the_place_named(records, tmp_path):
    config = _config(train={"base_learning_rate": 1e30})
    with pytest.raises(
        tf_scl.InputError, match="not finite at epoch [12], step [12].*no checkpoint.*smaller"
    ):
        tf_scl.pretrain(records, config, verbose=0)
    config = _config(train={"base_learning_rate": 1e30, "checkpoint_steps": 1})
    with pytest.raises(tf_scl.InputError, match="not finite.*last good checkpoint is .*-0000000"):
        tf_scl.pretrain(records, config, verbose=0, checkpoint_dir=str(tmp_path))
    for path in checkpoints.list_checkpoints(str(tmp_path)):
        for name, array in np.load(path).items():
            assert not name.startswith("model/") or np.isfinite(array).all()
