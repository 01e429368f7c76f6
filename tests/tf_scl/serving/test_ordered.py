import keras
import numpy as np
import pytest
import scipy.optimize
import tensorflow as tf

import tf_scl
from tests.conftest import photo
from tf_scl.config import AugmentConfig
from tf_scl.errors import InputError

_VIEWS, _WIDTH = 4, 6
_AUGMENT = AugmentConfig(blur=0.0)


def _encoder(width=_WIDTH, size=8):
    keras.utils.set_random_seed(1)
    layers = [keras.Input((size, size, 3)), keras.layers.Rescaling(1 / 255)]
    layers += [keras.layers.Conv2D(12, 3, activation="tanh"), keras.layers.Flatten()]
    return keras.Sequential([*layers, keras.layers.Dense(width, use_bias=True)])


@pytest.fixture(scope="module")
def images():
    return np.stack([photo(number, 8, 8) for number in range(60)])


@pytest.fixture(scope="module")
def encoder():
    return _encoder()


@pytest.fixture(scope="module")
def ordered(encoder, images):
    return tf_scl.ordered_encoder(encoder, images, augment=_AUGMENT, views=_VIEWS)


@pytest.fixture(scope="module")
def views(images):
    """float32 [V, N, S, S, C], those that were drawn."""
    layer = tf_scl.TwoViews(8, **vars(_AUGMENT))
    pairs = [layer.pair(images, tf.constant([0, number])) for number in range(_VIEWS // 2)]
    return np.stack([view for pair in pairs for view in pair])


def _population_loss(z):
    """-2 E z z' + E (z z'')^2 of [V, N, k], all images and views drawn anew for each z''."""
    views, count, _ = z.shape
    pairs = [np.sum(z[i] * z[j]) / count for i in range(views) for j in range(views) if i != j]
    flat = z.reshape(views * count, -1)
    return -2 * np.mean(pairs) + np.mean((flat @ flat.T) ** 2)


@pytest.mark.parametrize("k", [1, 2, 4])
def test_each_prefix_has_the_least_loss_of_its_length(encoder, ordered, views, k):
    f = np.stack([encoder(view).numpy() for view in views]).astype(np.float64)
    f -= f.mean(axis=(0, 1))
    short = np.stack([ordered(view).numpy() for view in views])[..., :k]

    def loss(flat):
        return _population_loss(f @ flat.reshape(_WIDTH, k))

    rng = np.random.default_rng(0)
    starts = rng.normal(size=(3, _WIDTH * k)) / f.std()
    best = min(scipy.optimize.minimize(loss, start, method="BFGS").fun for start in starts)
    assert best < -0.1  # there is something to find
    assert _population_loss(short) == pytest.approx(best, rel=0.01)  # for the ridge


def test_numbers_are_centered_uncorrelated_and_in_order(ordered, views):
    z = np.concatenate([ordered(view).numpy() for view in views]).astype(np.float64)
    np.testing.assert_allclose(z.mean(axis=0), 0, atol=1e-5)
    covariance = np.cov(z.T, bias=True)
    variances = np.diag(covariance)
    assert (np.diff(variances) <= 1e-6).all() and variances[0] <= 1.0 and variances[0] > 0.2
    assert 4 <= len(variances) <= _WIDTH  # views share nothing in the others
    scaled = covariance / np.sqrt(np.outer(variances, variances))
    np.testing.assert_allclose(scaled, np.eye(len(variances)), atol=0.05)  # for the ridge


def test_a_prefix_does_not_depend_on_the_length(encoder, ordered, images):
    short = tf_scl.ordered_encoder(encoder, images, 2, augment=_AUGMENT, views=_VIEWS)
    assert short.output_shape == (None, 2)
    np.testing.assert_allclose(short(images), ordered(images)[:, :2], atol=1e-6)


def test_it_does_not_depend_on_how_features_are_mixed(encoder, ordered, images):
    mixing = np.random.default_rng(0).normal(size=(_WIDTH, _WIDTH))
    layer = keras.layers.Dense(_WIDTH)
    mixed = keras.Sequential([keras.Input((8, 8, 3)), encoder, layer])
    layer.set_weights([mixing, np.ones(_WIDTH)])
    again = tf_scl.ordered_encoder(mixed, images, augment=_AUGMENT, views=_VIEWS)
    a, b = (np.asarray(model(images))[:, :3] for model in (ordered, again))
    assert (np.abs(np.diag(np.corrcoef(a.T, b.T)[:3, 3:])) > 0.98).all()


def test_the_encoder_stays_as_it_is(encoder, images):
    before = [weight.copy() for weight in encoder.get_weights()]
    tf_scl.ordered_encoder(encoder, images, 2, views=2)
    for old, new in zip(before, encoder.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_it_is_saved_and_served(ordered, images, tmp_path):
    ordered.save(tmp_path / "ordered.keras")
    loaded = tf_scl.load_model(tmp_path / "ordered.keras")
    np.testing.assert_allclose(loaded(images), ordered(images), atol=1e-6)
    tf_scl.export_saved_model(loaded, tmp_path / "1", reference=images)
    served = tf.saved_model.load(str(tmp_path / "1")).signatures["serving_default"]
    encoded = tf.stack([tf.io.encode_png(image) for image in images[:5]])
    found = served(image_bytes=encoded)["embedding"]
    np.testing.assert_allclose(found, ordered(images[:5]), atol=1e-5)


def test_the_projector_can_be_turned(encoder, images):
    model = tf_scl.SpectralContrastive(encoder, tf_scl.projection_head(4, (8,)))
    model(images[:2].astype(np.float32))
    turned = tf_scl.ordered_encoder(model, images, 2, projector=True, augment=_AUGMENT)
    assert turned.layers[-1].kernel.shape == (4, 2)
    turned = tf_scl.ordered_encoder(model, images, 2, augment=_AUGMENT)
    assert turned.layers[-1].kernel.shape == (_WIDTH, 2)


@pytest.mark.slow
def test_images_are_worked_through_in_batches(encoder, ordered, images, monkeypatch):
    monkeypatch.setattr("tf_scl.serving.ordered._BATCH", 25)  # the last one is of ten
    again = tf_scl.ordered_encoder(encoder, images, augment=_AUGMENT, views=_VIEWS)
    np.testing.assert_allclose(again(images), ordered(images), atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_an_encoder_of_another_precision(images, policy):
    keras.config.set_dtype_policy(policy)
    try:
        encoder = tf_scl.resnet(10, input_shape=(8, 8, 1), width=1)
    finally:
        keras.config.set_dtype_policy("float32")
    turned = tf_scl.ordered_encoder(encoder, images[..., :1].astype(np.float32), 2, views=2)
    assert turned(images[..., :1]).dtype == tf.float32


def test_no_more_numbers_than_views_share(images):
    noise = np.random.default_rng(0).integers(0, 256, images.shape).astype(np.uint8)
    noise[1:] = noise[:1]  # all images are one, so that views share nothing that tells
    with pytest.raises(InputError, match=r"in \d directions .*dimension=6, 60 images, views=2"):
        tf_scl.ordered_encoder(_encoder(), noise, 6, augment=_AUGMENT, views=2)


@pytest.mark.parametrize(
    "changes,message",
    [
        ({"images": np.zeros((5, 8, 8, 3), np.uint8)}, r"N >= 6. Received: \(5, 8, 8, 3\)"),
        ({"images": np.zeros((60, 8, 8, 1), np.uint8)}, r"\[N, H, W, 3\]"),
        ({"dimension": 7}, "between 1 and 6. Received: dimension=7"),
        ({"dimension": 0}, "between 1 and 6. Received: dimension=0"),
        ({"views": 3}, "an even number. Received: views=3"),
        ({"views": 0}, "at least 2. Received: views=0"),
        ({"projector": True}, "a projector"),
        ({"seed": -1}, "`seed` must be .* Received: seed=-1"),
        ({"seed": 1.5}, "`seed` must be"),
        ({"augment": {"blur": 0.0}}, "`augment` must be a tf_scl.config.AugmentConfig"),
    ],
)
def test_mistakes(encoder, images, changes, message):
    with pytest.raises(InputError, match=message):
        tf_scl.ordered_encoder(encoder, **{"images": images, "augment": _AUGMENT, **changes})


def test_images_that_were_scaled(encoder, images):
    with pytest.raises(InputError, match="0..255"):
        tf_scl.ordered_encoder(encoder, images / 255.0)


def test_an_image_with_a_nan(encoder, images):
    bad = images.astype(np.float32)
    bad[7, 0, 0, 0] = np.nan
    with pytest.raises(InputError, match=r"`images\[7\]` holds values that are not finite"):
        tf_scl.ordered_encoder(encoder, bad)


@pytest.mark.parametrize("kernel,message", [(np.nan, "not finite"), (0.0, "same features for all")])
def test_an_encoder_that_tells_nothing(images, kernel, message):
    encoder = _encoder()
    encoder.layers[-1].set_weights([np.full((432, _WIDTH), kernel), np.ones(_WIDTH)])
    with pytest.raises(InputError, match=message):
        tf_scl.ordered_encoder(encoder, images, views=2)
