import numpy as np
import pytest
from scipy import linalg, optimize

import tf_scl
from tests import reference
from tests.tf_scl.theory.graphs import random_classes, random_weights
from tf_scl.theory import population_losses as losses
from tf_scl.theory.augmentation_graph import AugmentationGraph


def _graphs():
    for seed in range(10):
        rng = np.random.default_rng(seed)
        size = int(rng.integers(3, 15))
        yield random_weights(rng, size), rng
        yield random_classes(rng, 6, size, 3, 0.2)[0], rng


def _loss(graph, f):
    """L(f) as two loops."""
    total = 0.0
    for x in range(graph.size):
        for other in range(graph.size):
            inner = np.sum(f[x] * f[other])
            total -= 2 * graph.weights[x, other] * inner
            total += graph.degrees[x] * graph.degrees[other] * inner**2
    return total


def test_the_population_loss_is_its_double_sum():
    for graph, rng in _graphs():
        f = rng.normal(size=(graph.size, 3))
        expected = _loss(graph, f)
        assert losses.population_spectral_loss(graph, f) == pytest.approx(expected, rel=1e-12)


def test_lemma_3_2_links_the_losses_with_their_constant():
    for graph, rng in _graphs():
        f = rng.normal(size=(graph.size, int(rng.integers(1, 6))))
        factors = np.array([np.sqrt(graph.degrees[x]) * f[x] for x in range(graph.size)])
        np.testing.assert_allclose(losses.to_factors(graph, f), factors, rtol=1e-13)
        factorisation = linalg.norm(graph.normalized_adjacency - factors @ factors.T) ** 2
        assert losses.matrix_factorization_loss(graph, factors) == pytest.approx(
            factorisation, rel=1e-12
        )
        difference = factorisation - losses.population_spectral_loss(graph, f)
        assert abs(difference - losses.loss_constant(graph)) <= 1e-10 * max(1, factorisation)


def test_the_population_loss_is_the_expectation_of_the_training_loss():
    # N pairs: the mean over all N-tuples of pairs is L(f). Here N = 2, so 81 x 81 tuples
    # shrink to a sum over pairs of pairs.
    graph, _ = random_classes(np.random.default_rng(0), 3, 3, 3, 0.5)
    f = np.random.default_rng(1).normal(size=(3, 2))
    pairs = [(x, other) for x in range(3) for other in range(3)]
    expected = 0.0
    for a in pairs:
        for b in pairs:
            loss = reference.spectral_contrastive_loss(f[[a[0], b[0]]], f[[a[1], b[1]]])
            expected += graph.weights[a] * graph.weights[b] * loss
    assert losses.population_spectral_loss(graph, f) == pytest.approx(expected, rel=1e-12)


def test_drawn_pairs_estimate_the_population_loss():
    graph, _ = random_classes(np.random.default_rng(0), 6, 12, 3, 0.1)
    f = np.random.default_rng(1).normal(size=(12, 4))
    rng = np.random.default_rng(2)
    estimates = []
    for _ in range(200):
        first, second = graph.sample_pairs(64, rng)
        inner = f[first] @ f[second].T
        square = inner**2
        np.fill_diagonal(square, 0.0)
        estimates.append(-2 * np.trace(inner) / 64 + square.sum() / (64 * 63))
    error = np.mean(estimates) - losses.population_spectral_loss(graph, f)
    assert abs(error) <= 4 * np.std(estimates) / np.sqrt(200)


@pytest.mark.parametrize("dimension", [1, 2, 3, 5])
def test_the_closed_form_is_what_an_optimizer_finds(dimension):
    for seed in range(3):
        rng = np.random.default_rng(seed)
        for graph in (random_weights(rng, 7), random_classes(rng, 5, 7, 2, 0.3)[0]):
            values = np.linalg.eigvalsh(graph.normalized_adjacency)[::-1]
            expected = -np.sum(np.maximum(values[:dimension], 0) ** 2)
            minimum = losses.population_minimum(graph, dimension)
            assert minimum == pytest.approx(expected, rel=1e-12)
            minimizer = losses.population_minimizer(graph, dimension)
            assert losses.population_spectral_loss(graph, minimizer) == pytest.approx(minimum)
            found = optimize.minimize(
                lambda flat, graph=graph: losses.population_spectral_loss(
                    graph, flat.reshape(7, dimension)
                ),
                rng.normal(size=7 * dimension),
                method="BFGS",
                options={"gtol": 1e-7},
            )
            assert found.fun == pytest.approx(minimum, abs=1e-8)


