"""Linear probe: multinomial logistic regression on frozen features.

Solved to convergence with L-BFGS (`logistic_regression.py`), so there is no
learning rate to tune. The L2 strength is chosen by cross-validation inside the
training part; the test part is looked at once.
"""

import dataclasses
import functools
import logging
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from tf_scl import validation
from tf_scl.evaluation.features import check_parts
from tf_scl.evaluation.labels import check_labels, number_classes
from tf_scl.evaluation.logistic_regression import fit_logistic_regression, principal_components
from tf_scl.evaluation.progress import Progress
from tf_scl.typing import Array

L2_GRID = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
_FOLDS = 3
_FOLDS_TOLERANCE = 1e-5  # changes the class of one image in a thousand, or of none

_log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class ProbeResult:
    """Outcome of one probe.

    Attributes:
        accuracy: Share of the test labels that were predicted, 0..1.
        l2: The L2 strength that was chosen.
        train_size: Number of labeled images that were used.
        predictions: The class of each test image, int64 or text as the labels are.
    """

    accuracy: float
    l2: float
    train_size: int
    predictions: Array


def linear_probe(
    train_features: ArrayLike,
    train_labels: Any,
    test_features: ArrayLike,
    test_labels: Any,
    seed: int = 0,
) -> ProbeResult:
    """Trains a linear classifier on frozen features and tests it.

    Features are standardized with the training part's mean and standard
    deviation, so that encoders of different scales are treated alike. A probe that
    takes long says where it is in the log, at level INFO.

    Args:
        train_features: Float array [N, D].
        train_labels: [N] or [N, 1], whole numbers or text.
        test_features: Float array [M, D].
        test_labels: [M] or [M, 1]; may hold classes that the training part lacks.
        seed: Int, seed of the folds.

    Returns:
        `ProbeResult`.

    Raises:
        InputError: Fewer than two classes to learn, an empty test part,
            features that are not finite, labels that name no class, or arrays
            that do not match.
    """
    train, train_labels, test, test_labels = check_parts(
        train_features, train_labels, test_features, test_labels
    )
    classes, targets = number_classes("the probe", train_labels)
    train, test = _standardize(train, test)
    size = "{:,} images x {:,} features".format(*train.shape)
    progress = Progress(_log, f"linear probe on {size}, {len(classes)} classes")
    components, to_features = principal_components(train)
    l2, start = _choose_l2(components, targets, len(classes), seed, progress)
    weights = fit_logistic_regression(
        components,
        targets,
        len(classes),
        l2,
        start=start,
        callback=functools.partial(
            _report, progress, f"all folds are done, fitting with L2 strength {l2:g}"
        ),
    )[:, 0]
    logits = test @ to_features(weights[:-1]) + weights[-1]
    predictions = classes[np.argmax(logits, axis=1)]
    accuracy = float(np.mean(predictions == test_labels))
    return ProbeResult(accuracy, l2, len(targets), predictions)


def draw_labeled(labels: Any, per_class: int, rng: np.random.Generator) -> Array:
    """Indices of random examples of each class, sorted.

    Args:
        labels: [N] or [N, 1], whole numbers or text.
        per_class: Int >= 1, how many examples of each class; all, where it has fewer.
        rng: `numpy.random.Generator`.

    Raises:
        InputError: `per_class` out of range, or labels that name no class.
    """
    validation.whole_number("per_class", per_class)
    return _draw(labels, lambda members: per_class, rng)


def draw_fraction(labels: Any, fraction: float, rng: np.random.Generator) -> Array:
    """Indices of a random share of the examples, the same share of each class.

    Args:
        labels: [N] or [N, 1], whole numbers or text.
        fraction: Float in (0, 1].
        rng: `numpy.random.Generator`.

    Returns:
        Sorted int array: of a class of n examples round(fraction * n), but at
        least one.

    Raises:
        InputError: `fraction` out of range, or labels that name no class.
    """
    validation.positive("fraction", fraction, high=1)
    return _draw(labels, lambda members: max(1, round(fraction * members)), rng)


def _draw(labels: Any, count: Callable[[int], int], rng: np.random.Generator) -> Array:
    """Sorted indices of count(n) random examples of each class of n."""
    labels = check_labels("labels", labels)
    chosen = [np.zeros(0, int)]
    for value in np.unique(labels):
        members = rng.permutation(np.flatnonzero(labels == value))
        chosen.append(members[: count(len(members))])
    return np.sort(np.concatenate(chosen))


def _standardize(train: Array, test: Array) -> tuple[Array, Array]:
    mean, std = train.mean(0), train.std(0)
    std[std <= 1e-7 * (np.abs(mean) + 1e-30)] = 1.0  # a constant feature tells nothing
    return (train - mean) / std, (test - mean) / std


def _choose_l2(
    components: Array, targets: Array, classes: int, seed: int, progress: Progress
) -> tuple[float, Array | None]:
    """The strength with the best cross-validated accuracy; of equals, the strongest.

    Returns:
        (strength, weights [D + 1, 1, classes]): the mean over the folds, to start from.
    """
    fold = _folds(targets, classes, seed)
    trained = np.array([fold != k for k in np.unique(fold)])
    if not trained.any():  # all in one fold: two images or so
        return max(L2_GRID), None
    sample_weights = trained / trained.sum(axis=1, keepdims=True)
    rows = components.astype(np.float32)  # half the memory traffic, and exact enough to choose
    best: tuple[int, float, Array | None] = (-1, 0.0, None)
    weights: Array | None = None
    for number, l2 in enumerate(sorted(L2_GRID, reverse=True), 1):  # each a warm start
        where = f"choosing the L2 strength, {number} of {len(L2_GRID)}: {l2:g}"
        weights = fit_logistic_regression(
            rows,
            targets,
            classes,
            l2,
            sample_weights,
            weights,
            _FOLDS_TOLERANCE,
            functools.partial(_report, progress, where),
        )
        logits = np.tensordot(components, weights[:-1], 1) + weights[-1]
        correct = np.sum((np.argmax(logits, axis=2) == targets[:, None]) & ~trained.T)
        if correct > best[0]:
            best = int(correct), l2, weights.mean(axis=1, keepdims=True)
    return best[1], best[2]


def _report(progress: Progress, where: str, _: Array) -> None:
    progress.report(where)


def _folds(targets: Array, classes: int, seed: int) -> Array:
    """int [N], the fold that holds each image out; of each class about as many."""
    fold = np.empty(len(targets), int)
    rng = np.random.default_rng(seed)
    for value in range(classes):
        members = rng.permutation(np.flatnonzero(targets == value))
        fold[members] = (np.arange(len(members)) + rng.integers(_FOLDS)) % _FOLDS
    return fold
