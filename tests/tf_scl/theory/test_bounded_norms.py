import numpy as np
import pytest
from scipy import linalg, optimize

import tf_scl
from tests.tf_scl.theory.graphs import random_classes, random_weights
from tf_scl.losses import spectral
from tf_scl.theory.augmentation_graph import AugmentationGraph
from tf_scl.theory.bounded_norms import (
    attraction_and_repulsion,
    bounded_minimizer,
    row_thresholds,
    soft_threshold,
    unit_minimizer,
)
from tf_scl.theory.population_losses import (
    population_minimizer,
    population_minimum,
    population_spectral_loss,
    subspace_distance,
    to_factors,
)


def _rng():
    return np.random.default_rng(0)


def _ring(size=12):
    steps = {0: 0.5, 1: 0.2, -1: 0.2, 2: 0.05, -2: 0.05}
    return sum(share * np.roll(np.eye(size), step, axis=1) for step, share in steps.items())


def _hypercube(bits=4, flip=0.15):
    one = np.array([[1 - flip, flip], [flip, 1 - flip]])
    kernel = np.ones((1, 1))
    for _ in range(bits):
        kernel = np.kron(kernel, one)
    return kernel


def _equal_clusters(count=4, size=5, leak=0.2):
    own = np.kron(np.eye(count), np.full((size, size), 1 / size))
    return (1 - leak) * own + leak / (count * size)


# Every node looks like every other. The dimension does not cut through equal eigenvalues.
_TRANSITIVE = {
    "ring": (_ring(), 5),
    "torus": (np.kron(_ring(5), _ring(5)), 5),
    "hypercube": (_hypercube(), 5),
    "clusters of one size": (_equal_clusters(), 4),
}


def _transitive(name):
    kernel, dimension = _TRANSITIVE[name]
    return AugmentationGraph.from_kernel(kernel), dimension


def _unequal():
    """Clusters of 2, 4 and 9 nodes."""
    sizes = (2, 4, 9)
    own = linalg.block_diag(*(np.full((size, size), 1 / size) for size in sizes))
    return AugmentationGraph.from_kernel(0.8 * own + 0.2 / sum(sizes)), len(sizes)


@pytest.mark.parametrize("energy", [0.01, 0.5, 1.0, 3.0, 1e3])
def test_soft_threshold_is_the_root_of_the_sum(energy):
    values = np.concatenate([_rng().uniform(0, 1, 30), [-0.5, 0.0, 1.0, 1.0]])
    tau, kept = soft_threshold(values, energy)
    positive = np.maximum(values, 0)

    def excess(tau):
        return np.maximum(positive - tau, 0).sum() - energy

    expected = optimize.brentq(excess, 0, 1, xtol=1e-14) if excess(0.0) > 0 else 0.0
    assert tau == pytest.approx(expected, abs=1e-12)
    np.testing.assert_allclose(kept, np.maximum(positive - tau, 0))


@pytest.mark.parametrize("energy,kept", [(1.0, 4), (4.0, 9), (10.0, 14)])
def test_how_many_are_kept(energy, kept):
    """Of 1, 0.9, 0.8, ...: k are while the k largest exceed the k-th by less than the energy."""
    values = np.linspace(1, 0, 11)[:10]
    count = np.count_nonzero(soft_threshold(values, energy)[1])
    above = [np.sum(values[:k] - values[k - 1]) for k in range(1, 11)]
    assert count == sum(excess < energy for excess in above)
    assert count == min(kept, 10)


@pytest.mark.parametrize("energy", [0.3, 1.0, 2.0, 50.0])
def test_no_descent_finds_less_with_bounded_energy(energy):
    """Projected gradients, from several starts, end at the closed form and not below it."""
    graph, dimension, losses = random_weights(_rng(), 14), 5, []
    closed = population_spectral_loss(graph, bounded_minimizer(graph, dimension, energy))
    adjacency, rng = graph.normalized_adjacency, _rng()
    for _ in range(3):
        factors = 0.2 * rng.normal(size=(graph.size, dimension))
        for _ in range(4000):
            factors += 0.1 * (adjacency - factors @ factors.T) @ factors
            factors *= min(1.0, np.sqrt(energy) / linalg.norm(factors))
        losses.append(population_spectral_loss(graph, factors / np.sqrt(graph.degrees)[:, None]))
    assert min(losses) >= closed - 1e-12
    assert min(losses) == pytest.approx(closed, abs=1e-5)


