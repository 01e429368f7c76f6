import numpy as np

from tf_scl.evaluation import view_matching
from tf_scl.evaluation.view_matching import match_views


def _by_loops(views):
    """The definition, pair by pair."""
    n, v, _ = views.shape
    cosine = np.einsum("iad,jbd->iajb", views, views) / np.einsum(
        "ia,jb->iajb", *[np.linalg.norm(views, axis=2)] * 2
    )
    right = np.zeros(n)
    for i in range(n):
        for a in range(v):
            for b in range(v):
                if a != b:
                    others = np.delete(cosine[i, a, :, b], i)
                    right[i] += cosine[i, a, i, b] > others.max()
    return right / (v * (v - 1))


def test_it_is_the_definition(monkeypatch):
    monkeypatch.setattr(view_matching, "_CHUNK", 7)
    rng = np.random.default_rng(0)
    views = rng.normal(size=(40, 1, 5)) + 0.6 * rng.normal(size=(40, 3, 5))
    matched = match_views(views)
    np.testing.assert_allclose(matched, _by_loops(views))
    assert 0.2 < matched.mean() < 0.9


def test_equal_views_of_different_images_match_and_noise_does_by_chance():
    rng = np.random.default_rng(0)
    images = rng.normal(size=(200, 1, 8))
    assert match_views(np.repeat(images, 2, axis=1)).min() == 1.0
    noise = match_views(rng.normal(size=(200, 2, 8))).mean()
    assert noise < 0.03


def test_a_constant_encoder_matches_nothing():
    assert match_views(np.ones((20, 2, 4))).max() == 0.0
    assert match_views(np.zeros((20, 2, 4))).max() == 0.0
