import numpy as np
import pytest

from tests.tf_scl.report.test_records import write_records
from tf_scl.errors import InputError
from tf_scl.evaluation.leakage import near_copies
from tf_scl.report.neighbors import copy_pairs, nearest, neighbor_grid


def _features(count, seed):
    return np.random.default_rng(seed).normal(size=(count, 5))


def test_neighbors_against_a_double_loop():
    train, test, labels = _features(40, 0), _features(12, 1), np.arange(12) % 3
    chosen, found, similarity = nearest(train, test, labels, queries=6, neighbors=4)
    assert found.shape == similarity.shape == (6, 4)
    for query, row, cosines in zip(chosen, found, similarity, strict=True):
        expected = []
        for number, features in enumerate(train):
            norms = np.linalg.norm(features) * np.linalg.norm(test[query])
            expected.append((-(features @ test[query]) / norms, number))
        expected.sort()
        assert row.tolist() == [number for _, number in expected[:4]]
        np.testing.assert_allclose(cosines, [-cosine for cosine, _ in expected[:4]])


def test_queries_are_spread_over_classes():
    labels = np.array([0] * 90 + [1] * 9 + [2])
    chosen, _, _ = nearest(_features(8, 0), _features(100, 1), labels, queries=6)
    assert labels[chosen].tolist().count(2) == 1
    assert sorted(labels[chosen].tolist()) == labels[chosen].tolist()
    assert np.bincount(labels[chosen]).max() <= 3
    assert len(set(chosen.tolist())) == 6
    other, _, _ = nearest(_features(8, 0), _features(100, 1), labels, queries=6, seed=1)
    assert other.tolist() != chosen.tolist()


def test_few_images_and_no_labels():
    chosen, found, _ = nearest(_features(2, 0), _features(3, 1), [-1] * 3)
    assert sorted(chosen.tolist()) == [0, 1, 2]
    assert found.shape == (3, 2)
    with pytest.raises(InputError, match="number, at least 1. Received: queries=0"):
        nearest(_features(2, 0), _features(3, 1), [-1] * 3, queries=0)


def test_a_grid_shows_the_images_of_the_records(tmp_path):
    train = write_records(tmp_path / "train", [("cat", 0), ("dog", 1), ("dog", 1)])
    test = write_records(tmp_path / "test", [("dog", 1)])
    features = np.array([[1.0, 0.0], [0.0, 1.0], [0.1, 1.0]])
    grid = neighbor_grid(features, [[0.0, 2.0]], [1], train, test, neighbors=2)
    (query,) = grid
    assert (query.image.label, query.image.name) == ("dog", "dog/0.png")
    assert query.image.image.startswith("data:image/png;base64,")
    near = query.neighbors
    assert [(one.name, one.label) for one in near] == [
        ("dog/1.png", "dog"),
        ("dog/2.png", "dog"),
    ]
    assert [one.similarity for one in near] == pytest.approx([1.0, 1 / np.sqrt(1.01)])


def test_near_copies_are_shown_with_their_originals(tmp_path):
    train = write_records(tmp_path / "train", [("cat", 0), ("dog", 1), ("cow", 2)])
    test = write_records(tmp_path / "test", [("dog", 1), ("cat", 0), ("cow", 2)])
    found = near_copies(np.eye(3), np.array([[1.0, 0, 1], [1, 0.1, 0], [0, 0.2, 1]]), 0.9)
    first, second = copy_pairs(found, train, test)
    assert (first.image.name, second.image.name) == ("cat/1.png", "cow/2.png")
    assert first.neighbors[0].name == "cat/0.png"
    assert first.neighbors[0].similarity == pytest.approx(1 / np.sqrt(1.01))
    (only,) = copy_pairs(found, train, test, most=1)
    assert only == first
