import keras
import numpy as np
import pytest
import tensorflow as tf

import tf_scl
from tests.conftest import TINY_MODEL, encode, photo
from tf_scl import distribute, training
from tf_scl.data import features
from tf_scl.data.check_image import check_image

_TINY = {
    "augment": {"flip": 0.0},
    "model": TINY_MODEL,
    "train": {"batch_size": 8, "epochs": 2, "warmup_epochs": 1, "base_learning_rate": 0.5},
}


@pytest.fixture
def records(tmp_path):
    path = str(tmp_path / "records")
    with tf.io.TFRecordWriter(path) as writer:
        for number in range(20):
            image = check_image(encode(photo(number)), 10**6)
            writer.write(features.encode_example(image, b"", "", number, b"label"))
    return [path]


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


def test_pretrain_is_reproducible_and_hands_out_the_untrained_model(records):
    config = tf_scl.Config.from_dict(_TINY)
    runs, starts = [], []
    for _ in range(2):
        model, history = tf_scl.pretrain(
            records,
            config,
            lambda model: starts.append([w.numpy() for w in model.encoder.weights]),
            verbose=0,
        )
        runs.append([w.numpy() for w in model.encoder.weights])
    assert sorted(history) == ["attraction", "loss", "repulsion"]
    assert len(history["loss"]) == 2
    for one, two, start in zip(*runs, starts[0], strict=True):
        np.testing.assert_allclose(one, two, atol=1e-5)
        assert one.shape == start.shape
    assert any(np.abs(a - b).max() > 1e-3 for a, b in zip(runs[0], starts[0], strict=True))


def test_pretrain_under_a_mirrored_strategy(records):
    config = tf_scl.Config.from_dict(_TINY).replace({"train": {"strategy": "mirrored"}})
    model, history = tf_scl.pretrain(records, config, verbose=0)
    assert model.distribute_strategy.num_replicas_in_sync == 2
    assert np.isfinite(history["loss"]).all()


def test_a_diverged_run_stops_with_the_place_named(records):
    config = tf_scl.Config.from_dict(_TINY).replace({"train": {"base_learning_rate": 1e30}})
    with pytest.raises(tf_scl.InputError, match="not finite at epoch [12], step [12].*smaller"):
        tf_scl.pretrain(records, config, verbose=0)


def test_strategies_by_name():
    assert distribute.strategy("one_device").num_replicas_in_sync == 1
    assert distribute.strategy("mirrored").num_replicas_in_sync == 2
    assert isinstance(distribute.strategy("auto"), tf.distribute.OneDeviceStrategy)
    with pytest.raises(tf_scl.InputError, match="no strategy 'tpu9'"):
        distribute.strategy("tpu9")


def test_normalisation_is_pytorchs():
    from tf_scl.normalization import batch_normalization

    layer = batch_normalization()
    x = np.random.default_rng(0).normal(3, 2, size=(64, 5)).astype(np.float32)
    layer(x, training=True)
    # Running mean of torch's momentum 0.1: 0.9 * 0 + 0.1 * mean.
    np.testing.assert_allclose(layer.moving_mean, 0.1 * x.mean(0), rtol=1e-4)
    assert layer.epsilon == 1e-5
    assert isinstance(layer, keras.layers.BatchNormalization)
