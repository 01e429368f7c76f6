import keras
import numpy as np
import pytest
import tensorflow as tf

import tf_scl
from tests.conftest import crops, first_fast
from tf_scl.images.decode import fit_to_square
from tf_scl.strategies import make_strategy

pytestmark = pytest.mark.usefixtures("shallow_resnet")


def _images(n=16, size=8, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (n, size, size, 1)).astype(np.uint8)


def _small_model(**options):
    keras.utils.set_random_seed(0)
    return tf_scl.SpectralContrastive(
        tf_scl.resnet(10, (8, 8, 1), width=4),
        tf_scl.projection_head(8, (16,)),
        **options,
    )


def test_six_lines_learn_the_digits():
    from sklearn.datasets import load_digits

    images = (load_digits().images * (255 / 16)).astype("uint8")[..., None]
    keras.utils.set_random_seed(0)
    model = tf_scl.SpectralContrastive(
        tf_scl.resnet(10, (8, 8, 1), width=8), augmentation=tf_scl.TwoViews(8, flip=0.0)
    )
    model.compile(keras.optimizers.SGD(0.05, momentum=0.9))
    history = model.fit(images, batch_size=128, epochs=3, verbose=0).history
    assert history["loss"][-1] < history["loss"][0] - 0.1
    assert model.predict(images[:5], verbose=0).shape == (5, 8)


@pytest.mark.slow
def test_two_replicas_take_the_step_of_one(one_replica, two_replicas):
    """Weights after SGD steps on 2 x 8 images equal those on 1 x 16, different data on each.

    Plain SGD: a second step would amplify a wrong scale.
    """
    views = tuple(_images(16, seed=seed) for seed in (1, 2))
    weights, losses = [], []
    for strategy in (one_replica, two_replicas):
        with strategy.scope():
            model = _small_model()
            model.compile(keras.optimizers.SGD(0.1))
        data = tf.data.Dataset.from_tensors(views).repeat(2).unbatch().batch(16)
        losses.append(model.fit(data, epochs=1, verbose=0).history["loss"])
        weights.append([variable.numpy() for variable in model.trainable_variables])
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-4)
    start = [variable.numpy() for variable in _small_model().trainable_variables]
    moved = max(np.abs(a - b).max() for a, b in zip(start, weights[0], strict=True))
    assert moved > 1e-3
    for one, two in zip(*weights, strict=True):
        np.testing.assert_allclose(two, one, atol=2e-5)


def test_views_of_unequal_shares_are_those_of_one_device(two_replicas):
    """4 + 3 images, views made in the step: weights after a step as without a strategy."""
    images, weights = _images(7, size=4), []
    for strategy in (tf.distribute.get_strategy(), two_replicas):
        with strategy.scope():
            keras.utils.set_random_seed(0)
            layers = [keras.Input((4, 4, 1)), keras.layers.Rescaling(1 / 255)]
            encoder = keras.Sequential([*layers, keras.layers.Flatten()])
            views = crops(4, seed=3)
            model = tf_scl.SpectralContrastive(encoder, keras.layers.Dense(3), views, mu=None)
            model.compile(keras.optimizers.SGD(0.1))
        model.fit(tf.data.Dataset.from_tensor_slices(images).batch(8), epochs=2, verbose=0)
        weights.append(model.projector.kernel.numpy())
    np.testing.assert_allclose(weights[1], weights[0], rtol=1e-5, atol=1e-6)


def test_replicas_draw_different_views(two_replicas):
    with two_replicas.scope():
        layer = crops(8, seed=0)
    image = tf.tile(tf.constant(_images(1)), [2, 1, 1, 1])
    views = two_replicas.run(lambda: layer(image))[0]
    first, second = two_replicas.experimental_local_results(views)
    assert np.abs(first.numpy() - second.numpy()).max() > 1


