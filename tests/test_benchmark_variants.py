"""The loss with labels in its graph (docs/benchmarks.md) beside the sum over all pairs."""

import types

import numpy as np
import pytest
import tensorflow as tf

from benchmarks import _variants as variants

_CLASSES = np.array([0, 1, 2, 0, 1, 2], np.int32)
_SHARE = 0.3


def _unit(rows):
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def _mean(one, other, joined, power):
    """Of (a.b)^power over the views of the pairs of images that are joined."""
    products = np.einsum("vid,wjd->ijvw", one, other) ** power
    return products[joined].mean()


def _of_classes(rows, power):
    """The mean over classes of the mean over pairs of two images of it."""
    others = ~np.eye(len(_CLASSES), dtype=bool)
    same = [np.outer(_CLASSES == c, _CLASSES == c) & others for c in range(3)]
    return np.mean([_mean(rows, rows, joined, power) for joined in same])


def test_labels_in_the_graph_by_moments_and_by_all_pairs():
    rng = np.random.default_rng(0)
    first = _unit(rng.normal(size=(7, 5)))
    u = np.stack([first, _unit(first + 0.1 * rng.normal(size=first.shape))])
    labeled = _unit(rng.normal(size=(2, 6, 5)))
    own = np.mean(np.sum(u[0] * u[1], axis=1))
    cosine = (1 - _SHARE) * own + _SHARE * _of_classes(labeled, 1)
    differ = _CLASSES[:, None] != _CLASSES  # as many pairs of each two classes
    squared = (
        (1 - _SHARE) ** 2 * _mean(u, u, ~np.eye(7, dtype=bool), 2)
        + 2 * _SHARE * (1 - _SHARE) * _mean(u, labeled, np.ones((7, 6), bool), 2)
        + _SHARE**2 * (_of_classes(labeled, 2) / 3 + 2 / 3 * _mean(labeled, labeled, differ, 2))
    )
    settings = types.SimpleNamespace(variant=variants.Variant(labeled=_SHARE))
    found = variants.LabeledModel._mixture(settings, *map(tf.constant, (u, labeled, _CLASSES)))
    mu = cosine / squared
    assert float(found["mu"]) == pytest.approx(mu)
    assert float(found["attraction"]) == pytest.approx(-2 * cosine)
    assert float(found["repulsion"]) == pytest.approx(mu * squared)
