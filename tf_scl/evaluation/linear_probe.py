"""Linear probe: multinomial logistic regression on frozen features.

Solved to convergence with L-BFGS (scipy), so there is no learning rate to
tune. The L2 strength is chosen by cross-validation inside the training part;
the test part is looked at once.
"""

import dataclasses

import numpy as np
from scipy import optimize
from scipy.special import log_softmax

from tf_scl.errors import InputError
from tf_scl.evaluation.features import check_features

L2_GRID = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
_FOLDS = 3


@dataclasses.dataclass(frozen=True)
class ProbeResult:
    """Outcome of one probe.

    Attributes:
        accuracy: Share of the test labels that were predicted, 0..1.
        l2: The L2 strength that was chosen.
        train_size: Number of labelled images that were used.
        predictions: int64 [number of test images].
    """

    accuracy: float
    l2: float
    train_size: int
    predictions: np.ndarray


def linear_probe(train_features, train_labels, test_features, test_labels, seed=0):
    """Trains a linear classifier on frozen features and tests it.

    Features are standardised with the training part's mean and standard
    deviation, so that encoders of different scales are treated alike.

    Args:
        train_features: Float array [N, D].
        train_labels: Int array [N].
        test_features: Float array [M, D].
        test_labels: Int array [M]; may hold classes that the training part lacks.
        seed: Int, seed of the folds.

    Returns:
        `ProbeResult`.

    Raises:
        InputError: Fewer than two classes to learn, an empty test part,
            features that are not finite, or arrays that do not match.
    """
    train_features = check_features("train", train_features, train_labels)
    test_features = check_features("test", test_features, test_labels)
    if len(np.unique(train_labels)) < 2:
        raise InputError(
            "the probe needs at least two classes to tell apart. "
            f"Received labels of {sorted(set(np.asarray(train_labels).tolist()))} only"
        )
    classes, targets = np.unique(train_labels, return_inverse=True)
    mean, std = train_features.mean(0), train_features.std(0)
    std[std <= 1e-7 * (np.abs(mean) + 1e-30)] = 1.0  # a constant feature tells nothing
    train_features = (train_features - mean) / std
    test_features = (test_features - mean) / std
    l2 = _choose_l2(train_features, targets, len(classes), seed)
    weights = fit_logistic_regression(train_features, targets, len(classes), l2)
    predictions = classes[np.argmax(_logits(weights, test_features), axis=1)]
    accuracy = float(np.mean(predictions == np.asarray(test_labels)))
    return ProbeResult(accuracy, l2, len(targets), predictions)


def fit_logistic_regression(features, targets, classes, l2, start=None):
    """Minimises mean cross-entropy + l2/2 |W|^2; the bias is not penalised.

    Args:
        features: float64 [N, D].
        targets: int [N] in 0..classes-1.
        classes: Int, number of classes.
        l2: Float > 0.
        start: Weights to start from, or None for zeros.

    Returns:
        float64 [D + 1, classes], the bias in the last row.
    """
    n, dim = features.shape
    one_hot = np.eye(classes)[targets]

    def loss_and_gradient(flat):
        weights = flat.reshape(dim + 1, classes)
        log_p = log_softmax(_logits(weights, features), axis=1)
        residual = (np.exp(log_p) - one_hot) / n
        gradient = np.empty_like(weights)
        gradient[:-1] = features.T @ residual + l2 * weights[:-1]
        gradient[-1] = residual.sum(0)
        loss = -np.sum(log_p * one_hot) / n + 0.5 * l2 * np.sum(weights[:-1] ** 2)
        return loss, gradient.ravel()

    start = np.zeros((dim + 1, classes)) if start is None else start
    solution = optimize.minimize(
        loss_and_gradient,
        start.ravel(),
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": 1000, "gtol": 1e-6},
    )
    return solution.x.reshape(dim + 1, classes)


def draw_labelled(labels, per_class, rng):
    """Indices of `per_class` random examples of each class (all, where it has fewer)."""
    labels = np.asarray(labels)
    chosen = [
        rng.permutation(np.flatnonzero(labels == value))[:per_class] for value in np.unique(labels)
    ]
    return np.sort(np.concatenate(chosen))


def draw_fraction(labels, fraction, rng):
    """Indices of a random share of the examples, the same share of each class.

    Args:
        labels: Int array [N].
        fraction: Float in (0, 1].
        rng: `numpy.random.Generator`.

    Returns:
        Sorted int array: of a class of n examples round(fraction * n), but at
        least one.

    Raises:
        InputError: `fraction` out of range.
    """
    if not 0 < fraction <= 1:
        raise InputError(f"`fraction` must be above 0 and at most 1. Received: {fraction}")
    labels = np.asarray(labels)
    chosen = []
    for value in np.unique(labels):
        members = rng.permutation(np.flatnonzero(labels == value))
        chosen.append(members[: max(1, round(fraction * len(members)))])
    return np.sort(np.concatenate(chosen))


def _logits(weights, features):
    return features @ weights[:-1] + weights[-1]


def _choose_l2(features, targets, classes, seed):
    """The strength with the best cross-validated accuracy; of equals, the strongest."""
    fold = np.empty(len(targets), int)
    rng = np.random.default_rng(seed)
    for value in range(classes):  # stratified
        members = rng.permutation(np.flatnonzero(targets == value))
        fold[members] = (np.arange(len(members)) + rng.integers(_FOLDS)) % _FOLDS
    correct = np.zeros(len(L2_GRID), int)
    for held_out in range(_FOLDS):
        train, test = fold != held_out, fold == held_out
        if not test.any() or not train.any():
            continue
        weights = None
        for index in reversed(range(len(L2_GRID))):  # strong to weak, each a warm start
            weights = fit_logistic_regression(
                features[train], targets[train], classes, L2_GRID[index], weights
            )
            predicted = np.argmax(_logits(weights, features[test]), axis=1)
            correct[index] += np.sum(predicted == targets[test])
    return L2_GRID[np.flatnonzero(correct == correct.max())[-1]]
