"""A test of whether two samples come from one distribution, with a p-value that holds its level.

The statistic is the squared maximum mean discrepancy of Gretton et al. (JMLR 13, 2012, "A Kernel
Two-Sample Test", equation 3, unbiased). The kernel is the mean of three Gaussian ones,
exp(-d^2 / w), with w an eighth, a half and twice the median squared distance d^2 of the pooled
sample, so that differences in the small are seen as those in the large are. The p-value is that of
the permutation test: were both samples of one distribution, every assignment of the pooled rows to
the two would be as likely as the one that came, whatever the distribution and the number of rows.
The widths depend on the pooled rows alone and so do not disturb that.
"""

import dataclasses
import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike

from tf_scl import validation
from tf_scl.errors import InputError
from tf_scl.typing import Array

_WIDTHS = (0.125, 0.5, 2.0)  # of the median squared distance
_AT_ONCE = 500  # permutations: they take so many numbers for each row


@dataclasses.dataclass(frozen=True)
class TwoSampleTest:
    """The outcome of a test.

    Attributes:
        statistic: Float, an unbiased estimate of the squared maximum mean discrepancy; about 0,
            and at times below it, where both samples are of one distribution.
        p_value: Float in (0, 1]. Of one distribution it is at most p with a probability of at
            most p.
    """

    statistic: float
    p_value: float


def mmd_test(
    first: ArrayLike, second: ArrayLike, permutations: int = 999, seed: int = 0
) -> TwoSampleTest:
    """Tests whether two samples are of one distribution.

    Time and memory grow with the square of the number of rows, time with the number of
    permutations too: 1,000 and 1,000 rows take about a second at 999 of them.

    Args:
        first: Float array [N, D], N >= 2.
        second: Float array [M, D], M >= 2.
        permutations: Int >= 1, random ones; the smallest p-value is 1 / (permutations + 1).
        seed: Int, of the permutations.

    Returns:
        `TwoSampleTest`.

    Raises:
        InputError: Arrays of another shape, or values that are not finite.
    """
    rows = [_checked(name, one) for name, one in (("first", first), ("second", second))]
    if rows[0].shape[1] != rows[1].shape[1]:
        raise InputError(
            "both samples must have rows of one length. Received: "
            f"{rows[0].shape[1]} and {rows[1].shape[1]} numbers"
        )
    permutations = validation.whole_number("permutations", permutations)
    kernel = _kernel(np.concatenate(rows))
    counts = len(rows[0]), len(rows[1])
    members = np.zeros((sum(counts), 1))
    members[: counts[0]] = 1
    observed = float(_statistics(kernel, members, *counts)[0])
    # What is equal but for rounding counts as equal, which can only raise the p-value.
    reached = sum(
        int(np.count_nonzero(_statistics(kernel, drawn, *counts) >= observed - 1e-12))
        for drawn in _permuted(members, permutations, seed)
    )
    return TwoSampleTest(observed, (1 + reached) / (1 + permutations))


def permutations_for(level: float) -> int:
    """So many that the level can be reached: 999 or more, such that 10 at least are below it.

    Of them all a share of `level` has a p-value of at most `level`, up to rounding: at 0.01,
    10 of the 1,000 ranks that the observed statistic can have.

    Args:
        level: Float in (0, 1).
    """
    return max(999, math.ceil(10 / level) - 1)


def _permuted(members: Array, permutations: int, seed: int) -> Iterator[Array]:
    """The column `members` [N, 1] in other orders: arrays [N, P], P of all `permutations`."""
    rng = np.random.default_rng(seed)
    for start in range(0, permutations, _AT_ONCE):
        count = min(_AT_ONCE, permutations - start)
        yield rng.permuted(np.repeat(members, count, axis=1), axis=0)


def squared_distances(first: Array, second: Array) -> Array:
    """Squared Euclidean distances of rows: float [N, M] of [N, D] and [M, D]."""
    squares = np.sum(first**2, axis=1)[:, None] + np.sum(second**2, axis=1)
    return np.maximum(squares - 2 * first @ second.T, 0.0)


def _checked(name: str, rows: ArrayLike) -> Array:
    array = np.asarray(rows, np.float64)
    if array.ndim != 2 or len(array) < 2 or not array.shape[1] or not np.isfinite(array).all():
        raise InputError(
            f"the {name} sample must be finite numbers [N, D] with N >= 2 and D >= 1. Received: "
            f"{array.shape}, {np.count_nonzero(~np.isfinite(array))} of them not finite"
        )
    return array


def _kernel(rows: Array) -> Array:
    """The kernel of all pairs, float64 [N, N], with zeros for a row and itself."""
    centered = rows - rows.mean(axis=0)  # no rounding by a mean far from zero
    squared = squared_distances(centered, centered)
    pairs = squared[np.triu_indices(len(rows), 1)]
    median = float(np.median(pairs)) or float(np.mean(pairs)) or 1.0
    kernel = sum(np.exp(-squared / (width * median)) for width in _WIDTHS) / len(_WIDTHS)
    np.fill_diagonal(kernel, 0.0)
    return kernel


def _statistics(kernel: Array, members: Array, n: int, m: int) -> Array:
    """The statistic of each assignment, float64 [P].

    Args:
        kernel: As of `_kernel`, [N + M, N + M].
        members: [N + M, P] of 0 and 1; 1 for the N rows of the first sample.
        n, m: Ints N and M.
    """
    within = np.sum(members * (kernel @ members), axis=0)
    whole = members.T @ kernel.sum(axis=1)
    across = whole - within
    others = kernel.sum() - 2 * whole + within
    return within / (n * (n - 1)) + others / (m * (m - 1)) - 2 * across / (n * m)
