import keras
import numpy as np
import pytest

import tf_scl
from tests import one_step


def test_the_default_predictor_fits_the_projector():
    model = one_step.build("simsiam")
    assert model.predictor.output_shape[-1] == 6
    z, p = model.embed(one_step.views()[0], training=True)
    assert z.shape == p.shape == (16, 6)


def test_an_encoder_of_unknown_output_needs_a_predictor():
    with pytest.raises(tf_scl.InputError, match="prediction_head"):
        tf_scl.SimSiam(keras.layers.Flatten(), keras.layers.Dense(2))
    tf_scl.SimSiam(keras.layers.Flatten(), keras.layers.Dense(2), predictor=keras.layers.Dense(2))


def test_the_predictor_learns(one_replica):
    model = one_step.build("simsiam")
    before = model.predictor.layers[0].kernel.numpy()
    one_step_weights = one_step.weights_after_one_step(one_replica, "simsiam")
    assert any(
        w.shape == before.shape and np.abs(w - before).max() > 1e-4 for w in one_step_weights
    )


def test_save_and_load(tmp_path):
    model = one_step.build("simsiam", "float32", accumulate=2)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    view = one_step.views()[0].astype("float32")
    for one, two in zip(model.embed(view, False), loaded.embed(view, False), strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-6)
