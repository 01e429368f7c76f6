"""Rayleigh-Ritz values of a graph from the views of a sample, without the flattery of fitting.

Maximizing over w flatters: with n images the values are too large by about d/n times
what noise there is, as in canonical correlation analysis. Measured on images that did
not choose w they are too small by as much (to second order, times folds/(folds - 1)). The
estimate is the mean of both that cancels this. The interval is the bootstrap's, images
being drawn and not views, its ends moved out by the distance between the two (in
quadrature), so that it is wide where n is small. Fewer than 5 images for a direction are
too few: then the space is the widest directions (principal components) only.
"""

import numpy as np
from scipy import linalg

from tf_scl.typing import Array

LEVEL = 0.95
FOLDS = 5
IMAGES_PER_DIRECTION = 5
_NARROW = 1e-10  # of the largest variance: a direction below it is rounding
_RIDGE = 1e-6  # of the whole sample's variance, for directions that a fold alone shows
_CHUNK = 50  # resamples at a time


def whiten(views: Array, rank: float) -> tuple[Array, int]:
    """Centered views in the directions used, of mean square 1; and how many vary at all."""
    if rank == 0.0:
        return np.zeros((*views.shape[:2], 0)), 0
    x = views - views.mean(axis=(0, 1))
    variances, directions = linalg.eigh(second_moment(x))
    varying = np.count_nonzero(variances > _NARROW * variances[-1])
    used = min(varying, len(views) // IMAGES_PER_DIRECTION)
    return x @ (directions[:, -used:] / np.sqrt(variances[-used:])), varying


def second_moment(x: Array) -> Array:
    """The mean of x x^T over images and views: float64 [D, D] of [N, V, D]."""
    flat = x.reshape(x.shape[0] * x.shape[1], x.shape[2])
    return flat.T @ flat / len(flat)


def ritz_values(
    x: Array, fold: Array, rng: np.random.Generator, resamples: int
) -> tuple[Array, Array, Array]:
    """The values, and both ends of their intervals.

    Args:
        x: float64 [N, V, directions], from `whiten`.
        fold: Int [N], the fold of each image, 0..FOLDS - 1.
        rng: `numpy.random.Generator`, of the resamples.
        resamples: Int.

    Returns:
        Three float64 [1 + directions], largest first; 1 stands for the constant.
    """
    inside, outside = _rayleigh_quotients(x, fold)
    weight = FOLDS / (2 * FOLDS - 1)  # of errors +b and -b folds/(folds - 1)

    def mean(counts: Array) -> tuple[Array, Array]:
        high, low = ((counts @ a) / (counts @ b) for a, b in (inside, outside))
        return weight * high + (1 - weight) * low, np.abs(high - low)

    estimate, between = mean(np.ones(len(x)))
    drawn = []
    for start in range(0, resamples, _CHUNK):
        size = min(_CHUNK, resamples - start)
        images = rng.integers(len(x), size=(size, len(x)))
        drawn.append(mean(np.array([np.bincount(i, minlength=len(x)) for i in images]))[0])
    ends = np.quantile(np.concatenate(drawn), [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    below, above = (np.hypot(end - estimate, between) for end in ends)
    estimate = np.clip(estimate, 0.0, 1.0)  # what views of one image share is not negative
    rows = estimate, np.maximum(estimate - below, 0.0), np.minimum(estimate + above, 1.0)
    values, low, high = (np.concatenate([[1.0], np.sort(row)[::-1]]) for row in rows)
    return values, low, high


def _rayleigh_quotients(x: Array, fold: Array) -> tuple[Array, Array]:
    """Per image w^T A w and w^T B w, [N, directions], w of all images and of other folds."""
    folds = [x[fold == k] for k in range(FOLDS)]
    a, b = np.array([_moments(part) for part in folds]).swapaxes(0, 1)
    inside = _quadratic_forms(x @ _ritz_vectors(a.sum(0), b.sum(0)))
    outside = np.empty_like(inside)
    for k, part in enumerate(folds):
        vectors = _ritz_vectors(a.sum(0) - a[k], b.sum(0) - b[k])
        outside[:, fold == k] = _quadratic_forms(part @ vectors)
    return inside, outside


def _moments(x: Array) -> tuple[Array, Array]:
    """Sums over images of their parts of A and B."""
    n, v, _ = x.shape
    total, b = x.sum(axis=1), n * second_moment(x)
    return (total.T @ total - v * b) / (v * (v - 1)), b


def _quadratic_forms(projected: Array) -> Array:
    v = projected.shape[1]
    b = np.mean(projected**2, axis=1)
    return np.array([(projected.sum(axis=1) ** 2 - v * b) / (v * (v - 1)), b])


def _ritz_vectors(a: Array, b: Array) -> Array:
    """Columns of norm 1 in the white coordinates, largest value first."""
    if not len(a):
        return a
    vectors = linalg.eigh(a, b + _RIDGE * np.trace(b) / len(b) * np.eye(len(b)))[1][:, ::-1]
    return vectors / linalg.norm(vectors, axis=0)
