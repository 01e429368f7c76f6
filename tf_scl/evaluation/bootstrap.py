"""How far off an accuracy is by the chance of which images were tested on.

Test images are taken as a random sample of those to come. They are resampled
with the weights of the Bayesian bootstrap (Rubin, Annals of Statistics 9,
1981), paired where two classifiers are compared, and the percentiles of the
weighted accuracy are the interval. Each end is taken as if one more image had
come out as badly, or as well, as it could (Learned-Miller and Thomas 2019, arXiv
1905.06208). So the interval of one accuracy is that of Clopper and Pearson, that
of a difference holds zero just where McNemar's exact test sees none, and 12
images of 12 are not proof of 100 %, as they are with whole-number weights.

What is repeated, such as the choice of the few labels of a probe, adds its own
chance: repetitions are taken as normal, and the standard error of their mean
comes in with Student's t. Images may have weights, such as make all classes count alike; the
one image more then has the largest of them. The interval is then for the mean over all choices
and images, not for one choice. It does not cover what all repetitions share:
the encoder, and the labeled images that labels are chosen from.
"""

import numpy as np
from numpy.typing import ArrayLike

from tf_scl import validation
from tf_scl.errors import InputError
from tf_scl.typing import Array

_CROSSED = 10  # of fewer images a square array may be repetitions by chance


def accuracy_interval(
    correct: ArrayLike, level: float = 0.95, resamples: int = 1000, seed: int = 0
) -> tuple[float, float]:
    """Interval of an accuracy.

    Args:
        correct: Bool array [M], which test images were right; or [R, M], in R
            repetitions, such as draws of labels or seeds of training. Also
            floats 0..1, the share of the times that an image was right. A
            column [M, 1] is refused: is it M images or one image M times?
        level: Float in (0, 1), how often the interval shall hold the accuracy.
        resamples: Int >= 1; at 1000 an end is off by about a tenth of the
            standard error.
        seed: Int.

    Returns:
        (low, high), floats 0..1.

    Raises:
        InputError: No images, values outside 0..1, an array that comes from labels
            of shape [M, 1], or an argument out of range.
    """
    return _interval(_check("correct", correct), 0.0, level, resamples, seed)


def difference_interval(
    correct_a: ArrayLike,
    correct_b: ArrayLike,
    level: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
    weights: ArrayLike | None = None,
) -> tuple[float, float]:
    """Interval of accuracy a minus accuracy b on the same test images.

    Args:
        correct_a, correct_b: As in `accuracy_interval`, of one shape: column by
            column the same images, row by row the same repetition (draw).
        level, resamples, seed: Likewise.
        weights: Float array [M], > 0, how much each image counts; None for all alike.

    Returns:
        (low, high), floats -1..1.

    Raises:
        InputError: As there, two shapes, or weights that do not fit.
    """
    values_a, values_b = _check("correct_a", correct_a), _check("correct_b", correct_b)
    if values_a.shape != values_b.shape:
        raise InputError(
            "a paired difference needs the same images and repetitions on both sides. "
            f"Received: correct_a {values_a.shape}, correct_b {values_b.shape}"
        )
    return _interval(values_a - values_b, -1.0, level, resamples, seed, weights)


def _interval(
    values: Array,
    worst: float,
    level: float,
    resamples: int,
    seed: int,
    weights: ArrayLike | None = None,
) -> tuple[float, float]:
    """Interval of the mean of values [R, M] in worst..1."""
    validation.whole_number("resamples", resamples)
    allowed = "a number above 0 and below 1"
    if validation.positive("level", level, allowed=allowed) >= 1:
        raise validation.refused("level", level, allowed)
    repetitions = len(values)
    rng = np.random.default_rng(seed)
    counted = _weights(weights, values.shape[1])
    # A sum of exponential weights is gamma: one draw for all images of one value and weight.
    kinds, images = np.unique(np.stack([values.mean(axis=0), counted]), axis=1, return_counts=True)
    drawn = rng.standard_gamma(images, (resamples, len(images))) * kinds[1]
    one_more = rng.standard_exponential(resamples) * counted.max()
    total, weighted = drawn.sum(axis=1) + one_more, drawn @ kinds[0]
    by_repetition = np.zeros(resamples)
    if repetitions > 1:
        means = np.average(values, axis=1, weights=counted)
        error = means.std(ddof=1) / np.sqrt(repetitions)
        by_repetition = error * rng.standard_t(repetitions - 1, resamples)
    low = np.quantile((weighted + worst * one_more) / total + by_repetition, (1 - level) / 2)
    high = np.quantile((weighted + one_more) / total + by_repetition, (1 + level) / 2)
    return max(worst, float(low)), min(1.0, float(high))


def _weights(weights: ArrayLike | None, images: int) -> Array:
    """float64 [M]."""
    if weights is None:
        return np.ones(images)
    array = np.asarray(weights, np.float64)
    if array.shape != (images,) or not (np.isfinite(array) & (array > 0)).all():
        raise InputError(
            f"`weights` must hold a number above 0 for each of {images} test images. Received: "
            f"shape {array.shape}"
        )
    return array


def _check(name: str, values: ArrayLike) -> Array:
    """float64 [R, M]."""
    try:
        correct = np.asarray(values, np.float64)
    except (TypeError, ValueError):
        correct = np.empty(())
    if correct.ndim not in (1, 2) or not correct.size:
        raise InputError(
            f"`{name}` must be an array of bools or numbers, [M] or [repetitions, M], with M >= 1 "
            f"test images. Received: shape {correct.shape}"
        )
    if not ((correct >= 0) & (correct <= 1)).all():
        raise InputError(
            f"`{name}` must say of each image whether it was right, between 0 and 1. "
            f"Received values from {correct.min()} to {correct.max()}"
        )
    correct = np.atleast_2d(correct)
    if (correct.shape[1] == 1 and len(correct) > 1) or _crossed(correct):
        raise InputError(
            f"`{name}` of shape {correct.shape} comes from labels of shape [M, 1], which numpy "
            "compares as a column; compare predictions with numpy.ravel(labels)"
        )
    return correct


def _crossed(correct: Array) -> bool:
    """Whether an array [M, M] compares each prediction with each label.

    Then two rows, each of one label, are equal or share no image; repetitions of a
    test, so many of them, would not be like that.
    """
    repetitions, images = correct.shape
    if repetitions != images or images < _CROSSED:
        return False
    rows = np.unique(correct, axis=0)
    return len(rows) > 1 and bool((rows.sum(axis=0) <= 1).all())
