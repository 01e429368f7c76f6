"""mu="auto" in a model: its metrics, its step, and what is saved of it."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import tf_scl
from tests import one_step

_AUTO = "spectral mu=auto"


def _data(views):
    return tf.data.Dataset.from_tensors(views).unbatch().batch(16, drop_remainder=True)


def _mu_and_loss(z1, z2):
    u, v = (z / np.linalg.norm(z, axis=1, keepdims=True) for z in (z1, z2))
    gram = u @ v.T
    cosine = np.mean(np.diag(gram))
    squared = np.mean(gram[~np.eye(len(gram), dtype=bool)] ** 2)
    return cosine / squared, -cosine


def test_metrics_tell_what_was_found():
    model = one_step.build(_AUTO)
    mu, loss = _mu_and_loss(*(model.embed(v, training=True).numpy() for v in one_step.views()))
    model.compile(keras.optimizers.SGD(0.0))
    logs = model.train_on_batch(one_step.views(), return_dict=True)
    assert set(logs) == {"loss", "attraction", "repulsion", "mu", "scaled_loss"}
    assert logs["mu"] == pytest.approx(mu, rel=1e-5)
    assert logs["loss"] == pytest.approx(loss, rel=1e-5)
    assert logs["scaled_loss"] == pytest.approx(mu * loss, rel=1e-5)
    assert "clipped" in tf_scl.SpectralContrastive.metric_names  # of a number as mu, still


@pytest.mark.parametrize("replicas", ["one_replica", "two_replicas"])
def test_mu_is_of_the_whole_batch_where_it_is_accumulated(request, replicas):
    """Four micro-batches; here rows do not depend on each other but in the loss."""
    with request.getfixturevalue(replicas).scope():
        keras.utils.set_random_seed(0)
        encoder = keras.Sequential(
            [keras.Input((6, 6, 2)), keras.layers.Flatten(), keras.layers.Dense(8)]
        )
        model = tf_scl.SpectralContrastive(encoder, keras.layers.Dense(6), mu="auto", accumulate=4)
        model.compile(keras.optimizers.SGD(0.0))
    views = tuple(view.astype(np.float32) for view in one_step.views())
    mu, loss = _mu_and_loss(*(np.asarray(model.embed(view, training=True)) for view in views))
    history = model.fit(_data(views), verbose=0).history
    assert history["mu"][0] == pytest.approx(mu, rel=1e-4)
    assert history["loss"][0] == pytest.approx(loss, rel=1e-4)


def test_training_lowers_the_scaled_loss():
    model = one_step.build(_AUTO, "float32")
    model.compile(keras.optimizers.SGD(0.05))
    history = model.fit(_data(one_step.views()).repeat(30), epochs=2, verbose=0).history
    assert history["scaled_loss"][1] < history["scaled_loss"][0]


def test_auto_is_saved_with_the_model(tmp_path):
    model = one_step.build(_AUTO, "float32")
    assert model.get_config()["mu"] == "auto"
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.mu == "auto"
    assert [metric.name for metric in loaded.metrics] == [metric.name for metric in model.metrics]
    view = one_step.views()[0]
    np.testing.assert_array_equal(loaded.predict(view, verbose=0), model.predict(view, verbose=0))


@pytest.mark.parametrize("mu", [0, -1.0, float("nan"), float("inf"), "automatic", "1", True, [1.0]])
def test_a_bad_mu_is_named_at_once(mu):
    encoder = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Flatten()])
    with pytest.raises(tf_scl.InputError, match='None, "auto" or a positive number. Received: mu='):
        tf_scl.SpectralContrastive(encoder, keras.layers.Dense(3), mu=mu)
