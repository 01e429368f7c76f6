import sys

import numpy as np
import pytest

from tf_scl.errors import InputError
from tf_scl.report.embedding_map import embedding_map, principal_components


def _clusters(count=60, classes=3, dimension=8, seed=0):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, count)
    return 4 * np.eye(classes, dimension)[labels] + rng.normal(0, 0.1, (count, dimension)), labels


def test_clusters_stay_apart_and_the_seed_decides():
    features, labels = _clusters()
    drawn = embedding_map(features, labels, ["a", "b", "c"])
    points = np.array(drawn.points)
    assert points.shape == (60, 2)
    distance = np.linalg.norm(points[:, None] - points, axis=2) + 1e9 * np.eye(60)
    assert (labels[distance.argmin(axis=1)] == labels).all()
    assert list(drawn.labels) == labels.tolist()
    assert drawn.method.startswith("t-SNE (perplexity 19.7) of 8 principal components of 60")
    assert embedding_map(features, labels, ["a", "b", "c"]) == drawn


def test_a_random_part_is_shown_with_its_labels():
    features, labels = _clusters(40)
    labels[::2] = -1
    features[:, 7] = np.arange(40)  # tells images apart
    drawn = embedding_map(features, labels, ["a", "b", "c"], limit=4)
    assert len(drawn.points) == len(drawn.labels) == 4
    assert drawn.method.startswith("the first two principal components of 4 of 40 images")
    chosen = np.sort(np.random.default_rng(0).permutation(40)[:4])
    expected = [None if labels[row] < 0 else labels[row] for row in chosen]
    assert list(drawn.labels) == expected


@pytest.mark.parametrize("features", [np.ones((9, 3)), np.zeros((9, 1)), np.ones((1, 4))])
def test_equal_or_few_images_are_one_place(features):
    drawn = embedding_map(features, [-1] * len(features), [])
    assert np.abs(drawn.points).max() == 0


def test_principal_components_against_the_covariance():
    features = np.random.default_rng(0).normal(size=(30, 4)) * [5, 3, 2, 1]
    got = principal_components(features, 6)
    values, vectors = np.linalg.eigh(np.cov(features.T, bias=True))
    expected = (features - features.mean(0)) @ vectors[:, ::-1]
    np.testing.assert_allclose(np.abs(got[:, :4]), np.abs(expected), atol=1e-9)
    assert (got[:, 4:] == 0).all()
    largest = np.abs(got[:, :4]).argmax(axis=0)
    assert (got[largest, range(4)] > 0).all()


def test_bad_input_is_named(monkeypatch):
    features, labels = _clusters()
    with pytest.raises(InputError, match="below the number of classes, 2. Received: 2"):
        embedding_map(features, labels, ["a", "b"])
    with pytest.raises(InputError, match="NaN or infinite"):
        embedding_map(features * np.nan, labels, ["a", "b", "c"])
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(InputError, match="pip install scikit-learn"):
        embedding_map(features, labels, ["a", "b", "c"])
