"""The rate of the encoder's weights, in whole training steps."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tf_scl
from tests.conftest import first_fast

_SIZE = 4


def _views(seed):
    return np.random.default_rng(seed).integers(0, 256, (8, _SIZE, _SIZE, 1)).astype(np.float32)


def _data(batch=8):
    return tf.data.Dataset.from_tensors((_views(0), _views(1))).unbatch().batch(batch)


def _encoder(normalized=False):
    layers = [
        keras.Input((_SIZE, _SIZE, 1)),
        keras.layers.Rescaling(1 / 255),
        keras.layers.Conv2D(3, 2),
        *([keras.layers.BatchNormalization(), keras.layers.Dropout(0.5)] if normalized else []),
        keras.layers.GlobalAveragePooling2D(),
        keras.layers.Dense(5),
    ]
    return keras.Sequential(layers)


def _model(optimizer, normalized=False, **options):
    keras.utils.set_random_seed(0)
    encoder = _encoder(normalized)
    projector = keras.Sequential([keras.Input((5,)), keras.layers.Dense(3)])
    model = tf_scl.SpectralContrastive(encoder, projector, mu=None, **options)
    model.compile(optimizer)
    return model


def _values(layer):
    return [np.asarray(weight) for weight in layer.weights]


def _assert_close(found, expected, rtol=1e-4):
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=rtol, atol=1e-5)


def test_a_step_is_gradient_descent_with_two_rates():
    start = _model(keras.optimizers.SGD(0.0))
    whole, slow = _model(keras.optimizers.SGD(0.5)), _model(tf_scl.L2SGD(0.5), backbone_rate=0.1)
    for model in (whole, slow):
        model.fit(_data(), verbose=0)
    _assert_close(_values(slow.projector), _values(whole.projector))
    moved = zip(_values(start.encoder), _values(whole.encoder), strict=True)
    _assert_close(_values(slow.encoder), [a + 0.1 * (b - a) for a, b in moved])
    difference = np.abs(_values(whole.encoder)[0] - _values(start.encoder)[0]).max()
    assert difference > 1e-3


@pytest.mark.parametrize("optimizer", first_fast([tf_scl.L2SGD, keras.optimizers.AdamW]))
def test_replicas_and_micro_batches_take_the_same_step(optimizer, two_replicas):
    def trained(strategy=None, **options):
        with (strategy or tf.distribute.get_strategy()).scope():
            model = _model(optimizer(0.05), backbone_rate=0.3, **options)
        model.fit(_data(), epochs=2, verbose=0)
        return _values(model)

    expected = trained()
    _assert_close(trained(two_replicas), expected, 1e-3)
    _assert_close(trained(accumulate=2), expected, 1e-3)


@pytest.mark.slow
def test_with_float16_the_factor_reaches_the_optimizer_inside():
    keras.config.set_dtype_policy("mixed_float16")
    try:
        models = [
            _model(
                keras.optimizers.LossScaleOptimizer(tf_scl.L2SGD(0.05), initial_scale=128.0),
                backbone_rate=rate,
            )
            for rate in (1.0, 0.1)
        ]
    finally:
        keras.config.set_dtype_policy("float32")
    start = _values(models[0].encoder)
    for model in models:
        model.fit(_data(), verbose=0)
    moves = [np.asarray(model.encoder.weights[0]) - start[0] for model in models]
    np.testing.assert_allclose(moves[1], 0.1 * moves[0], rtol=1e-3, atol=1e-7)
    assert np.abs(moves[0]).max() > 1e-4


def test_at_rate_zero_the_encoder_stays_and_is_in_inference_mode():
    model = _model(keras.optimizers.AdamW(0.1), normalized=True, backbone_rate=0)
    encoder, projector = _values(model.encoder), _values(model.projector)
    losses = [model.evaluate(_data(), verbose=0, return_dict=True)["loss"]]
    losses.append(model.fit(_data(), verbose=0).history["loss"][0])
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)  # no dropout, no batch statistics
    model.fit(_data(4), verbose=0)
    for found, before in zip(_values(model.encoder), encoder, strict=True):
        np.testing.assert_array_equal(found, before)
    assert np.abs(_values(model.projector)[0] - projector[0]).max() > 0.01


def test_a_saved_model_goes_on_at_its_rates(tmp_path):
    model = _model(tf_scl.L2SGD(0.5, momentum=0.9), backbone_rate=0.1)
    model.fit(_data(), verbose=0)
    model.save(tmp_path / "model.keras")
    again = tf_scl.load_model(tmp_path / "model.keras")
    assert again.backbone_rate == 0.1
    for one in (model, again):
        one.fit(_data(), verbose=0)
    _assert_close(_values(again), _values(model))


@pytest.mark.parametrize("rate", [-0.1, float("nan"), "0.1"])
def test_a_bad_rate_is_refused(rate):
    with pytest.raises(tf_scl.InputError, match="`backbone_rate` must be a number, at least 0"):
        _model("sgd", backbone_rate=rate)
