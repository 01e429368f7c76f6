import logging

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.neighbors import KNeighborsClassifier

import tf_scl
from tf_scl.evaluation import knn


@pytest.fixture(scope="module")
def digits():
    images, labels = load_digits(return_X_y=True)
    return images[:1000], labels[:1000], images[1000:], labels[1000:]


@pytest.mark.parametrize("k,temperature", [(1, 0.1), (20, 0.1), (200, 0.07), (5000, 0.5)])
def test_agrees_with_scikit_learn(digits, k, temperature):
    train, labels, test, truth = digits
    theirs = KNeighborsClassifier(
        min(k, np.bincount(labels).min()),
        metric="cosine",
        weights=lambda distance: np.exp((1 - distance) / temperature),
    )
    expected = theirs.fit(train, labels).score(test, truth)
    assert tf_scl.knn_accuracy(train, labels, test, truth, k, temperature) == pytest.approx(
        expected, abs=0.002
    )


def test_chunks_do_not_matter(digits, monkeypatch):
    whole = knn.knn_predict(*digits[:3])
    monkeypatch.setattr(knn, "_CHUNK", 37)
    np.testing.assert_array_equal(knn.knn_predict(*digits[:3]), whole)


def test_the_accuracy_is_that_of_the_predictions(digits):
    train, labels, test, truth = digits
    names = np.array(list("abcdefghij"))
    predicted = knn.knn_predict(train, names[labels], test, 20)
    assert np.mean(predicted == names[truth]) == tf_scl.knn_accuracy(*digits, k=20)


def test_weights_count():
    # One near neighbor of class 1 against two far ones of class 0.
    train, labels = np.array([[1.0, 0.1], [0.0, 1.0], [0.1, 1.0]]), np.array([1, 0, 0])
    assert tf_scl.knn_accuracy(train, labels, np.array([[1.0, 0.0]]), np.array([1]), 3) == 1.0
    assert tf_scl.knn_accuracy(train, labels, np.array([[1.0, 0.0]]), np.array([1]), 3, 1e3) == 0.0


def test_a_tiny_temperature_does_not_overflow(digits):
    one = tf_scl.knn_accuracy(*digits, k=1)
    assert tf_scl.knn_accuracy(*digits, k=50, temperature=1e-5) == pytest.approx(one, abs=0.003)


def test_a_column_of_labels_counts_as_labels():
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2], 20)
    features = 10 * np.eye(3)[labels] + rng.normal(size=(60, 3))
    column = labels[:, None].astype(np.uint8)
    assert tf_scl.knn_accuracy(features, column, features, column) == 1.0
    np.testing.assert_array_equal(knn.knn_predict(features, column, features), labels)


@pytest.mark.parametrize(
    "sizes,k,expected",
    [
        ([100, 72, 300], 200, 72),
        ([100, 72, 300], 72, 72),
        ([100, 72, 300], 20, 20),
        ([100, 2, 300], 200, 5),
        ([100, 2, 300], 4, 4),
        ([2, 1], 200, 3),
        ([1000], 200, 200),
    ],
)
def test_no_more_neighbors_vote_than_the_smallest_class_has(sizes, k, expected, caplog):
    labels = np.repeat(np.arange(len(sizes)), sizes)
    with caplog.at_level(logging.INFO, "tf_scl"):
        assert knn.usable_k(labels[:, None], k) == expected
    said = [f"kNN takes {expected} neighbors instead of {k}: the smallest class has {min(sizes)}"]
    assert [message[: len(said[0])] for message in caplog.messages] == said * (expected < k)


def test_a_class_of_fewer_images_than_k_can_win():
    """30 images of one class beside 500 of another: of 200 neighbors 170 would be of these."""
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], [30, 500])
    train = np.eye(2)[labels] + 0.1 * rng.normal(size=(530, 2))
    assert tf_scl.knn_accuracy(train, labels, [[1.0, 0.0]], [0], k=200, temperature=10.0) == 1.0


@pytest.mark.parametrize(
    "options", [{"k": 0}, {"k": 2.5}, {"k": float("nan")}, {"temperature": 0.0}]
)
def test_bad_arguments_are_named(digits, options):
    with pytest.raises(tf_scl.InputError, match=str(next(iter(options)))):
        tf_scl.knn_accuracy(*digits, **options)


@pytest.mark.parametrize(
    "train,labels,test,truth,message",
    [
        (np.ones((0, 2)), [], np.ones((1, 2)), [0], r"train features.*\(0, 2\), 0 labels"),
        (np.ones((2, 2)), [0, 1], np.full((2, 2), np.nan), [0, 1], "4 of the 4 test features"),
        (np.ones((2, 2)), [0, 1], np.ones((3, 2)), [0], r"\(3, 2\), 1 labels"),
        (np.ones((2, 2)), [0, 1], np.ones((1, 3)), [0], "2 and 3 dimensions"),
        (np.ones((2, 2)), np.eye(2), np.ones((1, 2)), [0], "numpy.argmax"),
        (np.ones((2, 2)), ["a", "b"], np.ones((1, 2)), [0], "text such as 'a' and numbers"),
    ],
)
def test_bad_arrays_are_named(train, labels, test, truth, message):
    with pytest.raises(tf_scl.InputError, match=message):
        tf_scl.knn_accuracy(train, labels, test, truth)
