import numpy as np
import pytest

from tf_scl.errors import InputError
from tf_scl.evaluation import leakage


def test_near_copies_against_a_double_loop(monkeypatch):
    monkeypatch.setattr(leakage, "_CHUNK", 7)
    rng = np.random.default_rng(0)
    train, test = rng.normal(size=(40, 6)), rng.normal(size=(30, 6))
    test[[3, 20]] = 2.5 * train[[11, 5]] + 1e-3  # of another norm
    found = leakage.near_copies(train, test, 0.8)
    expected = {}
    for row, one in enumerate(test):
        cosines = [one @ other / np.linalg.norm(one) / np.linalg.norm(other) for other in train]
        if max(cosines) >= 0.8:
            expected[row] = (int(np.argmax(cosines)), max(cosines))
    assert {3, 20} <= set(expected) and len(expected) < 30
    pairs = zip(found.test_rows.tolist(), found.train_rows.tolist(), strict=True)
    assert dict(pairs) == {row: place for row, (place, _) in expected.items()}
    values = [expected[row][1] for row in found.test_rows.tolist()]
    np.testing.assert_allclose(found.cosines, values, rtol=1e-6)
    assert values == sorted(values, reverse=True) and found.cosine == 0.8


def test_what_chance_makes_is_what_it_makes_of_vectors_without_copies():
    """The cosine is that of a model: 1 % of a reference have another above it."""
    rng = np.random.default_rng(0)
    reference, test, train = (rng.normal(size=(n, 5)) for n in (1000, 1000, 3000))
    rows = reference / np.linalg.norm(reference, axis=1, keepdims=True)
    cosines = rows @ rows.T
    np.fill_diagonal(cosines, -1)
    cosine = np.quantile(cosines.max(axis=1), 0.99)
    found = leakage.near_copies(train, test, cosine)
    assert found.by_chance == pytest.approx(1000 * (1 - 0.99**3))
    assert found.by_chance / 3 < len(found.cosines) < 3 * found.by_chance


def test_features_that_are_not_finite_are_refused():
    with pytest.raises(InputError, match="train"):
        leakage.near_copies(np.full((3, 2), np.nan), np.ones((2, 2)), 0.9)
