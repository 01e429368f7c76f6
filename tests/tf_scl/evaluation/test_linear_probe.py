import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

import tf_scl
from tests import reference
from tf_scl.evaluation.linear_probe import draw_fraction, draw_labelled, fit_logistic_regression


@pytest.fixture(scope="module")
def digits():
    images, labels = load_digits(return_X_y=True)
    return images[:1000], labels[:1000], images[1000:], labels[1000:]


@pytest.mark.parametrize("l2", [1e-3, 0.1])
def test_solver_agrees_with_scikit_learn(digits, l2):
    features = StandardScaler().fit_transform(digits[0])
    weights = fit_logistic_regression(features, digits[1], 10, l2)
    # scikit-learn minimises the sum, with weight 1 / C on |W|^2 / 2.
    sklearn = LogisticRegression(C=1 / (l2 * len(features)), tol=1e-8, max_iter=5000)
    sklearn.fit(features, digits[1])
    ours = features @ weights[:-1] + weights[-1]
    theirs = sklearn.decision_function(features)
    np.testing.assert_allclose(
        ours - ours.mean(1, keepdims=True), theirs - theirs.mean(1, keepdims=True), atol=0.02
    )


def test_gradient_vanishes_at_the_solution():
    rng = np.random.default_rng(0)
    features, targets = rng.normal(size=(30, 4)), rng.integers(0, 3, 30)

    def loss(weights):
        logits = features @ weights[:-1] + weights[-1]
        picked = np.exp(logits)[np.arange(30), targets] / np.exp(logits).sum(1)
        return -np.log(picked).mean() + 0.05 * np.sum(weights[:-1] ** 2)

    solution = fit_logistic_regression(features, targets, 3, l2=0.1)
    np.testing.assert_allclose(reference.numeric_gradient(loss, solution), 0, atol=1e-5)


def test_accuracy_agrees_with_scikit_learn(digits):
    train, labels, test, truth = digits
    result = tf_scl.linear_probe(train, labels, test, truth)
    scaler = StandardScaler().fit(train)
    best = max(
        LogisticRegression(C=1 / (l2 * len(train)), max_iter=5000)
        .fit(scaler.transform(train), labels)
        .score(scaler.transform(test), truth)
        for l2 in (1e-3, 1e-2, 1e-1)
    )
    assert abs(result.accuracy - best) < 0.012
    assert result.train_size == 1000
    assert np.mean(result.predictions == truth) == result.accuracy


def test_scale_and_offset_of_the_features_do_not_matter(digits):
    train, labels, test, truth = digits
    scale = np.random.default_rng(0).uniform(0.01, 100, train.shape[1])
    plain = tf_scl.linear_probe(train[:200], labels[:200], test, truth)
    moved = tf_scl.linear_probe(train[:200] * scale + 7, labels[:200], test * scale + 7, truth)
    assert moved.accuracy == pytest.approx(plain.accuracy, abs=0.01)


def test_classes_may_be_missing_on_either_side():
    train, labels = np.array([[0.0], [0.1], [1.0], [1.1]]), np.array([4, 4, 9, 9])
    result = tf_scl.linear_probe(train, labels, np.array([[0.0], [1.0], [5.0]]), [4, 9, 7])
    assert result.predictions.tolist() == [4, 9, 9]
    assert result.accuracy == pytest.approx(2 / 3)


def test_one_example_of_a_class_is_enough():
    train, labels = np.array([[0.0], [0.1], [1.0]]), np.array([0, 0, 1])
    assert tf_scl.linear_probe(train, labels, [[1.2]], [1]).accuracy == 1.0


def test_draws_take_per_class_and_never_more_than_there_is():
    labels = np.repeat([0, 1, 2], [50, 3, 20])
    chosen = draw_labelled(labels, 10, np.random.default_rng(0))
    assert np.bincount(labels[chosen]).tolist() == [10, 3, 10]
    assert len(set(chosen)) == len(chosen)
    other = draw_labelled(labels, 10, np.random.default_rng(1))
    assert chosen.tolist() != other.tolist()


def test_fractions_take_the_same_share_of_every_class_and_at_least_one():
    labels = np.repeat([0, 1, 2], [500, 3, 205])
    chosen = draw_fraction(labels, 0.1, np.random.default_rng(0))
    assert np.bincount(labels[chosen]).tolist() == [50, 1, 20]
    assert len(set(chosen)) == len(chosen)
    other = draw_fraction(labels, 0.1, np.random.default_rng(1))
    assert chosen.tolist() != other.tolist()
    assert draw_fraction(labels, 1.0, np.random.default_rng(0)).tolist() == list(range(708))


@pytest.mark.parametrize("fraction", [0, 1.5, float("nan")])
def test_a_fraction_out_of_range_is_named(fraction):
    with pytest.raises(tf_scl.InputError, match=f"`fraction`.*{fraction}"):
        draw_fraction([0, 1], fraction, np.random.default_rng(0))


def _gaussians(rng, centres, count):
    labels = rng.integers(len(centres), size=count)
    return centres[labels] + rng.normal(size=(count, centres.shape[1])), labels


@pytest.mark.parametrize("l2", [1e-3, 1e-1])
def test_accuracy_is_that_of_scikit_learn_to_a_fifth_of_a_point(l2):
    """Same features, same penalty, 50,000 test images: one image is 0.002 points."""
    rng = np.random.default_rng(0)
    centres = 0.9 * rng.normal(size=(8, 16))
    train, labels = _gaussians(rng, centres, 2000)
    test, truth = _gaussians(rng, centres, 50_000)
    weights = fit_logistic_regression(train, labels, 8, l2)
    predicted = np.argmax(test @ weights[:-1] + weights[-1], axis=1)
    theirs = LogisticRegression(C=1 / (l2 * len(train)), max_iter=5000).fit(train, labels)
    expected = theirs.score(test, truth)
    assert 0.7 < expected < 0.99
    assert abs(np.mean(predicted == truth) - expected) < 0.002


def test_labels_of_the_test_part_choose_nothing(digits):
    train, labels, test, truth = digits
    honest = tf_scl.linear_probe(train[:300], labels[:300], test, truth)
    wrong = tf_scl.linear_probe(train[:300], labels[:300], test, (truth + 1) % 10)
    assert wrong.l2 == honest.l2
    np.testing.assert_array_equal(wrong.predictions, honest.predictions)
    # Nor do the other test images: each is judged by itself.
    alone = tf_scl.linear_probe(train[:300], labels[:300], test[:5], truth[:5])
    np.testing.assert_array_equal(alone.predictions, honest.predictions[:5])


@pytest.mark.parametrize(
    "train,labels,test,truth,message",
    [
        (np.ones((3, 2)), [1, 1, 1], np.ones((1, 2)), [1], r"two classes.*\[1\]"),
        (np.full((2, 2), np.nan), [0, 1], np.ones((1, 2)), [1], "4 of the 4 train features"),
        (np.ones((2, 2)), [0, 1], np.ones((0, 2)), [], "test features.*0 labels"),
        (np.ones((2, 2)), [0, 1, 2], np.ones((1, 2)), [1], "3 labels"),
    ],
)
def test_bad_input_is_named(train, labels, test, truth, message):
    with pytest.raises(tf_scl.InputError, match=message):
        tf_scl.linear_probe(train, labels, test, truth)