def test_labels_are_ignored():
    losses = []
    for labels in (np.zeros(16), np.arange(16)):
        keras.utils.set_random_seed(0)
        encoder = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten()])
        model = tf_scl.SpectralContrastive(encoder, keras.layers.Dense(3), crops(8, seed=3))
        model.compile(keras.optimizers.SGD(1e-4))
        history = model.fit(_images(), labels, batch_size=8, verbose=0, shuffle=False)
        losses.append(history.history["loss"])
    assert losses[0] == losses[1]


@pytest.mark.parametrize(
    "replicas,built",
    first_fast(
        [
            *((None, False), ("mirrored", True)),
            *((None, True), ("mirrored", False), ("one_device", True), ("one_device", False)),
        ],
        2,
    ),
)
def test_images_need_not_have_the_size_of_the_views(replicas, built):
    strategy = make_strategy(replicas) if replicas else tf.distribute.get_strategy()
    with strategy.scope():
        layers = [keras.layers.Rescaling(1 / 255), keras.layers.Flatten(), keras.layers.Dense(5)]
        encoder = keras.Sequential(([keras.Input((8, 8, 1))] if built else []) + layers)
        model = tf_scl.SpectralContrastive(encoder, tf_scl.projection_head(4, ()), crops(8))
        model.compile(keras.optimizers.SGD(0.01))
    images = _images(16, size=12)
    model.fit(images, batch_size=8, verbose=0)
    assert encoder.input_shape[1:] == (8, 8, 1)
    features = model.predict(images, verbose=0)
    np.testing.assert_allclose(features, encoder(fit_to_square(images, 8)), atol=1e-5)


@pytest.mark.parametrize("replicas", ["one_device", "mirrored"])
def test_pairs_of_views_train_an_unbuilt_encoder_under_a_strategy(replicas):
    with make_strategy(replicas).scope():
        encoder = keras.Sequential([keras.layers.Rescaling(1 / 255), keras.layers.Flatten()])
        model = tf_scl.SpectralContrastive(encoder, tf_scl.projection_head(4, ()))
        model.compile(keras.optimizers.SGD(0.01))
    pairs = tf.data.Dataset.from_tensors((_images(8, seed=1), _images(8, seed=2)))
    assert np.isfinite(model.fit(pairs, verbose=0).history["loss"]).all()


def test_any_keras_model_is_an_encoder():
    class Subclassed(keras.Model):
        def __init__(self):
            super().__init__()
            self.pool = keras.layers.GlobalAveragePooling2D()
            self.dense = keras.layers.Dense(5)

        def call(self, images):
            return self.dense(self.pool(keras.ops.cast(images, "float32")))

    model = tf_scl.SpectralContrastive(Subclassed(), augmentation=crops(8))
    model.compile(keras.optimizers.SGD(0.01))
    model.fit(_images(), batch_size=8, verbose=0)
    assert model.encoder.dense.kernel.shape == (1, 5)
    assert model.predict(_images(), verbose=0).shape == (16, 5)


def test_save_and_load(tmp_path):
    model = _small_model(augmentation=crops(8, crop_scale=(0.5, 1.0)), mu=3.0)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.mu == 3.0
    assert loaded.augmentation.crop_scale == (0.5, 1.0)
    np.testing.assert_array_equal(
        loaded.predict(_images(), verbose=0), model.predict(_images(), verbose=0)
    )
    for one, two in zip(model.projector.weights, loaded.projector.weights, strict=True):
        np.testing.assert_array_equal(one.numpy(), two.numpy())


def test_a_bad_mu_is_named_at_once():
    with pytest.raises(tf_scl.InputError, match="mu=-1"):
        _small_model(mu=-1)


@pytest.mark.parametrize(
    "augmentation,data,message",
    [
        (None, _images(), r"pair of views.*shape \(16, 8, 8, 1\)"),
        (crops(8), ((_images(), _images()),), "augmentation=None"),
        (None, (tf.ones([4, 8, 8, 1]), tf.ones([4])), "Is the second one labels"),
    ],
)
def test_data_of_another_form_is_named(augmentation, data, message):
    model = _small_model(augmentation=augmentation)
    model.compile(keras.optimizers.SGD(0.1))
    with pytest.raises(tf_scl.InputError, match=message):
        model.train_step(data)
