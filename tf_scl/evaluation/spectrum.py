"""The spectrum of a real augmentation graph, as far as a frozen encoder f shows it.

The graph of arXiv 2106.04156 (`tf_scl.theory.augmentation_graph`) is too large to write
down, but its largest eigenvalues are maxima of a Rayleigh quotient, and that is a ratio
of expectations over views. In the trial space of 1 and f's coordinates, with

    A = E[f(x) f(x')^T]  over positive pairs,     B = E[f(x) f(x)^T],

lambda_i >= theta_i, the i-th largest value of w^T A w / w^T B w (Rayleigh and Ritz), with
equality where the space holds the eigenfunctions. The constant function, which f may
lack, belongs to the graph's first eigenvalue, 1: it is added to the space, so features
are centered, the first value is 1 by construction and the others are about the rest.

How the values and their intervals are found is in `ritz_values.py`.

Assumed: images are independent draws, not those that f was trained on; views of one
image are independent draws of the training's augmentation. It fails
  - silently, where f lacks an eigenfunction: the values say nothing of what f misses;
  - where f has learned its images by heart: their views agree more than other images' do;
  - where images come in groups, such as frames of a film: the intervals are too short;
  - where many eigenvalues are equal: noise spreads them, and the intervals of the first
    and last of them cover less often than they say; as do those of values near 1 if there
    are some hundred images only, too few for the rare pairs between clusters.
"""

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import linalg

from tf_scl import validation
from tf_scl.errors import InputError
from tf_scl.evaluation.collapse import effective_rank
from tf_scl.evaluation.labels import check_labels
from tf_scl.evaluation.ritz_values import (
    FOLDS,
    IMAGES_PER_DIRECTION,
    LEVEL,
    ritz_values,
    second_moment,
    whiten,
)
from tf_scl.theory.bounds import ProbeBound
from tf_scl.typing import Array

MIN_IMAGES = 2 * FOLDS
ASSUMES = (
    "Images are independent draws that f was not trained on, and their views independent draws "
    "of the augmentation. Eigenvalues are those that f shows: lower bounds of the graph's own, "
    "equal to them where 1 and f span the eigenfunctions."
)
_EQUAL = 1e-6  # of the largest feature: differences below it are rounding
_NOISE = 0.05  # where many values are 0, the lower ends of a few lie a little above
_ZERO = 1e-9  # a mu below it is rounding


@dataclasses.dataclass(frozen=True)
class SpectrumEstimate:
    """What f shows of its augmentation graph; every number is an estimate.

    Attributes:
        eigenvalues: r floats 0..1, largest first; 1 and then one for each direction used.
        low, high: r floats each, ends of the intervals.
        level: Float, share of such intervals that cover the eigenvalue.
        effective_rank: Float, of the centered features: `tf_scl.effective_rank`.
        eigengap: Float, the largest gap between values k and k + 1 whose intervals do
            not meet, k >= 2 (k = 1 parts the constant only); None without one.
        suggested_dimension: That k; None without one. A gap after the last value
            cannot be seen: f needs more dimensions than there are clusters.
        loss: Float, the spectral contrastive loss of f (mu=None), unbiased; of the
            features as they are scaled, which need not be what was trained.
        optimum: Float, -sum of the first D values squared: the smallest loss of any
            D linear combinations of 1 and f (of the directions used).
        loss_gap: Float, loss - optimum, what a linear layer could still gain: no more
            than what f is above its graph's minimum.
        collapsed: Whether f varies in no direction or, if D > 1, its effective rank
            is below 2.
        flags: Sentences for a human: what is wrong with f or with the estimate.
        images, views, dimension: N, V and D.
        assumes: Sentences, what it all rests on.
        bound_dimension: k, asked for or suggested; None without either.
        mu: 1 - value k + 1; None where f shows no such value.
        label_disagreement: Float, phi of the labeling g; None without labels.
        probe_error: Float, Pr[g(x) != y(x̄)], alpha of g; at least phi / 2.
        bound: Float, probe_error + 2 label_disagreement / mu; None without labels or
            mu, or where mu is 0.
    """

    eigenvalues: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    level: float
    effective_rank: float
    eigengap: float | None
    suggested_dimension: int | None
    loss: float
    optimum: float
    loss_gap: float
    collapsed: bool
    flags: tuple[str, ...]
    images: int
    views: int
    dimension: int
    assumes: str
    bound_dimension: int | None
    mu: float | None
    label_disagreement: float | None
    probe_error: float | None
    bound: float | None

    def __post_init__(self) -> None:
        if not len(self.eigenvalues) == len(self.low) == len(self.high):
            raise ValueError(
                "each eigenvalue has an interval. Received: "
                f"{len(self.eigenvalues)} values, {len(self.low)} and {len(self.high)} ends"
            )


