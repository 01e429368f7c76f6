import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from tests import reference
from tests.tf_scl.evaluation import newton
from tf_scl.evaluation.logistic_regression import (
    cross_entropy_gradient,
    fit_logistic_regression,
    principal_components,
)


def _solve(features, targets, classes, l2):
    """Weights [D + 1, classes] in the features' own coordinates, by the components."""
    components, to_features = principal_components(features)
    weights = fit_logistic_regression(components, targets, classes, l2)[:, 0]
    return np.vstack([to_features(weights[:-1]), weights[-1:]])


@pytest.mark.parametrize("l2", [1e-3, 0.1])
def test_solver_agrees_with_scikit_learn(l2):
    images, targets = load_digits(return_X_y=True)
    features = StandardScaler().fit_transform(images[:1000])
    targets = targets[:1000]
    ours = newton.logits(_solve(features, targets, 10, l2), features)
    # scikit-learn minimizes the sum, with weight 1 / C on |W|^2 / 2.
    sklearn = LogisticRegression(C=1 / (l2 * len(features)), tol=1e-8, max_iter=5000)
    theirs = sklearn.fit(features, targets).decision_function(features)
    np.testing.assert_allclose(
        ours - ours.mean(1, keepdims=True), theirs - theirs.mean(1, keepdims=True), atol=0.005
    )


def _pixels(rng, count, side):
    """Smooth images, standardized: variances from 1 to thousands along their components."""
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(side), np.fft.fftfreq(side)))
    frequency[0, 0] = 1 / side
    noise = np.fft.fft2(rng.normal(size=(count, side, side)))
    images = np.fft.ifft2(noise / frequency**2).real.reshape(count, -1)
    return (images - images.mean(0)) / images.std(0)


def _tall(rng):
    return rng.normal(size=(200, 10)) * 10.0 ** np.arange(-4.0, 1.0, 0.5)


def _one_direction_twice(rng):
    few = rng.normal(size=(60, 8))
    few -= few.mean(0)
    return np.hstack([few, few, few @ rng.normal(size=(8, 80))])


def _constant_columns(rng):
    return np.hstack([_tall(rng), np.zeros((200, 3))])


_MADE = {
    "tall": _tall,
    "wide": lambda rng: _pixels(rng, 40, 12),
    "as wide as tall": lambda rng: _pixels(rng, 64, 8),
    "one direction twice": _one_direction_twice,
    "constant columns": _constant_columns,
    "nothing but constants": lambda rng: np.zeros((20, 30)),
}


@pytest.mark.parametrize("kind", _MADE)
@pytest.mark.parametrize("l2", [1e-4, 1e-2, 1.0])
def test_the_gradient_vanishes_in_the_features_own_coordinates(kind, l2):
    rng = np.random.default_rng(0)
    features = _MADE[kind](rng)
    targets = np.argmax(features[:, :4] + features.std() * rng.normal(size=(len(features), 4)), 1)
    targets[:4] = range(4)
    weights = _solve(features, targets, 4, l2)
    assert np.abs(newton.gradient(weights, features, targets, l2)).max() < 1e-5
    best = newton.newton(features, targets, 4, l2)
    assert np.abs(newton.gradient(best, features, targets, l2)).max() < 1e-9
    excess = newton.loss(weights, features, targets, l2) - newton.loss(best, features, targets, l2)
    assert -1e-10 < excess < 1e-8
    found, expected = (newton.logits(one, features) for one in (weights, best))
    found, expected = (x - x.mean(1, keepdims=True) for x in (found, expected))
    np.testing.assert_allclose(found, expected, atol=2e-3 * max(1.0, np.abs(expected).max()))


def test_the_gradient_of_the_reference_is_that_of_its_loss():
    rng = np.random.default_rng(0)
    features, targets, weights = rng.normal(size=(9, 3)), rng.integers(0, 3, 9), np.ones((4, 3))
    weights += rng.normal(size=(4, 3))
    numeric = reference.numeric_gradient(lambda w: newton.loss(w, features, targets, 0.1), weights)
    np.testing.assert_allclose(newton.gradient(weights, features, targets, 0.1), numeric, atol=1e-6)