def test_no_other_embedding_is_below_the_minimum():
    for graph, rng in _graphs():
        minimum = losses.population_minimum(graph, 3)
        best = losses.population_minimizer(graph, 3)
        for scale in (1e-3, 0.1, 1.0):
            other = best + scale * rng.normal(size=best.shape)
            assert losses.population_spectral_loss(graph, other) >= minimum - 1e-12


def test_rotations_of_the_minimizer_are_minimizers_and_span_the_same():
    graph, _ = random_classes(np.random.default_rng(3), 8, 12, 3, 0.1)
    best = losses.population_minimizer(graph, 3)
    turned = best @ linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    assert losses.population_spectral_loss(graph, turned) == pytest.approx(
        losses.population_minimum(graph, 3)
    )
    first, second = losses.to_factors(graph, best), losses.to_factors(graph, turned)
    assert losses.subspace_distance(first, second) < 1e-12
    assert losses.subspace_distance(first, graph.eigenpairs[1][:, :3]) < 1e-12


def test_more_dimensions_than_eigenvalues_are_zeros():
    graph = AugmentationGraph(np.ones((4, 4)) - np.eye(4))  # one positive eigenvalue
    best = losses.population_minimizer(graph, 6)
    assert best.shape == (4, 6) and not best[:, 1:].any()
    np.testing.assert_allclose(best[:, 0], 1.0)
    assert losses.population_minimum(graph, 6) == pytest.approx(-1.0)


def test_subspace_distance_is_the_sine_of_the_largest_angle():
    first = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]])
    second = np.array([[2.0, 1.0], [0.0, np.cos(0.3)], [0.0, np.sin(0.3)]])
    assert losses.subspace_distance(first, second) == pytest.approx(np.sin(0.3))
    assert losses.subspace_distance(first, first @ np.array([[1.0, 2.0], [0.0, 3.0]])) < 1e-15
    assert losses.subspace_distance(first, second[:, :1]) == 1.0  # ranks differ
    assert losses.subspace_distance(first[:, :1], first[:, 1:]) == pytest.approx(1.0)
    assert losses.subspace_distance(np.zeros((3, 2)), np.zeros((3, 1))) == 0.0


@pytest.mark.parametrize(
    "f,message",
    [
        (np.ones((2, 2)), r"\[3, d\].*\(2, 2\)"),
        (np.ones(3), r"\(3,\)"),
        (np.full((3, 2), np.nan), "6 of 6 embeddings are NaN.*smaller learning rate"),
    ],
)
def test_bad_embeddings_are_named(f, message):
    graph = AugmentationGraph(np.ones((3, 3)))
    for function in (losses.population_spectral_loss, losses.matrix_factorization_loss):
        with pytest.raises(tf_scl.InputError, match=message):
            function(graph, f)


@pytest.mark.parametrize("dimension", [0, -2, 1.5])
def test_bad_dimensions_are_named(dimension):
    graph = AugmentationGraph(np.ones((3, 3)))
    for function in (losses.population_minimum, losses.population_minimizer):
        with pytest.raises(tf_scl.InputError, match=f"at least 1. Received: dimension={dimension}"):
            function(graph, dimension)


@pytest.mark.parametrize(
    "first,second",
    [
        (np.ones((3, 2)), np.ones((4, 2))),
        (np.ones(3), np.ones((3, 1))),
        (np.full((3, 1), np.inf), np.ones((3, 1))),
    ],
)
def test_bad_subspaces_are_named(first, second):
    with pytest.raises(tf_scl.InputError, match="equally many rows"):
        losses.subspace_distance(first, second)