def test_bounded_energy_keeps_eigenvectors_and_without_need_everything():
    graph, _ = random_classes(_rng(), 12, 15, 3, 0.2)
    found = bounded_minimizer(graph, 4, 1.0)
    values, vectors = graph.eigenpairs
    tau, kept = soft_threshold(values[:4], 1.0)
    assert 0 < tau < 1 and np.sum(graph.degrees @ found**2) == pytest.approx(1.0)
    factors = to_factors(graph, found)
    expected = (vectors[:, :4] * kept) @ vectors[:, :4].T
    np.testing.assert_allclose(factors @ factors.T, expected, atol=1e-12)
    np.testing.assert_allclose(
        bounded_minimizer(graph, 4, 4.0), population_minimizer(graph, 4), atol=1e-12
    )


@pytest.mark.parametrize("mu", [0.5, 2.0, 30.0, "auto"])
def test_each_row_has_a_threshold_and_their_mean_is_known(mu):
    """(Ā - F F^T) F = T F, and E t = a - mu r: 0 where mu is found."""
    graph, _ = random_classes(_rng(), 12, 15, 3, 0.2)
    rows = unit_minimizer(graph, 4, mu, _rng())
    np.testing.assert_allclose(linalg.norm(rows, axis=1), 1)
    a, r = attraction_and_repulsion(graph, rows)
    mu = a / r if mu == "auto" else mu
    thresholds = row_thresholds(graph, rows, mu)
    factors = np.sqrt(mu) * to_factors(graph, rows)
    residual = (graph.normalized_adjacency - factors @ factors.T) @ factors
    np.testing.assert_allclose(residual, thresholds[:, None] * factors, atol=1e-5)
    assert graph.degrees @ thresholds == pytest.approx(a - mu * r, abs=1e-9)
    assert np.ptp(thresholds) > 0.01  # of a diagonal matrix, then, not of a number


def test_with_as_many_dimensions_as_nodes_the_descent_finds_the_least():
    """Over F F^T the problem is convex then: no eigenvalue of Ā - T - F F^T is above 0."""
    graph = random_weights(_rng(), 10)
    rows = unit_minimizer(graph, 10, 2.0, _rng())
    factors = np.sqrt(2.0) * to_factors(graph, rows)
    rest = graph.normalized_adjacency - factors @ factors.T
    rest -= np.diag(row_thresholds(graph, rows, 2.0))
    assert linalg.eigvalsh(rest).max() < 1e-4


@pytest.mark.parametrize("name", _TRANSITIVE)
def test_where_all_nodes_are_alike_auto_finds_the_eigenspace(name):
    graph, dimension = _transitive(name)
    values = graph.eigenpairs[0][:dimension]
    best = population_minimizer(graph, dimension)
    np.testing.assert_allclose(np.sum(best**2, axis=1), values.sum())  # rows of one norm
    rows = unit_minimizer(graph, dimension, "auto", _rng())
    a, r = attraction_and_repulsion(graph, rows)
    assert a / r == pytest.approx(values.sum(), rel=1e-5)
    assert -(a**2) / r == pytest.approx(population_minimum(graph, dimension), rel=1e-9)
    assert subspace_distance(to_factors(graph, rows), to_factors(graph, best)) < 1e-3
    assert population_spectral_loss(graph, np.sqrt(a / r) * rows) == pytest.approx(-(a**2) / r)


@pytest.mark.parametrize("name", _TRANSITIVE)
@pytest.mark.parametrize("share", [0.6, 1.0, 3.0])
def test_where_all_nodes_are_alike_mu_shifts_every_eigenvalue(name, share):
    """sigma_k = (lambda_k - tau) / mu, tau = (sum - mu) / d: above 0, 0 or below."""
    graph, dimension = _transitive(name)
    values = graph.eigenpairs[0][:dimension]
    mu = share * values.sum()
    tau = (values.sum() - mu) / dimension
    assert tau < values.min()
    rows = unit_minimizer(graph, dimension, mu, _rng())
    sigma = linalg.eigvalsh(rows.T @ (graph.degrees[:, None] * rows))[::-1]
    np.testing.assert_allclose(sigma, (values - tau) / mu, atol=1e-5)
    np.testing.assert_allclose(row_thresholds(graph, rows, mu), tau, atol=1e-4)
    if share < 1:
        assert tau == pytest.approx(soft_threshold(values, mu)[0])


