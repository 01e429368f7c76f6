import itertools
import sys

import numpy as np
import pytest

import tf_scl
from tests.tf_scl.theory.graphs import random_classes
from tf_scl.theory.augmentation_graph import AugmentationGraph
from tf_scl.theory.spectral_clustering import clustering_accuracy, spectral_clusters


def _cliques(sizes, bridge):
    """Cliques in a random order of nodes, with weak edges between all; and their numbers."""
    labels = np.random.default_rng(0).permutation(np.repeat(np.arange(len(sizes)), sizes))
    return AugmentationGraph(np.where(labels[:, None] == labels, 1.0, bridge)), labels


@pytest.mark.parametrize("bridge", [0.0, 0.03])
@pytest.mark.parametrize("sizes", [(6, 6), (9, 5, 7), (12, 4, 5, 8)])
def test_cliques_are_found(sizes, bridge):
    graph, labels = _cliques(sizes, bridge)
    clusters = spectral_clusters(graph, len(sizes))
    assert clustering_accuracy(clusters, labels) == 1.0
    np.testing.assert_array_equal(clusters, spectral_clusters(graph, len(sizes)))


def test_components_are_found_whatever_their_weights():
    for seed in range(5):
        graph, _ = random_classes(np.random.default_rng(seed), 9, 15, 3, 0.0)
        if len(set(graph.components)) == 3:
            assert clustering_accuracy(spectral_clusters(graph, 3), graph.components) == 1.0


def test_accuracy_is_the_best_of_all_matchings():
    rng = np.random.default_rng(0)
    for _ in range(10):
        clusters, labels = rng.integers(0, 4, 30), rng.integers(0, 4, 30)
        best = max(
            np.mean(np.array(names)[clusters] == labels)
            for names in itertools.permutations(range(4))
        )
        assert clustering_accuracy(clusters, labels) == pytest.approx(best)


def test_accuracy_with_more_or_fewer_clusters_than_classes():
    labels = [0, 0, 0, 5, 5, 5]
    assert clustering_accuracy([7, 7, 3, 1, 1, 1], labels) == pytest.approx(5 / 6)
    assert clustering_accuracy([2] * 6, labels) == pytest.approx(0.5)


def test_bad_arguments_are_named(monkeypatch):
    graph, labels = _cliques((3, 3), 0.0)
    for clusters in (0, 7):
        with pytest.raises(
            tf_scl.InputError, match=f"between 1 and 6. Received: clusters={clusters}"
        ):
            spectral_clusters(graph, clusters)
    for clusters in ([0, 1], []):
        with pytest.raises(tf_scl.InputError, match=rf"\({len(clusters)},\) and \(6,\)"):
            clustering_accuracy(clusters, labels)
    with pytest.raises(tf_scl.InputError, match=r"\(0,\) and \(0,\)"):
        clustering_accuracy([], [])
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(tf_scl.InputError, match="pip install scikit-learn"):
        spectral_clusters(graph, 2)
