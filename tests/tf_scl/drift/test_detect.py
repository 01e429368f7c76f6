import dataclasses

import numpy as np
import pytest

from tf_scl.drift import detect
from tf_scl.drift.detect import detect_drift
from tf_scl.errors import InputError


def _rows(count, seed, shift=0.0):
    return np.random.default_rng(seed).normal(shift, size=(count, 6)).astype(np.float32)


def test_images_of_the_same_kind():
    found = detect_drift(_rows(300, 0), _rows(400, 1))
    assert not found.drifted and found.p_value > 0.05
    assert (found.images, found.reference_images, found.level) == (400, 300, 0.01)
    assert found.outside < 0.03 and found.expected_outside == 3 / 301


def test_images_of_another_kind():
    found = detect_drift(_rows(300, 0), _rows(200, 1, shift=1.0))
    assert found.drifted and found.p_value == 0.001
    assert found.outside > 0.05


def test_the_strangest_are_those_that_are_far_from_all_others():
    reference, new = _rows(300, 0), _rows(100, 1)
    new[[17, 60]] += np.float32([[20.0], [40.0]])
    found = detect_drift(reference, new, shown=3)
    assert found.strangest[:2] == (60, 17) and len(found.strangest) == 3
    assert found.distances[0] > 10 and found.distances[2] < 4

    def fifth(row):
        return np.sort(np.linalg.norm(reference - row, axis=1))

    usual = np.median([fifth(row)[5] for row in reference])  # the first is the row itself
    expected = [fifth(new[number])[4] / usual for number in found.strangest]
    np.testing.assert_allclose(found.distances, expected, rtol=1e-4)


def test_of_many_images_some_are_tested_and_all_are_looked_at(monkeypatch):
    monkeypatch.setattr(detect, "_TESTED", 100)
    monkeypatch.setattr(detect, "_CHUNK", 64)
    sizes = []
    real = detect.mmd_test

    def spy(*rows_and_more):
        sizes.append([len(one) for one in rows_and_more[:2]])
        return real(*rows_and_more)

    monkeypatch.setattr(detect, "mmd_test", spy)
    reference, new = _rows(170, 0), _rows(200, 1)
    new[199] += 30
    found = detect_drift(reference, new)
    assert sizes == [[100, 50]] and found.tested == 50
    assert found.strangest[0] == 199
    assert found == detect_drift(reference, new)
    detect_drift(reference[:30], new)
    detect_drift(reference, new[:30])
    assert sizes[-2:] == [[30, 20], [100, 30]]  # no fewer than 20


@pytest.mark.parametrize("count,expected", [(20, 1 / 21), (60, 1 / 61), (200, 2 / 201)])
def test_as_many_are_outside_as_are_expected(count, expected, monkeypatch):
    """Of one distribution, however few are kept; heavy tails, where quantiles are farthest off."""
    monkeypatch.setattr(detect, "permutations_for", lambda level: 1)  # the test is another matter
    rng, shares = np.random.default_rng(0), []
    for _ in range(800):
        rows = rng.standard_t(2, size=(count + 20, 2))
        found = detect_drift(rows[:count], rows[count:], level=0.5)
        assert found.expected_outside == pytest.approx(expected)
        shares.append(found.outside)
    error = np.std(shares) / np.sqrt(len(shares))
    assert np.mean(shares) == pytest.approx(expected, abs=3 * error)


def test_outside_is_a_rank_among_the_reference_and_the_new_one():
    """By the definition: the new row joins the others, and each has its fifth nearest other one."""
    reference, new = _rows(250, 0), 1.2 * _rows(150, 1)

    def outside(row):
        rows = np.concatenate([reference, [row]]).astype(np.float64)
        distances = np.linalg.norm(rows[:, None] - rows, axis=2)
        fifth = np.sort(distances, axis=1)[:, 5]  # the first is the row itself
        return np.sum(fifth >= fifth[-1]) <= 3  # 1 % of 251, and the new one among them

    share = np.mean([outside(row) for row in new])
    assert detect_drift(reference, new).outside == pytest.approx(share) and 0 < share < 0.5


def test_copies_are_counted_once():
    reference, new = _rows(100, 0), _rows(60, 1)
    new[7] += 20
    once = detect_drift(reference, new)
    again = detect_drift(np.repeat(reference, 2, axis=0), np.concatenate([new, new[5:25]]))
    assert (once.copies, again.copies, again.images) == (0, 20, 80)
    assert again == dataclasses.replace(once, copies=20, images=80)
    backward = detect_drift(reference, np.concatenate([new[:7], new[8:], new[[7, 7]]]))
    assert backward.strangest[0] == 59 and 60 not in backward.strangest


def test_given_one_reference_false_alarms_are_not_many(monkeypatch):
    """Even the reference that is least like its distribution, of many, is not always an alarm."""
    monkeypatch.setattr(detect, "permutations_for", lambda level: 99)  # exact as well
    rng, rates = np.random.default_rng(0), []
    for _ in range(20):
        reference = rng.normal(size=(200, 3))
        found = [detect_drift(reference, rng.normal(size=(200, 3)), 0.05) for _ in range(20)]
        rates.append(np.mean([one.drifted for one in found]))
    assert np.mean(rates) < 0.09 and max(rates) <= 0.4


def test_the_same_images_again_are_no_drift():
    rows = _rows(100, 0)
    found = detect_drift(rows, rows)
    assert found.p_value > 0.5 and found.outside == 0.0


def test_few_images():
    message = "20 images and more that differ; of the 19 new ones 19 do"
    with pytest.raises(InputError, match=message):
        detect_drift(_rows(50, 0), _rows(19, 1))
    with pytest.raises(InputError, match="of the 5 reference ones 5 do"):
        detect_drift(_rows(5, 0), _rows(50, 1))
    with pytest.raises(InputError, match="of the 500 new ones 1 do"):
        detect_drift(_rows(50, 0), np.ones((500, 6)))


@pytest.mark.parametrize("level", [0.0, 1.0, 0.00009, float("nan")])
def test_a_level_that_cannot_be(level):
    with pytest.raises(InputError, match=f"`level` must be at least 0.0001 .* Received: {level}"):
        detect_drift(_rows(50, 0), _rows(50, 1), level=level)


@pytest.mark.parametrize("level", [0.0005, 0.0001])
def test_a_small_level_can_be_reached(level):
    found = detect_drift(_rows(60, 0), _rows(50, 1, shift=2.0), level)
    assert found.drifted and found.p_value <= level


def test_a_p_value_at_the_level_counts():
    """As in a permutation test: of one distribution, p <= level in a share `level` at most."""
    found = detect_drift(_rows(60, 0), _rows(50, 1))
    assert dataclasses.replace(found, level=found.p_value).drifted
    assert not dataclasses.replace(found, level=0.999 * found.p_value).drifted
