import dataclasses

import keras
import numpy as np
import pytest

import tf_scl
from tests.tf_scl.classification.test_classifier import _CLASSES, _encoder, _images
from tf_scl.classification import few_labels
from tf_scl.classification.few_labels import fit_classifier
from tf_scl.config import ClassifyConfig

_CONFIG = ClassifyConfig(tuned="all", epochs=4, batch_size=8, learning_rate=1e-2)


def test_the_head_alone_is_that_of_the_classifier():
    images, labels = _images()
    encoder = _encoder()
    model = fit_classifier(encoder, images, labels)
    assert encoder.trainable and model.encoder is not encoder
    other = tf_scl.Classifier(_encoder(), _CLASSES)
    other.fit_head(images, labels)
    assert model.classes == tuple(sorted(_CLASSES))
    np.testing.assert_allclose(
        model.predict(images, verbose=0), other.predict(images, verbose=0), atol=1e-5
    )


def test_numbers_are_labels_where_classes_are_named():
    images, labels = _images()
    numbers = np.array([_CLASSES.index(label) for label in labels])
    model = fit_classifier(_encoder(), images, numbers, classes=_CLASSES)
    assert model.classes == tuple(_CLASSES)
    assert fit_classifier(_encoder(), images, numbers).classes == ("0", "1", "2")


@pytest.fixture(scope="module")
def tuned():
    """Of a fine-tuned classifier: (model, the encoder that was given, its weights then)."""
    encoder = _encoder()
    before = encoder.get_weights()
    return fit_classifier(encoder, *_images(), _CONFIG), encoder, before


def test_fine_tuning_never_ends_worse_on_what_was_left_out(tuned):
    images, labels = _images()
    model, encoder, before = tuned
    for one, other in zip(before, encoder.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)  # what was trained is a copy
    targets = model.targets(labels)
    left_out = few_labels._left_out(targets, model.classes, _CONFIG)
    assert np.bincount(targets[left_out]).tolist() == [2, 2, 2]
    frozen = tf_scl.Classifier(encoder, model.classes)
    frozen.fit_head(images[~left_out], targets[~left_out])

    def loss(classifier):
        p = classifier.predict(images[left_out], verbose=0)
        return -np.mean(np.log(p[np.arange(len(p)), targets[left_out]]))

    frozen.calibrate(images[left_out], targets[left_out])
    assert loss(model) <= loss(frozen) + 1e-6


def test_training_that_makes_it_worse_is_undone():
    images, labels = _images()
    config = dataclasses.replace(_CONFIG, learning_rate=100.0, patience=2)
    model = fit_classifier(_encoder(), images, labels, config)
    targets = model.targets(labels)
    assert np.mean(model.predict(images, verbose=0).argmax(axis=1) == targets) > 0.8


def test_the_same_seed_trains_the_same_classifier(tuned, caplog):
    with caplog.at_level("INFO"):
        again = fit_classifier(_encoder(), *_images(), _CONFIG)
    assert "of 4 epochs, number" in caplog.text
    for one, two in zip(tuned[0].get_weights(), again.get_weights(), strict=True):
        np.testing.assert_allclose(one, two, atol=1e-6)


def test_rare_classes_count_as_much_as_frequent_ones():
    """Weights of classes in the loss, where asked for: w_c n_c is the same for all."""
    images, labels = _images()
    rows = np.r_[0:9, np.flatnonzero(labels == "dark")[3:]]
    seen = {}
    fit = tf_scl.Classifier.fit

    def watch(self, data, **options):
        seen.update(
            (int(y), float(w)) for batch in data.take(9) for y, w in zip(*batch[1:], strict=True)
        )
        return fit(self, data, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tf_scl.Classifier, "fit", watch)
        alike = dataclasses.replace(_CONFIG, balanced=True)
        fit_classifier(_encoder(), images[rows], labels[rows], alike)
        assert seen[0] == seen[2] > seen[1]
        fit_classifier(_encoder(), images[rows], labels[rows], _CONFIG)
        assert seen[0] == seen[2] == seen[1] == 1


def test_classes_of_one_image():
    images, labels = _images()
    rows = np.r_[np.flatnonzero(labels != "red"), np.flatnonzero(labels == "red")[:1]]
    assert len(fit_classifier(_encoder(), images[rows], labels[rows]).classes) == 3
    with pytest.raises(tf_scl.InputError, match=r"'red' has 1 labeled image.*classify.tuned to"):
        fit_classifier(_encoder(), images[rows], labels[rows], _CONFIG)


def test_what_cannot_be_classified_is_named():
    images, labels = _images()
    with pytest.raises(tf_scl.InputError, match="at least two names"):
        fit_classifier(_encoder(), images, np.full(len(images), "cat"))
    encoder = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Flatten()])
    with pytest.raises(tf_scl.InputError, match="has no last stage"):
        fit_classifier(encoder, images, labels, ClassifyConfig(tuned="last"))


def test_images_and_labels_that_do_not_match_are_named():
    images, labels = _images()
    for config in (None, _CONFIG):
        with pytest.raises(tf_scl.InputError, match="Received: 23 images, 24 labels"):
            fit_classifier(_encoder(), images[:-1], labels, config)
    numbers = np.arange(24) % 3 - 1
    with pytest.raises(tf_scl.InputError, match="must not be negative.*Received: -1"):
        fit_classifier(_encoder(), images, numbers, classes=_CLASSES)


def test_one_image_of_each_class_says_nothing_of_the_temperature():
    images, labels = _images()
    assert fit_classifier(_encoder(), images[:3], labels[:3]).temperature == 1
    # A class of one image beside others of many does not count.
    rows = np.flatnonzero(labels != "red")
    one = np.flatnonzero(labels == "red")[:1]
    whole = fit_classifier(_encoder(), images[np.r_[rows, one]], labels[np.r_[rows, one]])
    assert whole.temperature < 5
