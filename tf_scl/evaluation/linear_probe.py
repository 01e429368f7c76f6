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
from tf_scl.evaluation.labels import alike_weights, check_labels, number_classes
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


@dataclasses.dataclass(frozen=True)
class LinearHead:
    """A linear classifier of features as they are, not standardized.

    Attributes:
        kernel: float64 [D, C].
        bias: float64 [C]; logits are features @ kernel + bias.
        l2: The L2 strength that was chosen.
        held_out: float64 [N, C], logits of each training image by a classifier of that
            strength that was trained without it; NaN where that had no image of its class.
    """

    kernel: Array
    bias: Array
    l2: float
    held_out: Array


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
    head = fit_linear_head(train, targets, len(classes), seed)
    predictions = classes[np.argmax(test @ head.kernel + head.bias, axis=1)]
    accuracy = float(np.mean(predictions == test_labels))
    return ProbeResult(accuracy, head.l2, len(targets), predictions)


def fit_linear_head(
    features: Array, targets: Array, classes: int, seed: int = 0, balanced: bool = False
) -> LinearHead:
    """Fits the classifier of `linear_probe`, L2 strength included.

    Args:
        features: Float [N, D], finite.
        targets: int [N] in 0..classes-1, each at least once.
        classes: Int >= 2.
        seed: Int, seed of the folds.
        balanced: Bool, whether all classes count alike, in the loss and in the choice of the
            strength, however many images each has.

    Returns:
        `LinearHead`.
    """
    rows, mean, std = _standardize(features)
    weights = alike_weights(targets, classes) if balanced else np.ones(len(rows))
    weights /= len(rows)
    size = "{:,} images x {:,} features".format(*rows.shape)
    progress = Progress(_log, f"linear probe on {size}, {classes} classes")
    components, to_features = principal_components(rows)
    l2, start, held_out = _choose_l2(components, targets, classes, seed, progress, weights)
    fitted = fit_logistic_regression(
        components,
        targets,
        classes,
        l2,
        weights[None],
        start=start,
        callback=functools.partial(
            _report, progress, f"all folds are done, fitting with L2 strength {l2:g}"
        ),
    )[:, 0]
    kernel = to_features(fitted[:-1]) / std[:, None]
    if held_out is None:
        held_out = np.full((len(rows), classes), np.nan)
    return LinearHead(kernel, fitted[-1] - mean @ kernel, l2, held_out)


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


def _standardize(features: Array) -> tuple[Array, Array, Array]:
    """Standardized features, and the mean and deviation that make them so."""
    mean, std = features.mean(0), features.std(0)
    std[std <= 1e-7 * (np.abs(mean) + 1e-30)] = 1.0  # a constant feature tells nothing
    return (features - mean) / std, mean, std


def _choose_l2(
    components: Array, targets: Array, classes: int, seed: int, progress: Progress, weights: Array
) -> tuple[float, Array | None, Array | None]:
    """The strength with the best cross-validated accuracy; of equals, the strongest.

    Returns:
        (strength, weights [D + 1, 1, classes], logits [N, classes]): the mean over the folds, to
        start from; and of each image by the fold that held it out.
    """
    fold = _folds(targets, classes, seed)
    trained = np.array([fold != k for k in np.unique(fold)])
    if not trained.any():  # all in one fold: two images or so
        return max(L2_GRID), None, None
    held_out_by = np.argmin(trained, axis=0)
    sample_weights = trained * weights
    sample_weights = sample_weights / sample_weights.sum(axis=1, keepdims=True)
    rows = components.astype(np.float32)  # half the memory traffic, and exact enough to choose
    best: tuple[float, float, Array | None, Array | None] = (-1.0, 0.0, None, None)
    fitted: Array | None = None
    for number, l2 in enumerate(sorted(L2_GRID, reverse=True), 1):  # each a warm start
        where = f"choosing the L2 strength, {number} of {len(L2_GRID)}: {l2:g}"
        fitted = fit_logistic_regression(
            rows,
            targets,
            classes,
            l2,
            sample_weights,
            fitted,
            _FOLDS_TOLERANCE,
            functools.partial(_report, progress, where),
        )
        logits = np.tensordot(components, fitted[:-1], 1) + fitted[-1]
        held_out = logits[np.arange(len(targets)), held_out_by]
        right = np.round(np.sum(weights * (held_out.argmax(axis=1) == targets)), 12)
        if right > best[0]:
            best = float(right), l2, fitted.mean(axis=1, keepdims=True), held_out
    return best[1], best[2], _known(best[3], targets, trained, held_out_by)


def _known(held_out: Array | None, targets: Array, trained: Array, by: Array) -> Array | None:
    """Logits of images left out, NaN where the fold that left one out had none of its class."""
    if held_out is None:
        return None
    left = np.array([np.bincount(targets[rows], minlength=targets.max() + 1) for rows in trained])
    return np.where((left[by, targets] > 0)[:, None], held_out, np.nan)


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
