"""Calibration by a temperature, and how far probabilities are from being calibrated.

Guo et al., ICML 2017, arXiv 1706.04599: the logits of a classifier are divided by one number T > 0
for all classes (section 4.2), which changes no prediction. T is the one of the least cross-entropy
on images that the classifier was not trained on. Where all of a few images are right, that would
be T = 0 and certainty; so one image more is counted, spread over all rows, whose class is uniform
(after Platt 1999, "Probabilistic outputs for support vector machines", section 2.2).
"""

import numpy as np
from numpy.typing import ArrayLike
from scipy import optimize
from scipy.special import log_softmax

from tf_scl import validation
from tf_scl.errors import InputError
from tf_scl.typing import Array

MIN_TEMPERATURE, MAX_TEMPERATURE = 0.05, 20.0


def fit_temperature(
    logits: ArrayLike, targets: ArrayLike, weights: ArrayLike | None = None
) -> float:
    """The temperature T of the least mean cross-entropy of softmax(logits / T).

    With the targets (N onehot + 1 / C) / (N + 1), see above.

    Args:
        logits: Float [N, C], of images that the classifier was not trained on.
        targets: int [N] in 0..C-1.
        weights: Float [N], how much each image counts; None for all alike.

    Returns:
        Float, between `MIN_TEMPERATURE` and `MAX_TEMPERATURE`.

    Raises:
        InputError: Arrays that do not match, or logits that are not finite.
    """
    logits, targets = _check(logits, targets)
    smoothing = 1 / (len(targets) + 1)

    def loss(log_inverse: float) -> float:  # convex in 1 / T, so of one minimum in its logarithm
        log_p = log_softmax(logits * np.exp(log_inverse), axis=1)
        given = np.average(log_p[np.arange(len(targets)), targets], weights=weights)
        return -float((1 - smoothing) * given + smoothing * np.mean(log_p))

    bounds = -np.log(MAX_TEMPERATURE), -np.log(MIN_TEMPERATURE)
    found = optimize.minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-6})
    return float(np.exp(-found.x))


def expected_calibration_error(
    probabilities: ArrayLike,
    targets: ArrayLike,
    bins: int = 15,
    weights: ArrayLike | None = None,
) -> float:
    """The mean distance of confidence and accuracy, over bins of confidence.

    Guo et al., equation 3: images are put into bins of equal width by the probability of the
    class that is predicted; each bin counts with its share of the images.

    Args:
        probabilities: Float [N, C].
        targets: int [N] in 0..C-1.
        bins: Int >= 1. Of few images the figure is too large by chance: about
            sqrt(bins / N) / 2 where all is calibrated.
        weights: Float [N] of mean 1, how much each image counts; None for all alike.

    Returns:
        Float 0..1.

    Raises:
        InputError: Arrays that do not match, values that are not finite, `bins` below 1.
    """
    validation.whole_number("bins", bins)
    rows, targets = _check(probabilities, targets)
    confidence = rows.max(axis=1)
    right = rows.argmax(axis=1) == targets
    place = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    counted = np.ones(len(rows)) if weights is None else np.asarray(weights)
    gaps = np.bincount(place, weights=counted * (right - confidence), minlength=bins)
    return float(np.abs(gaps).sum() / len(targets))


def _check(rows: ArrayLike, targets: ArrayLike) -> tuple[Array, Array]:
    rows, targets = np.asarray(rows, np.float64), np.asarray(targets)
    if rows.ndim != 2 or targets.shape != rows.shape[:1] or not len(rows):
        raise InputError(
            "a row of C numbers and one target are needed for each of N >= 1 images. "
            f"Received: shapes {rows.shape} and {targets.shape}"
        )
    if not np.isfinite(rows).all():
        raise InputError("the outputs of the classifier must be finite; some are NaN or infinite")
    if targets.min() < 0 or targets.max() >= rows.shape[1]:
        raise InputError(
            f"targets must be in 0..{rows.shape[1] - 1}. Received: {targets.min()}..{targets.max()}"
        )
    return rows, targets