def estimate_spectrum(
    views: ArrayLike,
    labels: Any = None,
    dimension: int | None = None,
    resamples: int = 500,
    seed: int = 0,
) -> SpectrumEstimate:
    """Estimates the top eigenvalues of the augmentation graph behind views, and more.

    The labels of augmented images that the theorem of `tf_scl.theory.bounds` asks for are
    not known, but it holds for any. Here they are g(x), the class that a linear probe
    (least squares, as in the theorem) on held-out images gives: alpha is the probe's
    error, phi how often it gives two views of an image different classes (means over the
    folds' probes). The bound is then on the error of a head that regresses g on 1 and f,
    and never below the probe's own, which is part of it: small where the error is and
    g follows the graph's clusters, so that 2 phi / mu is small. It is an estimate without an
    interval, and supposes the top k + 1 eigenfunctions in the span of 1 and f; if they
    are not, mu is too large (theta <= lambda) and the bound promises too much.

    Args:
        views: Float array [N, V, D], V >= 2 views of each of N >= 10 images, by f.
        labels: Whole numbers [N] or [N, 1], y(x̄), negative where an image has none; or
            None. With fewer than two classes there are no labels.
        dimension: Int k, 1..D, for `mu` and `bound`; None for the suggested one.
        resamples: Int >= 20.
        seed: Int, of folds and resamples.

    Returns:
        `SpectrumEstimate`.

    Raises:
        InputError: Views of another shape or not finite, labels that do not fit, or
            `dimension` or `resamples` out of range.
    """
    views = _check_views(views)
    _check_numbers(dimension, resamples, views.shape[2])
    labels = _check_labels(labels, len(views))
    rng = np.random.default_rng(seed)
    fold = rng.permutation(len(views)) % FOLDS
    rank = effective_rank(views.reshape(-1, views.shape[2]))
    x, varying = whiten(views, rank)
    values, low, high = ritz_values(x, fold, rng, resamples)
    gap, suggested = _eigengap(values, low, high)
    k = suggested if dimension is None else int(dimension)
    mu = _first_left_out(values, k)
    alpha, phi, bound, most = _measure_labels(x, fold, labels, mu)
    loss, optimum = _loss(views), -float(np.sum(values[: views.shape[2]] ** 2))
    flags = [
        *_feature_flags(views, rank, x.shape[2], varying),
        *_value_flags(low, gap, k, mu),
        *_bound_flags(alpha, bound, mu, most),
    ]
    return SpectrumEstimate(
        eigenvalues=tuple(values.tolist()),
        low=tuple(low.tolist()),
        high=tuple(high.tolist()),
        level=LEVEL,
        effective_rank=rank,
        eigengap=gap,
        suggested_dimension=suggested,
        loss=loss,
        optimum=optimum,
        loss_gap=loss - optimum,
        collapsed=bool(rank == 0.0 or (views.shape[2] > 1 and rank < 2.0)),
        flags=tuple(flags),
        images=views.shape[0],
        views=views.shape[1],
        dimension=views.shape[2],
        assumes=ASSUMES,
        bound_dimension=k,
        mu=mu,
        label_disagreement=phi,
        probe_error=alpha,
        bound=bound,
    )


def at_best_scale(views: ArrayLike) -> Array:
    """Views times the factor at which their spectral contrastive loss is least.

    Args:
        views: Float array [N, V, D], as `estimate_spectrum` takes them.

    Returns:
        The array times sqrt(a / r) with a = E f(x).f(x') and r = E (f(x).f(y))^2, x and
        y views of different images; as it is where one of them is not positive, for
        then no factor is best.

    Raises:
        InputError: Views of another shape, or not finite.
    """
    views = _check_views(views)
    cosine, squared = _products(views)
    return views * np.sqrt(cosine / squared) if min(cosine, squared) > 0 else views


def _eigengap(values: Array, low: Array, high: Array) -> tuple[float | None, int | None]:
    gaps = np.where(low[:-1] > high[1:], values[:-1] - values[1:], 0.0)[1:]
    if not gaps.any():
        return None, None
    return float(gaps.max()), int(np.argmax(gaps)) + 2


def _first_left_out(values: Array, k: int | None) -> float | None:
    """1 - value k + 1, or None where it is not known; rounding is 0."""
    if k is None or k >= len(values):
        return None
    mu = float(1.0 - values[k])
    return mu if mu > _ZERO else 0.0


def _loss(views: Array) -> float:
    """-2 E f(x).f(x') + E (f(x).f(y))^2, x and y views of different images: both unbiased."""
    inner, squared = _products(views)
    return float(squared - 2.0 * inner)


