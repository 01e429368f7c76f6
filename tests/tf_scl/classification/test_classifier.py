import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.special import softmax

import tf_scl
from tests.conftest import photo
from tf_scl.classification.classifier import Classifier, CrossEntropy
from tf_scl.evaluation.linear_probe import fit_linear_head

_CLASSES = ["bright", "dark", "red"]


def _images(per_class=8):
    """uint8 [N, 8, 8, 3] and names of classes."""
    images, labels = [], []
    for number in range(3 * per_class):
        name = _CLASSES[number % 3]
        pixels = photo(number, 8, 8) // 2
        images.append({"bright": pixels + 120, "dark": pixels}.get(name, pixels // 2 + [120, 0, 0]))
        labels.append(name)
    return np.array(images, np.uint8), np.array(labels)


def _encoder():
    keras.utils.set_random_seed(0)
    return keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Conv2D(4, 3, 2, activation="relu"),
            keras.layers.BatchNormalization(),
            keras.layers.Conv2D(6, 2, 2),
            keras.layers.GlobalAveragePooling2D(),
        ]
    )


def _values(variables):
    return [keras.ops.convert_to_numpy(variable) for variable in variables]


def test_the_head_is_the_optimum_on_frozen_features():
    images, labels = _images()
    model = Classifier(_encoder(), _CLASSES)
    before = _values(model.encoder.weights)
    head = model.fit_head(images, labels)
    features = np.asarray(model.encoder(images.astype(np.float32)), np.float64)
    targets = np.array([_CLASSES.index(label) for label in labels])
    expected = fit_linear_head(features, targets, 3)
    assert head.l2 == expected.l2
    logits = features @ expected.kernel + expected.bias
    np.testing.assert_allclose(
        model.predict(images, verbose=0), softmax(logits / model.temperature, axis=1), atol=1e-4
    )
    assert np.mean(model.predict(images, verbose=0).argmax(axis=1) == targets) > 0.9
    for one, other in zip(before, _values(model.encoder.weights), strict=True):
        np.testing.assert_array_equal(one, other)


def test_fit_trains_what_it_is_told():
    images, labels = _images()
    changed = {}
    for tuned in ("head", "last", "all"):
        model = Classifier(_encoder(), _CLASSES, tuned=tuned)
        model.compile(keras.optimizers.SGD(0.1))
        before = _values(model.weights)
        history = model.fit(images, labels, batch_size=8, epochs=3, verbose=0).history
        assert history["loss"][-1] < history["loss"][0]
        assert set(history) == {"loss", "accuracy"}
        changed[tuned] = {
            weight.path
            for weight, value in zip(model.weights, before, strict=True)
            if np.any(keras.ops.convert_to_numpy(weight) != value)
        }
    sizes = {tuned: len(paths) for tuned, paths in changed.items()}
    # Kernel and bias of the head; of the last convolution; of the first, and gamma and beta.
    assert sizes == {"head": 2, "last": 4, "all": 8}


def test_the_backbone_learns_at_its_own_rate():
    images, labels = _images()
    steps = []
    for rate in (1.0, 0.25):
        model = Classifier(_encoder(), _CLASSES, tuned="all", backbone_rate=rate)
        model.compile(keras.optimizers.SGD(0.1))
        before = _values(model.trainable_variables)
        model.train_on_batch(images, model.targets(labels))
        steps.append(
            [b - a for a, b in zip(before, _values(model.trainable_variables), strict=True)]
        )
    for one, quarter, weight in zip(*steps, model.trainable_variables, strict=True):
        factor = 1.0 if "head" in weight.path else 0.25
        np.testing.assert_allclose(quarter, factor * one, atol=1e-7)


def test_calibration_changes_no_prediction():
    images, labels = _images()
    model = Classifier(_encoder(), _CLASSES)
    model.fit_head(images, labels)
    before = model.predict(images, verbose=0)
    assert model.calibrate(images[:9], labels[:9]) == model.temperature != 1
    after = model.predict(images, verbose=0)
    np.testing.assert_array_equal(before.argmax(axis=1), after.argmax(axis=1))
    np.testing.assert_allclose(after.sum(axis=1), 1, rtol=1e-6)


def test_all_of_it_is_saved(tmp_path):
    images, labels = _images()
    model = Classifier(_encoder(), _CLASSES, tuned="last", backbone_rate=0.5)
    model.fit_head(images, labels)
    model.compile(keras.optimizers.Adam(1e-3))
    model.fit(images, labels, epochs=1, verbose=0)
    model.save(tmp_path / "classifier.keras")
    loaded = tf_scl.load_model(tmp_path / "classifier.keras")
    assert (loaded.classes, loaded.tuned, loaded.backbone_rate) == (tuple(_CLASSES), "last", 0.5)
    assert loaded.temperature == model.temperature != 1
    np.testing.assert_array_equal(
        loaded.predict(images, verbose=0), model.predict(images, verbose=0)
    )
    assert len(loaded.trainable_variables) == len(model.trainable_variables)


def test_a_model_of_tf_scl_gives_its_encoder_and_images_any_size():
    whole = tf_scl.SpectralContrastive(_encoder(), keras.layers.Dense(4))
    model = Classifier(whole, _CLASSES)
    assert model.encoder is whole.encoder
    large = np.stack([photo(number, 24, 32) for number in range(2)])
    assert model.predict(large, verbose=0).shape == (2, 3)


def test_the_loss_has_a_gradient_where_keras_has_none():
    logits = tf.Variable([[40.0, 0.0], [-3.0, 1.0]])
    y = tf.constant([1, 0])
    with tf.GradientTape() as tape:
        loss = CrossEntropy()(y, tf.nn.softmax(logits))
    expected = (tf.nn.softmax(logits) - tf.one_hot(y, 2)) / 2
    np.testing.assert_allclose(tape.gradient(loss, logits), expected, atol=1e-6)
    np.testing.assert_allclose(loss, (40 + np.log1p(np.exp(4))) / 2, rtol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"classes": "cat"}, r"Received: 'cat'"),
        ({"classes": 3}, "must be a list of names"),
        ({"classes": ["a"]}, "at least two names"),
        ({"classes": ["a", "a"]}, "none of them twice"),
        ({"classes": ["a", ""]}, "must be a list of names"),
        ({"tuned": "body"}, "tuned.*'head', 'last', 'all'.*'body'"),
        ({"backbone_rate": 0}, "backbone_rate"),
    ],
)
def test_arguments_that_cannot_work(arguments, message):
    with pytest.raises(tf_scl.InputError, match=message):
        Classifier(_encoder(), **{"classes": _CLASSES, **arguments})


def test_labels_that_are_no_class():
    images, labels = _images()
    model = Classifier(_encoder(), _CLASSES)
    model.compile()
    odd = labels.copy()
    odd[3] = "green"
    for call in (model.fit_head, model.fit, model.calibrate):
        with pytest.raises(tf_scl.InputError, match="no class 'green'; its classes are 'bright'"):
            call(images, odd)
    with pytest.raises(tf_scl.InputError, match="no class 7; its classes are 0, 1, 2"):
        model.fit_head(images, np.full(len(images), 7))
    with pytest.raises(tf_scl.InputError, match="no image of the class 'dark' is labeled"):
        model.fit_head(images, np.where(labels == "dark", "red", labels))
