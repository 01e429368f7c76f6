import numpy as np
import pytest

from tf_scl.evaluation.ritz_values import FOLDS, ritz_values, second_moment, whiten


def test_white_views_have_unit_moments():
    rng = np.random.default_rng(0)
    views = rng.normal(size=(80, 3, 4)) @ rng.normal(size=(4, 6)) + 5.0
    x, varying = whiten(views, 4.0)
    assert varying == 4  # of six dimensions
    np.testing.assert_allclose(second_moment(x), np.eye(4), atol=1e-10)
    np.testing.assert_allclose(x.mean(axis=(0, 1)), 0.0, atol=1e-10)


@pytest.mark.parametrize("share,expected", [(0.0, 0.0), (0.5, 0.25), (1.0, 1.0)])
def test_independent_directions_have_the_value_that_views_share(share, expected):
    """x = share * s + noise of variance 1 - share^2: the correlation of two views is share^2."""
    rng = np.random.default_rng(1)
    n, d = 4000, 3
    noise = np.sqrt(1.0 - share**2) * rng.normal(size=(n, 4, d))
    x, _ = whiten(share * rng.normal(size=(n, 1, d)) + noise, 3.0)
    values, low, high = ritz_values(x, np.arange(n) % FOLDS, rng, 100)
    assert values[0] == low[0] == high[0] == 1.0
    np.testing.assert_allclose(values[1:], expected, atol=0.04)
    assert (low[1:] <= expected + 1e-9).all() and (high[1:] >= expected - 1e-9).all()


def test_fitting_to_noise_does_not_flatter():
    """200 images in 20 directions: the largest value fitted would be about 0.5."""
    rng = np.random.default_rng(2)
    x, _ = whiten(rng.normal(size=(200, 2, 20)), 20.0)
    first = np.linalg.eigvalsh((x[:, 0].T @ x[:, 1] + x[:, 1].T @ x[:, 0]) / 400)[-1]
    values, low, _ = ritz_values(x, np.arange(200) % FOLDS, rng, 100)
    assert values[1] < first - 0.05
    assert low[1] < 0.1