def _products(views: Array) -> tuple[float, float]:
    """E f(x).f(x') and E (f(x).f(y))^2."""
    n, v, _ = views.shape
    inner = views @ views.swapaxes(1, 2)
    trace = np.trace(inner, axis1=1, axis2=2).sum()
    own = np.sum(inner**2) / v**2
    squared = (np.sum((n * second_moment(views)) ** 2) - own) / (n * (n - 1))
    return (inner.sum() - trace) / (n * v * (v - 1)), squared


def _measure_labels(
    x: Array, fold: Array, labels: Array | None, mu: float | None
) -> tuple[float | None, float | None, float | None, float | None]:
    """alpha, phi and the bound of the held-out probe, and the share of the commonest class."""
    if labels is None:
        return None, None, None, None
    x, fold, labels = (array[labels >= 0] for array in (x, fold, labels))
    classes, targets = np.unique(labels, return_inverse=True)
    x = np.concatenate([x, np.ones((*x.shape[:2], 1))], axis=2)
    given = np.empty(x.shape[:2], int)
    for k in np.unique(fold):
        train, wanted = x[fold != k], np.eye(len(classes))[targets[fold != k]]
        correlation = train.mean(axis=1).T @ wanted / len(train)
        head = linalg.lstsq(second_moment(train), correlation)[0]
        given[fold == k] = np.argmax(x[fold == k] @ head, axis=2)
    v = x.shape[1]
    alpha = float(np.mean(given != targets[:, None]))
    phi = float(np.mean(given[:, :, None] != given[:, None, :]) * v / (v - 1))
    bound = ProbeBound(alpha, phi, mu).per_view if mu else None
    return alpha, phi, bound, np.bincount(targets).max() / len(targets)


def _feature_flags(views: Array, rank: float, used: int, varying: int) -> Iterator[str]:
    n, _, d = views.shape
    if rank == 0.0:
        yield "f is constant: all features are equal, the encoder has collapsed"
        return
    if d > 1 and rank < 2.0:
        yield f"the effective rank is {rank:.2f} of {d}: f has nearly collapsed to one direction"
    if np.ptp(views, axis=1).max() <= _EQUAL * np.abs(views).max():
        yield "the views of each image are equal: nothing was augmented, and all values are 1"
    if used < varying:
        yield (
            f"{n} images are too few for the {varying} directions in which f varies: the values "
            f"are of the {used} widest; give {IMAGES_PER_DIRECTION * varying} images or more"
        )


def _value_flags(low: Array, gap: float | None, k: int | None, mu: float | None) -> Iterator[str]:
    if len(low) > 1 and low[1] < _NOISE:
        yield "no value but the first stands out of noise: views of one image share nothing in f"
    if len(low) > 2 and gap is None:
        yield "no gap between values is wider than their intervals: they suggest no dimension"
    if k is not None and mu is None:
        yield f"f shows {len(low)} values, so mu, which is 1 - value {k + 1}, is not known"


def _bound_flags(
    alpha: float | None, bound: float | None, mu: float | None, most: float | None
) -> Iterator[str]:
    if alpha is not None and mu == 0.0:
        yield "mu is 0: f shows more components of the graph than dimensions, so there is no bound"
    if bound is not None and most is not None and bound >= 1.0 - most:
        yield (
            f"the bound of {bound:.3f} is vacuous: to give every image the commonest class is "
            f"wrong for {1.0 - most:.3f}"
        )


def _check_views(views: ArrayLike) -> Array:
    views = np.asarray(views, np.float64)
    if views.ndim != 3 or views.shape[0] < MIN_IMAGES or views.shape[1] < 2 or not views.shape[2]:
        raise InputError(
            f"`views` must be features [N, V, D] of N >= {MIN_IMAGES} images in V >= 2 views "
            f"each. Received: {views.shape}"
        )
    wrong = np.count_nonzero(~np.isfinite(views))
    if wrong:
        raise InputError(
            f"{wrong} of the {views.size} features in `views` are NaN or infinite; the encoder "
            "has diverged, train it with a smaller learning rate"
        )
    return views


def _check_numbers(dimension: int | None, resamples: int, d: int) -> None:
    if dimension is not None:
        validation.whole_number("dimension", dimension, high=d)
    validation.whole_number("resamples", resamples, low=20)


def _check_labels(labels: Any, count: int) -> Array | None:
    """Labels as an array, or None where they tell no classes apart."""
    if labels is None:
        return None
    labels = check_labels("labels", labels)
    if labels.shape != (count,) or labels.dtype.kind != "i":
        raise InputError(
            f"`labels` must be whole numbers [{count}], one for each image. "
            f"Received: {labels.dtype} {labels.shape}"
        )
    return labels if len(np.unique(labels[labels >= 0])) > 1 else None
