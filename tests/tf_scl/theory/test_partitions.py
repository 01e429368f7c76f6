import itertools

import numpy as np
import pytest

import tf_scl
from tests.tf_scl.theory.graphs import random_weights
from tf_scl.theory import partitions
from tf_scl.theory.augmentation_graph import AugmentationGraph

_CLIQUES = AugmentationGraph(np.kron(np.eye(3), np.ones((3, 3))))


def _conductance(graph, nodes):
    leaving = volume = 0.0
    for x in nodes:
        for other in range(graph.size):
            volume += graph.weights[x, other]
            leaving += graph.weights[x, other] * (other not in nodes)
    return leaving / volume


def _all_partitions(size, parts):
    for assignment in itertools.product(range(parts), repeat=size):
        if len(set(assignment)) == parts:
            yield assignment


@pytest.mark.parametrize("seed", range(5))
def test_conductance_is_the_definition(seed):
    rng = np.random.default_rng(seed)
    graph = random_weights(rng, 9)
    nodes = np.flatnonzero(rng.random(9) < 0.5) if seed else np.arange(9)
    expected = _conductance(graph, nodes.tolist())
    assert partitions.conductance(graph, nodes) == pytest.approx(expected, abs=1e-14)


def test_a_single_node_leaves_all_but_its_loop():
    graph = AugmentationGraph([[2.0, 1.0], [1.0, 0.0]])
    assert partitions.conductance(graph, [0]) == pytest.approx(1 / 3)
    assert partitions.conductance(graph, [1]) == 1.0


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("parts", [1, 2, 3, 4])
def test_the_sparsest_partition_is_the_best_of_all(seed, parts):
    graph = random_weights(np.random.default_rng(seed), 6)
    rho, assignment = partitions.sparsest_partition(graph, parts)
    best = min(
        max(_conductance(graph, [x for x in range(6) if a[x] == p]) for p in range(parts))
        for a in _all_partitions(6, parts)
    )
    assert rho == pytest.approx(best, abs=1e-13)
    assert set(assignment) == set(range(parts))
    assert partitions.partition_conductance(graph, assignment) == pytest.approx(rho, abs=1e-13)


def test_rho_grows_with_the_parts_and_bounds_the_spectrum():
    # The easy side of Cheeger's inequality: mu_m <= 2 rho_m.
    for seed in range(5):
        graph = random_weights(np.random.default_rng(seed), 9)
        rho = [partitions.sparsest_partition(graph, parts)[0] for parts in range(1, 10)]
        assert (np.diff(rho) >= -1e-14).all() and rho[0] == 0.0
        assert (1 - graph.eigenpairs[0] <= 2 * np.array(rho) + 1e-12).all()


def test_components_are_the_sparsest_partition():
    rho, assignment = partitions.sparsest_partition(_CLIQUES, 3)
    assert rho == pytest.approx(0.0, abs=1e-15)
    assert assignment.tolist() == [0] * 3 + [1] * 3 + [2] * 3
    assert partitions.sparsest_partition(_CLIQUES, 4)[0] == pytest.approx(2 / 3)


@pytest.mark.parametrize("seed", range(5))
def test_inner_conductance_is_the_definition(seed):
    rng = np.random.default_rng(seed)
    graph = random_weights(rng, 10)
    assignment = rng.permutation(np.arange(10) % 3)
    best = np.inf
    for part in range(3):
        nodes = np.flatnonzero(assignment == part)
        volume = graph.degrees[nodes].sum()
        for count in range(1, len(nodes)):
            for subset in itertools.combinations(nodes, count):
                rest = sorted(set(nodes) - set(subset))
                crossing = sum(graph.weights[x, other] for x in subset for other in rest)
                inside = graph.degrees[list(subset)].sum()
                if inside <= volume / 2:
                    best = min(best, crossing / inside)
    assert partitions.inner_conductance(graph, assignment) == pytest.approx(best, rel=1e-12)


def test_inner_conductance_of_known_partitions():
    assert partitions.inner_conductance(_CLIQUES, np.arange(9) // 3) == pytest.approx(2 / 3)
    assert partitions.inner_conductance(_CLIQUES, np.zeros(9, int)) == pytest.approx(0.0)
    assert partitions.inner_conductance(_CLIQUES, np.arange(9)) == np.inf


def test_as_large_as_the_limit_says():
    graph = random_weights(np.random.default_rng(0), partitions.MAX_PARTITION_NODES)
    rho, assignment = partitions.sparsest_partition(graph, 3)
    assert partitions.partition_conductance(graph, assignment) == pytest.approx(rho)


@pytest.mark.parametrize("nodes", [[], [9], [-1], [0.5]])
def test_bad_nodes_are_named(nodes):
    with pytest.raises(tf_scl.InputError, match=r"0\.\.8, at least one"):
        partitions.conductance(_CLIQUES, nodes)


def test_what_is_too_large_or_does_not_fit_is_named():
    large = AugmentationGraph(np.ones((19, 19)))
    with pytest.raises(tf_scl.InputError, match="14 nodes. Received: 19; give a partition"):
        partitions.sparsest_partition(large, 2)
    with pytest.raises(tf_scl.InputError, match="18 nodes. Received: 19; split it"):
        partitions.inner_conductance(large, np.zeros(19))
    for parts in (0, 10):
        with pytest.raises(tf_scl.InputError, match=f"between 1 and 9. Received: parts={parts}"):
            partitions.sparsest_partition(_CLIQUES, parts)
    with pytest.raises(tf_scl.InputError, match=r"\[9\].*\(3,\)"):
        partitions.partition_conductance(_CLIQUES, [0, 1, 2])
