import itertools
import math

import numpy as np
import pytest
from scipy import stats

from tf_scl.drift import two_sample
from tf_scl.drift.two_sample import mmd_test, permutations_for, squared_distances
from tf_scl.errors import InputError


def _statistic(first, second):
    """Gretton et al. 2012, equation 3, as double loops over three Gaussian kernels."""
    pooled = [*first, *second]
    pairs = [sum((a - b) ** 2) for a, b in itertools.combinations(pooled, 2)]
    median = np.median(pairs)

    def kernel(a, b):
        return sum(math.exp(-sum((a - b) ** 2) / (w * median)) for w in (1 / 8, 1 / 2, 2)) / 3

    n, m = len(first), len(second)
    within = sum(kernel(first[i], first[j]) for i in range(n) for j in range(n) if i != j)
    others = sum(kernel(second[i], second[j]) for i in range(m) for j in range(m) if i != j)
    across = sum(kernel(a, b) for a in first for b in second)
    return within / (n * (n - 1)) + others / (m * (m - 1)) - 2 * across / (n * m)


def test_the_statistic_is_that_of_the_paper():
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(7, 3)), 1 + rng.normal(size=(5, 3))
    assert mmd_test(first, second, 9).statistic == pytest.approx(_statistic(first, second))


def test_the_statistic_is_that_of_alibi_detect():
    """What mmd2_from_kernel_matrix of alibi-detect 0.13.0 gave for the same kernel matrices."""
    rng = np.random.default_rng(0)
    for n, m, shift, theirs in (
        (30, 30, 0.0, -0.0109602014844572),
        (100, 40, 0.5, 0.07975901096399679),
        (20, 80, 1.0, 0.16611241689392797),
    ):
        first, second = rng.normal(size=(n, 8)), rng.normal(size=(m, 8)) + shift
        assert mmd_test(first, second, 1).statistic == pytest.approx(theirs, abs=1e-13)


def test_the_p_value_is_that_of_all_permutations():
    rng = np.random.default_rng(1)
    first, second = rng.normal(size=(5, 2)), 0.8 + rng.normal(size=(4, 2))
    pooled = np.concatenate([first, second])
    chosen = itertools.combinations(range(9), 5)
    every = [_statistic(pooled[list(one)], np.delete(pooled, one, axis=0)) for one in chosen]
    exact = np.mean(np.array(every) >= _statistic(first, second) - 1e-12)
    found = mmd_test(first, second, 20_000).p_value
    assert found == pytest.approx(exact, abs=4 * np.sqrt(exact * (1 - exact) / 20_000) + 1e-4)


def test_of_one_distribution_p_values_are_uniform():
    rng = np.random.default_rng(2)
    found = []
    for _ in range(300):
        scale = np.exp(rng.normal(size=4))  # of very different widths, and heavy tails
        rows = scale * rng.standard_t(2, size=(40, 4))
        found.append(mmd_test(rows[:25], rows[25:], 99, seed=int(rng.integers(1000))).p_value)
    assert stats.kstest(found, "uniform").pvalue > 0.01
    low = np.mean(np.array(found) <= 0.05)
    assert stats.binomtest(round(300 * low), 300, 0.05).pvalue > 0.01


@pytest.mark.parametrize("change", ["mean", "scale", "mixture"])
def test_it_sees_differences_of_many_kinds(change):
    rng = np.random.default_rng(3)
    first, second = rng.normal(size=(200, 5)), rng.normal(size=(150, 5))
    if change == "mean":
        second[:, 0] += 0.8
    elif change == "scale":
        second *= 1.5
    else:  # the same mean and the same second moment, at the corners of a cube
        second = np.sign(second)
    assert mmd_test(first, second).p_value <= 0.002


def test_nothing_but_the_seed_is_random():
    rng = np.random.default_rng(4)
    first, second = rng.normal(size=(2, 30, 3))
    found = [mmd_test(first, second, 99, seed) for seed in (5, 5, 6)]
    assert found[0] == found[1] and found[0].statistic == found[2].statistic
    swapped = mmd_test(second, first, 999, 5)
    assert swapped.statistic == pytest.approx(found[0].statistic)


def test_rows_that_are_all_alike_are_of_one_distribution():
    rows = np.full((30, 2), 1e6)
    assert mmd_test(rows, rows, 99).p_value == 1.0
    few = np.concatenate([rows, rows + 1])
    assert mmd_test(few, rows, 99).statistic > 0


def test_a_mean_far_away_takes_no_digits():
    rng = np.random.default_rng(5)
    first, second = rng.normal(size=(2, 40, 3))
    near, far = (mmd_test(first + c, second + c, 99) for c in (0.0, 1e6))
    assert far.statistic == pytest.approx(near.statistic, rel=1e-6)


@pytest.mark.parametrize(
    "first,second,message",
    [
        (np.zeros((3, 2)), np.zeros((3, 4)), "rows of one length. Received: 2 and 4"),
        (np.zeros((1, 2)), np.zeros((3, 2)), "first sample must be .*Received: \\(1, 2\\)"),
        (np.zeros((3, 2)), np.full((3, 2), np.nan), "second sample .* 6 of them not finite"),
        (np.zeros(3), np.zeros((3, 2)), "first sample must be finite numbers"),
    ],
)
def test_samples_that_cannot_be_compared(first, second, message):
    with pytest.raises(InputError, match=message):
        mmd_test(first, second)


def test_no_permutations():
    with pytest.raises(InputError, match="permutations"):
        mmd_test(np.zeros((3, 2)), np.zeros((3, 2)), 0)


def test_permutations_are_drawn_some_at_a_time(monkeypatch):
    rng = np.random.default_rng(7)
    first, second = rng.normal(size=(9, 2)), 0.5 + rng.normal(size=(8, 2))
    sizes, real = [], two_sample._statistics

    def spy(kernel, members, n, m):
        sizes.append(members.shape[1])
        assert (members.sum(axis=0) == n).all()
        return real(kernel, members, n, m)

    monkeypatch.setattr(two_sample, "_statistics", spy)
    monkeypatch.setattr(two_sample, "_AT_ONCE", 300)
    found = mmd_test(first, second, 5000).p_value
    assert sizes == [1, *[300] * 16, 200]
    monkeypatch.undo()
    whole = mmd_test(first, second, 5000, seed=1).p_value
    assert found == pytest.approx(whole, abs=5 * np.sqrt(2 * whole / 5000))


@pytest.mark.parametrize("level", [0.5, 0.05, 0.01, 0.003, 0.0005, 0.0001])
def test_every_level_can_be_reached_and_holds(level):
    """The p-value is one of 1 / (B + 1), 2 / (B + 1) and so on, each as likely as another."""
    count = permutations_for(level)
    ranks = np.arange(1, count + 2) / (count + 1)
    reached = np.mean(ranks <= level)
    assert count >= 999 and 0.9 * level < reached <= level * (1 + 1e-12)
    assert np.sum(ranks <= level) >= 10


def test_a_small_level_is_reached():
    rng = np.random.default_rng(8)
    first, second = rng.normal(size=(40, 2)), 3 + rng.normal(size=(30, 2))
    assert mmd_test(first, second, permutations_for(0.0005)).p_value <= 0.0005


def test_squared_distances():
    rng = np.random.default_rng(6)
    first, second = rng.normal(size=(4, 3)), rng.normal(size=(5, 3))
    expected = [[sum((a - b) ** 2) for b in second] for a in first]
    np.testing.assert_allclose(squared_distances(first, second), expected)