def test_where_norms_differ_auto_is_near_the_eigenspace_only():
    graph, dimension = _unequal()
    best = population_minimizer(graph, dimension)
    norms = np.sum(best**2, axis=1)
    assert norms.max() > 2 * norms.min()
    rows = unit_minimizer(graph, dimension, "auto", _rng())
    a, r = attraction_and_repulsion(graph, rows)
    normed = best / np.sqrt(norms)[:, None]
    c, s = attraction_and_repulsion(graph, normed)
    assert population_minimum(graph, dimension) < -(a**2) / r < -(c**2) / s
    assert graph.degrees @ row_thresholds(graph, rows, a / r) == pytest.approx(0, abs=1e-9)
    thresholds = row_thresholds(graph, rows, a / r)
    assert thresholds.min() < 0 < thresholds.max()
    # Rows that want to be long (of the small cluster) are held short, others stretched.
    assert thresholds[np.argmax(norms)] > 0 > thresholds[np.argmin(norms)]


def test_mu_plays_the_inverse_temperature_to_second_order():
    """2 T InfoNCE = -2 a + 2 |m|^2 + (r - E (u.m)^2) / T + O(1 / T^2), m the mean of u."""
    graph, _ = random_classes(_rng(), 12, 15, 3, 0.2)
    rows = _rng().normal(size=(graph.size, 4)) + 0.3
    rows /= linalg.norm(rows, axis=1, keepdims=True)
    a, r = attraction_and_repulsion(graph, rows)
    mean = graph.degrees @ rows
    errors = []
    for temperature in (10.0, 100.0):
        negatives = np.log(np.exp(rows @ rows.T / temperature) @ graph.degrees)
        exact = 2 * temperature * (graph.degrees @ negatives - a / temperature)
        spread = r - graph.degrees @ (rows @ mean) ** 2
        errors.append(exact - (-2 * a + 2 * mean @ mean + spread / temperature))
    assert abs(errors[1]) < 1e-4 and abs(errors[1]) < abs(errors[0]) / 80


def test_what_batches_find_comes_near_the_population_as_they_grow():
    graph, dimension = _transitive("hypercube")
    rows = unit_minimizer(graph, dimension, "auto", _rng())
    a, r = attraction_and_repulsion(graph, rows)
    rng, errors, spreads = _rng(), [], []
    for n in (32, 512):
        found = []
        for _ in range(200):
            u, v = (rows[nodes] for nodes in graph.sample_pairs(n, rng))
            found.append(float(spectral.replica_terms(u, v, "auto")["mu"]))
        errors.append(abs(np.mean(found) / (a / r) - 1))
        spreads.append(np.std(found) / (a / r))
    assert errors[1] < 0.01 and spreads[1] < 0.3 * spreads[0]


@pytest.mark.parametrize(
    "call,message",
    [
        (lambda graph: soft_threshold([1.0], 0), "energy=0"),
        (lambda graph: bounded_minimizer(graph, 1, -1.0), "energy=-1.0"),
        (
            lambda graph: bounded_minimizer(graph, 99, 1.0),
            "`dimension` must be a whole number between 1 and .*Received: dimension=99",
        ),
        (lambda graph: unit_minimizer(graph, 2, None, None), "mu=None"),
        (lambda graph: unit_minimizer(graph, 2, 1.0, None, starts=0), "starts=0"),
        (lambda graph: unit_minimizer(graph, 2, "all", None), "mu='all'"),
        (lambda graph: row_thresholds(graph, np.ones((2, 1)), 1.0), "must be"),
        (lambda graph: row_thresholds(graph, np.ones((15, 1)), "auto"), "mu='auto'"),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises(tf_scl.InputError, match=message):
        call(_unequal()[0])
