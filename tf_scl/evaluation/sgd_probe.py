"""Linear probe by SGD on features: optimizer and schedule of the spectral contrastive paper.

As the official code has it (eval/eval_run.py): softmax regression on the frozen
encoder's features before the projector, neither normalized nor standardized, by
SGD from weights N(0, 0.01) and a zero bias. Features that stay the same from epoch
to epoch know no augmentation, so this alone is not what the paper's tables report:
`paper_probe.py` has the whole protocol. `tf_scl.linear_probe` needs no learning
rate and is the better judge.
"""

import dataclasses
import logging
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from tf_scl import validation
from tf_scl.errors import InputError
from tf_scl.evaluation.features import check_features, check_widths
from tf_scl.evaluation.labels import check_label_pair, number_classes
from tf_scl.evaluation.logistic_regression import cross_entropy_gradient
from tf_scl.evaluation.progress import Progress
from tf_scl.typing import Array

_MOMENTUM = 0.9
_DROPS = (6, 8)  # tenths of the epochs after which the rate is a tenth of what it was
_EVERY = 5  # epochs between two looks at the test part

_log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class SGDProbeResult:
    """Outcome of one probe.

    Attributes:
        accuracy: Share of the test labels predicted after the last epoch, 0..1:
            the one to report.
        best_accuracy: The best of `accuracies`, which the official code reports.
            It is picked on the test part, and so too good.
        best_epoch: The epoch of that, from 1; the first of equals.
        accuracies: Dict from epoch to accuracy: 1, every fifth, and the last.
        predictions: The class of each test image after the last epoch, int64 or
            text as the labels are.
    """

    accuracy: float
    best_accuracy: float
    best_epoch: int
    accuracies: dict[int, float]
    predictions: Array


def sgd_linear_probe(
    train_features: ArrayLike | Callable[[int], ArrayLike],
    train_labels: Any,
    test_features: ArrayLike,
    test_labels: Any,
    epochs: int = 100,
    batch_size: int = 256,
    learning_rate: float = 30.0,
    seed: int = 0,
) -> SGDProbeResult:
    """Trains a linear classifier on frozen features by SGD and tests it.

    Momentum is 0.9, without weight decay, in float32; the learning rate falls
    to a tenth after 60 % of the epochs and again after 80 %. On fixed features this
    is the paper's optimizer without its augmentation and center crop;
    `tf_scl.paper_probe` has these too. A probe that takes long says where it is in
    the log, at level INFO.

    Args:
        train_features: Float array [N, D]; or a callable that gives one for
            each epoch, numbered from 1, such as `paper_probe.augmented_features`.
        train_labels: [N] or [N, 1], whole numbers or text.
        test_features: Float array [M, D].
        test_labels: [M] or [M, 1]; may hold classes that the training part lacks.
        epochs: Int >= 1.
        batch_size: Int >= 1; the last batch of an epoch may be smaller.
        learning_rate: Float > 0, not scaled with the batch. 30 suits features
            of about the size that the paper's encoders have.
        seed: Int, of the first weights and of the order of the images.

    Returns:
        `SGDProbeResult`.

    Raises:
        InputError: An argument out of range, fewer than two classes to learn,
            features that are not finite, labels that name no class, arrays that
            do not match, or weights that became NaN or infinite.
    """
    validation.whole_number("epochs", epochs)
    validation.whole_number("batch_size", batch_size)
    validation.positive("learning_rate", learning_rate)
    train_labels, test_labels = check_label_pair(train_labels, test_labels)
    test = check_features("test", test_features, test_labels).astype(np.float32)
    classes, targets = number_classes("the probe", train_labels)
    progress = Progress(_log, f"linear probe by SGD, {len(targets):,} images")
    rng = np.random.default_rng(seed)
    weights = np.zeros((test.shape[1] + 1, len(classes)), np.float32)  # the bias in the last row
    weights[:-1] = rng.normal(0.0, 0.01, (test.shape[1], len(classes)))
    velocity = np.zeros_like(weights)
    accuracies: dict[int, float] = {}
    features: Array | None = None
    for epoch in range(1, epochs + 1):
        if features is None or callable(train_features):
            features = _features_of(train_features, epoch, train_labels, test)
        rate = learning_rate * 0.1 ** sum(10 * (epoch - 1) >= drop * epochs for drop in _DROPS)
        order = rng.permutation(len(targets))
        sgd_epoch(weights, velocity, features, targets, order, batch_size, rate)
        _require_finite(weights, learning_rate, epoch, features)
        if epoch == 1 or epoch % _EVERY == 0 or epoch == epochs:
            predictions = classes[np.argmax(test @ weights[:-1] + weights[-1], axis=1)]
            accuracies[epoch] = float(np.mean(predictions == test_labels))
        progress.report(f"epoch {epoch} of {epochs} is done")
    best = max(accuracies, key=accuracies.__getitem__)
    return SGDProbeResult(accuracies[epochs], accuracies[best], best, accuracies, predictions)


def sgd_epoch(
    weights: Array,
    velocity: Array,
    features: Array,
    targets: Array,
    order: Array,
    batch_size: int,
    rate: float,
) -> None:
    """One pass of SGD over the mean cross-entropy of each batch, in place.

    velocity <- 0.9 velocity + gradient; weights <- weights - rate * velocity.

    Args:
        weights: Float array [D + 1, classes], the bias in the last row.
        velocity: Likewise.
        features: Float array [N, D].
        targets: Int array [N] in 0..classes-1.
        order: Int array [N], the rows as they come.
        batch_size: Int.
        rate: Float, learning rate.
    """
    rate = weights.dtype.type(rate)
    with np.errstate(over="ignore", invalid="ignore"):  # the caller looks at the weights
        for start in range(0, len(order), batch_size):
            chosen = order[start : start + batch_size]
            velocity *= _MOMENTUM
            velocity += cross_entropy_gradient(weights, features[chosen], targets[chosen])
            weights -= rate * velocity


def _features_of(
    train_features: ArrayLike | Callable[[int], ArrayLike],
    epoch: int,
    labels: Array,
    test: Array,
) -> Array:
    """float32 [N, D] of an epoch, checked."""
    given = train_features(epoch) if callable(train_features) else train_features
    features = check_features("train", given, labels)
    check_widths(features, test)
    return features.astype(np.float32)


def _require_finite(weights: Array, learning_rate: float, epoch: int, features: Array) -> None:
    if not np.isfinite(weights).all():
        size = np.abs(features).max()
        raise InputError(
            f"the weights of the SGD probe became NaN or infinite in epoch {epoch}: learning_rate "
            f"{learning_rate:g} is too large for features of up to {size:.2g}; set a smaller "
            "learning_rate, or divide the features by their size"
        )