@pytest.mark.parametrize("dtype,tolerance", [(np.float64, 1e-12), (np.float32, 1e-5)])
def test_the_gradient_of_a_batch(dtype, tolerance):
    rng = np.random.default_rng(0)
    features, targets, weights = rng.normal(size=(9, 3)), rng.integers(0, 3, 9), np.ones((4, 3))
    weights += rng.normal(size=(4, 3))
    found = cross_entropy_gradient(weights.astype(dtype), features.astype(dtype), targets)
    assert found.dtype == dtype
    np.testing.assert_allclose(
        found, newton.gradient(weights, features, targets, 0.0), atol=tolerance
    )


def test_the_gradient_of_huge_logits_is_finite():
    gradient = cross_entropy_gradient(np.full((3, 2), [0.0, 1e4]), np.ones((1, 2)), np.array([0]))
    np.testing.assert_array_equal(gradient, [[-1, 1]] * 3)


@pytest.mark.parametrize("shape", [(30, 8), (8, 30), (10, 10)])
def test_components_turn_the_features(shape):
    rng = np.random.default_rng(0)
    features = rng.normal(size=shape)
    features -= features.mean(0)
    components, to_features = principal_components(features)
    gram = components.T @ components
    np.testing.assert_allclose(gram - np.diag(np.diag(gram)), 0, atol=1e-12)
    weights = rng.normal(size=(components.shape[1], 3))
    turned = to_features(weights)
    np.testing.assert_allclose(features @ turned, components @ weights, atol=1e-12)
    np.testing.assert_allclose(np.sum(turned**2, 0), np.sum(weights**2, 0))
    assert components.shape[1] <= min(shape)


def test_several_problems_at_once_are_each_solved():
    """Folds of a cross-validation: each has the optimum of its own images alone."""
    rng = np.random.default_rng(0)
    features, targets = rng.normal(size=(60, 5)), rng.integers(0, 3, 60)
    taken = np.arange(60)[None] % 3 != np.arange(3)[:, None]
    together = fit_logistic_regression(
        features, targets, 3, 0.01, taken / taken.sum(axis=1, keepdims=True)
    )
    assert together.shape == (6, 3, 3)
    for number, rows in enumerate(taken):
        alone = newton.newton(features[rows], targets[rows], 3, 0.01)
        np.testing.assert_allclose(together[:-1, number], alone[:-1], atol=1e-4)


def test_rows_at_a_time_do_not_matter(monkeypatch):
    rng = np.random.default_rng(0)
    features, targets = rng.normal(size=(50, 5)), rng.integers(0, 3, 50)
    whole = fit_logistic_regression(features, targets, 3, 0.1)
    monkeypatch.setattr("tf_scl.evaluation.logistic_regression._LOGITS", 21)
    np.testing.assert_allclose(fit_logistic_regression(features, targets, 3, 0.1), whole, atol=1e-5)


def test_pixels_need_tens_of_iterations_not_hundreds():
    rng = np.random.default_rng(0)
    features = _pixels(rng, 150, 20)
    targets = rng.integers(0, 3, 150)
    iterations = []
    components, _ = principal_components(features)
    fit_logistic_regression(components, targets, 3, 1e-3, callback=iterations.append)
    turned = len(iterations)
    iterations.clear()
    fit_logistic_regression(features, targets, 3, 1e-3, callback=iterations.append)
    assert 5 * turned < len(iterations)


def _gaussians(rng, centers, count):
    labels = rng.integers(len(centers), size=count)
    return centers[labels] + rng.normal(size=(count, centers.shape[1])), labels


@pytest.mark.parametrize("l2", [1e-3, 1e-1])
def test_accuracy_is_that_of_scikit_learn_to_a_fifth_of_a_point(l2):
    """Same features, same penalty, 50,000 test images: one image is 0.002 points."""
    rng = np.random.default_rng(0)
    centers = 0.9 * rng.normal(size=(8, 16))
    train, labels = _gaussians(rng, centers, 2000)
    test, truth = _gaussians(rng, centers, 50_000)
    predicted = np.argmax(newton.logits(_solve(train, labels, 8, l2), test), axis=1)
    theirs = LogisticRegression(C=1 / (l2 * len(train)), max_iter=5000).fit(train, labels)
    expected = theirs.score(test, truth)
    assert 0.7 < expected < 0.99
    assert abs(np.mean(predicted == truth) - expected) < 0.002
