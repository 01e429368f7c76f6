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
    assert found.outside < 0.03 and found.expected_outside == 0.01


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


def test_of_many_images_a_thousand_are_tested_and_all_are_looked_at(monkeypatch):
    monkeypatch.setattr(detect, "_TESTED", 50)
    monkeypatch.setattr(detect, "_CHUNK", 64)
    tested = []
    real = detect.mmd_test

    def spy(*rows, **options):
        tested.append([len(one) for one in rows])
        return real(*rows, **options)

    monkeypatch.setattr(detect, "mmd_test", spy)
    reference, new = _rows(70, 0), _rows(200, 1)
    new[199] += 30
    found = detect_drift(reference, new)
    assert tested == [[50, 50]]
    assert found.strangest[0] == 199
    assert found == detect_drift(reference, new)


def test_the_same_images_again_are_no_drift():
    rows = _rows(100, 0)
    found = detect_drift(rows, rows)
    assert found.p_value > 0.5 and found.outside == 0.0


def test_few_images_or_another_level():
    with pytest.raises(InputError, match="20 images and more; the new ones are 19"):
        detect_drift(_rows(50, 0), _rows(19, 1))
    with pytest.raises(InputError, match="the reference ones are 5"):
        detect_drift(_rows(5, 0), _rows(50, 1))
    with pytest.raises(InputError, match="level"):
        detect_drift(_rows(50, 0), _rows(50, 1), level=0.0)
    assert detect_drift(_rows(50, 0), _rows(50, 1), level=1.0).level == 1.0
