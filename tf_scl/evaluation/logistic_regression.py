"""Multinomial logistic regression: its gradient, and its optimum with an L2 penalty.

L-BFGS (scipy) needs hundreds of iterations where features vary much more in some
directions than in others, as pixels do. Both remedies here leave the optimum where it
is: `principal_components` turns the axes (the penalty does not see that), and
`fit_logistic_regression` scales each axis by the root of the loss's curvature along it.

scikit-learn's LogisticRegression, which has neither, comes to the same accuracy, but takes
several times as long on many images or wide features, by lbfgs and by newton-cg.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from scipy import linalg, optimize
from scipy.special import log_softmax

from tf_scl.typing import Array

_MAX_ITERATIONS = 1000
_LOGITS = 2**22  # at a time: memory is bounded, whatever the number of images
_LEAST_CURVATURE = 1e-6  # probabilities of 0 and 1 have none


def principal_components(
    features: Array,
) -> tuple[Array, Callable[[Array], Array]]:
    """Features on their principal axes, as many as they have directions.

    Args:
        features: float64 [N, D], centered.

    Returns:
        (components, to_features): float64 [N, r], r <= min(N, D), whose columns
        are orthogonal; and a function that turns weights [r, ...] of components into
        weights [D, ...] of features, of the same norm and with the same logits.
    """
    n, dim = features.shape
    if n >= dim:
        axes = linalg.eigh(features.T @ features, check_finite=False)[1]
        return features @ axes, lambda weights: np.tensordot(axes, weights, 1)
    squared, left = linalg.eigh(features @ features.T, check_finite=False)
    kept = squared > dim * np.finfo(float).eps * max(squared[-1], np.finfo(float).tiny)
    squared = squared[kept]
    components = left[:, kept] * np.sqrt(squared)

    def to_features(weights: Array) -> Array:
        scaled = (weights.T / squared).T  # axes = features^T components / squared
        return np.tensordot(features.T, np.tensordot(components, scaled, 1), 1)

    return components, to_features


def cross_entropy_gradient(weights: Array, features: Array, targets: Array) -> Array:
    """Computes the gradient of the mean cross-entropy of a batch; nothing is penalized.

    Args:
        weights: float [D + 1, classes], the bias in the last row.
        features: float [n, D].
        targets: int [n] in 0..classes-1.

    Returns:
        An array like `weights`.
    """
    logits = features @ weights[:-1] + weights[-1]
    residual = np.exp(logits - logits.max(axis=1, keepdims=True))
    residual /= residual.sum(axis=1, keepdims=True)
    residual[np.arange(len(targets)), targets] -= 1
    residual /= len(targets)
    return np.vstack([features.T @ residual, residual.sum(axis=0)])


def fit_logistic_regression(
    features: Array,
    targets: Array,
    classes: int,
    l2: float,
    sample_weights: Array | None = None,
    start: Array | None = None,
    tolerance: float = 1e-7,
    callback: Callable[[Any], None] | None = None,
) -> Array:
    """Minimizes weighted mean cross-entropy + l2/2 |W|^2; the bias is not penalized.

    Several problems that differ in the weights of their images, such as the folds of
    a cross-validation, are solved at once: the features are read once for all.

    Args:
        features: float [N, D]; products with them are in their precision. Fast where
            columns are orthogonal, as those of `principal_components`.
        targets: int [N] in 0..classes-1.
        classes: Int, number of classes.
        l2: Float > 0.
        sample_weights: float [problems, N], each row of sum 1; None for one problem
            in which all images count alike.
        start: Weights to start from, or None for zeros.
        tolerance: Float, of the gradient where each axis is scaled to curvature 1: of
            the size of the logits' error.
        callback: Function of one argument to call after each iteration, or None.

    Returns:
        float64 [D + 1, problems, classes], the bias in the last row.
    """
    n, dim = features.shape
    if sample_weights is None:
        sample_weights = np.full((1, n), 1 / n)
    shape = (dim + 1, len(sample_weights), classes)
    start = np.zeros(shape) if start is None else start
    problem = _Problem(features, targets, sample_weights.T[:, :, None], l2)
    scale = problem.curvature(start)

    def loss_and_gradient(flat: Array) -> tuple[float, Array]:
        loss, gradient = problem.loss_and_gradient(flat.reshape(shape) / scale)
        return loss, (gradient / scale).ravel()

    solution = optimize.minimize(
        loss_and_gradient,
        (start * scale).ravel(),
        jac=True,
        method="L-BFGS-B",
        callback=callback,
        options={"maxiter": _MAX_ITERATIONS, "gtol": tolerance, "ftol": 0.0},
    )
    return solution.x.reshape(shape) / scale


class _Problem:
    """The loss, its gradient and about its curvature, at weights [D + 1, problems, classes]."""

    def __init__(self, features: Array, targets: Array, sample_weights: Array, l2: float) -> None:
        self.features, self.targets, self.l2 = features, targets, l2
        self.sample_weights = sample_weights  # [N, problems, 1]

    def loss_and_gradient(self, weights: Array) -> tuple[float, Array]:
        loss = 0.5 * self.l2 * np.sum(weights[:-1] ** 2)
        gradient = np.zeros_like(weights)
        gradient[:-1] = self.l2 * weights[:-1]
        for rows, log_p in self._log_probabilities(weights):
            given = self.sample_weights[rows]
            at = np.arange(len(log_p)), slice(None), self.targets[rows]
            loss -= np.sum(given[:, :, 0] * log_p[at])
            residual = np.exp(log_p)
            residual[at] -= 1
            residual *= given
            flat = residual.reshape(len(log_p), -1).astype(self.features.dtype, copy=False)
            gradient[:-1] += (flat.T @ self.features[rows]).T.reshape(gradient[:-1].shape)
            gradient[-1] += residual.sum(axis=0)
        return loss, gradient

    def curvature(self, weights: Array) -> Array:
        """Roots of the curvature along each axis, [D + 1, problems, 1], were axes alone."""
        confusion = np.zeros(weights.shape[1])
        for rows, log_p in self._log_probabilities(weights):
            p = np.exp(log_p)
            confusion += np.mean(self.sample_weights[rows] * p * (1 - p), axis=2).sum(axis=0)
        confusion = np.maximum(confusion, _LEAST_CURVATURE)
        variances = np.mean(self.features**2, axis=0, dtype=np.float64)
        by_axis = np.outer(variances, confusion) + self.l2
        return np.sqrt(np.vstack([by_axis, confusion]))[:, :, None]

    def _log_probabilities(self, weights: Array) -> Iterator[tuple[slice, Array]]:
        """Pairs of a slice of rows and their float64 [rows, problems, classes]."""
        step = max(1, _LOGITS // weights[0].size)
        flat = weights[:-1].reshape(len(weights) - 1, weights[0].size)
        flat = flat.astype(self.features.dtype, copy=False)
        for first in range(0, len(self.features), step):
            rows = slice(first, first + step)
            logits = (self.features[rows] @ flat).reshape(-1, *weights.shape[1:])
            yield rows, log_softmax(logits + weights[-1], axis=2)
