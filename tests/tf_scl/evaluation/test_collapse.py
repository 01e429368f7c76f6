import numpy as np
import pytest

import tf_scl


def test_equal_singular_values_count_fully():
    # Rows +-e_i: centered, every singular value is the same.
    features = np.vstack([np.eye(5), -np.eye(5)])
    assert tf_scl.effective_rank(features) == pytest.approx(5.0)


def test_known_singular_values():
    # Singular values 3 and 1: entropy of (3/4, 1/4).
    rng = np.random.default_rng(0)
    left = np.linalg.qr(rng.normal(size=(50, 3)) - 0)[0]
    ones = np.ones((50, 1)) / np.sqrt(50)
    left = np.linalg.qr(np.hstack([ones, left]))[0][:, 1:3]  # orthogonal to the mean
    right = np.linalg.qr(rng.normal(size=(8, 8)))[0][:2]
    features = left @ np.diag([3.0, 1.0]) @ right + 5.0
    expected = np.exp(-(0.75 * np.log(0.75) + 0.25 * np.log(0.25)))
    assert tf_scl.effective_rank(features) == pytest.approx(expected)
    assert tf_scl.effective_rank(features[:, ::-1].copy()) == pytest.approx(expected)


def test_constant_features_have_rank_zero():
    assert tf_scl.effective_rank(np.full((10, 4), 3.7, np.float32)) == 0.0
    noise = 1e-8 * np.random.default_rng(0).normal(size=(10, 4))
    assert tf_scl.effective_rank(np.full((10, 4), 3.7) + noise) == 0.0
    assert tf_scl.effective_rank(np.zeros((10, 4))) == 0.0


def test_rank_one_features_have_rank_one():
    rng = np.random.default_rng(0)
    line = np.outer(rng.normal(size=100), rng.normal(size=16)) + rng.normal(size=16)
    assert tf_scl.effective_rank(line) == pytest.approx(1.0)


def test_wide_and_tall_agree():
    wide = np.random.default_rng(0).normal(size=(6, 40))
    squared = np.linalg.svd(wide - wide.mean(0), compute_uv=False)[:5]
    share = squared / squared.sum()
    assert tf_scl.effective_rank(wide) == pytest.approx(np.exp(-np.sum(share * np.log(share))))
