import numpy as np
import pytest

import tf_scl
from tf_scl.callbacks.labeled_images import LabeledImages


def test_features_are_those_of_the_model_without_training(pair_model, labeled):
    model = pair_model()
    data = LabeledImages("Probe", *labeled, batch_size=30)
    before = [np.array(variable) for variable in model.variables]
    features = data.features(model, data.test_images)
    expected = model.predict(data.test_images, verbose=0)
    np.testing.assert_allclose(features, expected, atol=1e-5)
    assert features.dtype == np.float32
    for old, new in zip(before, model.variables, strict=True):
        np.testing.assert_array_equal(old, new)
    # Another model is not taken for the one before.
    other = pair_model()
    other.encoder.layers[1].kernel.assign(2 * other.encoder.layers[1].kernel)
    assert np.abs(data.features(other, data.test_images) - expected).max() > 0.1


def test_data_that_do_not_match_are_refused(labeled):
    images, labels, test_images, test_labels = labeled
    with pytest.raises(tf_scl.InputError, match="Probe needs.*train image.*64 images.*63"):
        LabeledImages("Probe", images, labels[1:], test_images, test_labels)
    with pytest.raises(tf_scl.InputError, match="one test image.*Received: 0 images"):
        LabeledImages("Probe", images, labels, test_images[:0], test_labels[:0])
    with pytest.raises(tf_scl.InputError, match=r"of one size. Received: \(6,\) and \(5,\)"):
        LabeledImages("Probe", images, labels, test_images[:, :5], test_labels)
    with pytest.raises(tf_scl.InputError, match=r"at least two classes. Received.*\[5\] only"):
        LabeledImages("Probe", images, np.full(64, 5), test_images, test_labels)
    with pytest.raises(tf_scl.InputError, match="`train_labels`.*numpy.argmax"):
        LabeledImages("Probe", images, np.eye(2)[labels - 5], test_images, test_labels)
    with pytest.raises(tf_scl.InputError, match="`test_labels`.*nan"):
        LabeledImages("Probe", images, labels, test_images, np.full(100, np.nan))


def test_a_column_of_labels_counts_as_labels(labeled):
    images, labels, test_images, test_labels = labeled
    data = LabeledImages("Probe", images, labels[:, None], test_images, test_labels[:, None])
    assert data.train_labels.tolist() == labels.tolist()
    assert data.test_labels.tolist() == test_labels.tolist()
    assert data.classes[data.targets].tolist() == labels.tolist()
