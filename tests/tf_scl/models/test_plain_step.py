import keras
import numpy as np
import tensorflow as tf

import tf_scl
from tests import reference


def _images(n, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (n, 2, 2, 1)).astype(np.uint8)


def _linear_model(**options):
    """A model whose loss can be computed by hand: features are pixels / 255."""
    encoder = keras.Sequential(
        [keras.Input((2, 2, 1)), keras.layers.Rescaling(1 / 255), keras.layers.Flatten()]
    )
    projector = keras.layers.Dense(3, use_bias=False, name="w")
    return tf_scl.SpectralContrastive(encoder, projector, **options)


def test_one_step_is_sgd_on_the_reference_loss():
    views = [_images(6, seed) for seed in (1, 2)]
    model = _linear_model(mu=1.5)
    model.compile(keras.optimizers.SGD(0.1))
    before = model.projector.kernel.numpy()

    def loss(weights):
        z1, z2 = (view.reshape(6, -1) / 255 @ weights for view in views)
        return reference.spectral_contrastive_loss(z1, z2, 1.5)

    logs = model.train_on_batch(tuple(views), return_dict=True)
    expected = before - 0.1 * reference.numeric_gradient(loss, before)
    np.testing.assert_allclose(model.projector.kernel, expected, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(logs["loss"], loss(before), rtol=1e-5)
    np.testing.assert_allclose(logs["attraction"] + logs["repulsion"], logs["loss"], rtol=1e-5)


def test_test_step_reports_the_loss_and_changes_nothing():
    views = tuple(_images(6, seed) for seed in (1, 2))
    model = _linear_model(mu=None)
    model.compile()
    weights = model.projector.kernel.numpy()
    z1, z2 = (view.reshape(6, -1) / 255 @ weights for view in views)
    data = tf.data.Dataset.from_tensors(views)
    logs = model.evaluate(data, return_dict=True, verbose=0)
    np.testing.assert_allclose(logs["loss"], reference.spectral_contrastive_loss(z1, z2), rtol=1e-5)
    np.testing.assert_array_equal(model.projector.kernel, weights)


def test_regularizers_of_the_encoder_count():
    kernel = keras.layers.Dense(2, use_bias=False, kernel_regularizer=keras.regularizers.L2(0.5))
    encoder = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Flatten(), kernel])
    model = tf_scl.SpectralContrastive(encoder, keras.layers.Dense(2))
    model.compile(keras.optimizers.SGD(0.0))
    expected = 0.5 * np.sum(kernel.kernel.numpy() ** 2)
    logs = model.train_on_batch((_images(4), _images(4)), return_dict=True)
    np.testing.assert_allclose(logs["regularization"], expected, rtol=1e-5)
    parts = logs["attraction"] + logs["repulsion"] + logs["regularization"]
    np.testing.assert_allclose(logs["loss"], parts, rtol=1e-5)


def test_activity_penalties_of_both_views_count():
    penalized = keras.layers.Dense(2, use_bias=False, activity_regularizer="l2")
    encoder = keras.Sequential([keras.Input((2, 2, 1)), keras.layers.Flatten(), penalized])
    model = tf_scl.SpectralContrastive(encoder, keras.layers.Dense(2))
    model.compile(keras.optimizers.SGD(0.0))
    views = _images(4, 1), _images(4, 2)
    # Each view's penalty as Keras has it (some versions divide by the batch, some do not).
    activity = []
    for view in views:
        encoder(view)
        activity.append(float(sum(encoder.losses)))
    assert abs(activity[0] - activity[1]) > 1e-3 * activity[0]
    logs = model.train_on_batch(views, return_dict=True)
    np.testing.assert_allclose(logs["regularization"], np.mean(activity), rtol=1e-4)
