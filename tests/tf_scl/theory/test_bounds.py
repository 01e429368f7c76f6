import itertools

import numpy as np
import pytest

import tf_scl
from tests.tf_scl.theory.graphs import random_classes, random_weights
from tf_scl.theory import bounds, population_losses
from tf_scl.theory.augmentation_graph import AugmentationGraph
from tf_scl.theory.partitions import sparsest_partition


def _worlds(count):
    """Random graphs with labels, from disconnected classes to hardly any; and k."""
    for seed in range(count):
        rng = np.random.default_rng(seed)
        classes = int(rng.integers(2, 5))
        images, size = int(rng.integers(classes, 16)), int(rng.integers(classes + 1, 20))
        leak = rng.choice([0.0, 1e-3, 0.03, 0.3, 1.0])
        yield *random_classes(rng, images, size, classes, leak), int(rng.integers(1, size + 3)), rng


def _probe_error(graph, f, labels, augmented):
    """Errors of the head by weighted normal equations, image by image, view by view."""
    classes = sorted(set(augmented.tolist()))
    target = np.array([[float(label == value) for value in classes] for label in augmented])
    gram, moment = np.zeros((f.shape[1],) * 2), np.zeros((f.shape[1], len(classes)))
    for x in range(graph.size):
        gram += graph.degrees[x] * np.outer(f[x], f[x])
        moment += graph.degrees[x] * np.outer(f[x], target[x])
    predicted = np.argmax(f @ np.linalg.pinv(gram, rcond=1e-11, hermitian=True) @ moment, axis=1)
    per_view = majority = 0.0
    for image, row in enumerate(graph.joint):
        votes = dict.fromkeys(classes, 0.0)
        for x, probability in enumerate(row):
            votes[classes[predicted[x]]] += probability
            per_view += probability * (classes[predicted[x]] != labels[image])
        majority += sum(row) * (max(votes, key=votes.get) != labels[image])
    return per_view, majority


def test_the_bounds_hold_on_random_graphs():
    informative = 0
    for graph, labels, k, _ in _worlds(400):
        bound = bounds.probe_bound(graph, labels, k)
        f = population_losses.population_minimizer(graph, k)
        augmented = bounds.best_augmented_labels(graph, labels)
        per_view, majority = _probe_error(graph, f, labels, augmented)
        assert per_view <= bound.per_view + 1e-9
        assert majority <= bound.majority + 1e-9
        assert bound.phi <= 2 * bound.alpha + 1e-12
        informative += bound.per_view < 0.5
    assert informative > 100


def test_the_bounds_hold_for_any_augmented_labels():
    for graph, labels, k, rng in _worlds(200):
        noise = rng.random(graph.size) < 0.2
        augmented = np.where(
            noise, rng.choice(labels, graph.size), bounds.best_augmented_labels(graph, labels)
        )
        bound = bounds.probe_bound(graph, labels, k, augmented)
        f = population_losses.population_minimizer(graph, k)
        per_view, majority = _probe_error(graph, f, labels, augmented)
        assert per_view <= bound.per_view + 1e-9 and majority <= bound.majority + 1e-9
        assert bound.phi <= 2 * bound.alpha + 1e-12


def test_the_squared_error_of_step_2_is_at_most_phi_over_mu():
    for graph, labels, k, _ in _worlds(100):
        bound = bounds.probe_bound(graph, labels, k)
        augmented = bounds.best_augmented_labels(graph, labels)
        root = np.sqrt(graph.degrees)[:, None]
        wanted = root * (augmented[:, None] == np.unique(augmented))
        factors = root * population_losses.population_minimizer(graph, k)
        missed = wanted - factors @ np.linalg.lstsq(factors, wanted, rcond=1e-9)[0]
        if bound.mu:
            assert np.sum(missed**2) <= bound.phi / bound.mu + 1e-12


def test_step_2_is_tight():
    # Two views of two classes, always paired: phi = 1, mu = 2, and all is missed by 1/2.
    graph = AugmentationGraph([[0.0, 1.0], [1.0, 0.0]])
    phi = bounds.edge_disagreement(graph, [0, 1])
    root = np.sqrt(graph.degrees)[:, None]
    factors = root * population_losses.population_minimizer(graph, 1)
    wanted = root * np.eye(2)
    missed = wanted - factors @ np.linalg.lstsq(factors, wanted, rcond=None)[0]
    assert np.sum(missed**2) == pytest.approx(phi / 2)


def test_alpha_and_phi_are_their_double_sums():
    for graph, labels, _, rng in _worlds(20):
        augmented = rng.choice(labels, graph.size)
        alpha = sum(
            graph.joint[image, x]
            for image in range(len(labels))
            for x in range(graph.size)
            if augmented[x] != labels[image]
        )
        phi = sum(
            graph.weights[x, other]
            for x in range(graph.size)
            for other in range(graph.size)
            if augmented[x] != augmented[other]
        )
        assert bounds.label_error(graph, labels, augmented) == pytest.approx(alpha, abs=1e-14)
        assert bounds.edge_disagreement(graph, augmented) == pytest.approx(phi, abs=1e-14)


def test_the_best_augmented_labels_are_the_best_of_all():
    for seed in range(5):
        graph, labels = random_classes(np.random.default_rng(seed), 6, 5, 3, 0.5)
        best = bounds.best_augmented_labels(graph, labels + 10)
        errors = [
            bounds.label_error(graph, labels, np.array(candidate))
            for candidate in itertools.product(range(3), repeat=5)
        ]
        assert bounds.label_error(graph, labels + 10, best) == pytest.approx(min(errors))


def test_disconnected_classes_have_no_error():
    kernel = np.kron(np.eye(3), np.full((2, 4), 0.25))
    graph, labels = AugmentationGraph.from_kernel(kernel), np.repeat([0, 1, 2], 2)
    bound = bounds.probe_bound(graph, labels, 3)
    assert bound.alpha == bound.phi == bound.per_view == bound.majority == 0.0
    assert bound.mu == pytest.approx(1.0)
    # Two dimensions for three components promise nothing, and N leave nothing out.
    assert bounds.probe_bound(graph, labels, 2).per_view == np.inf
    assert bounds.probe_bound(graph, labels, 40).mu == pytest.approx(1.0)
    assert bounds.partition_rate(graph, labels, 8) == 0.0


def test_the_eigenvalue_is_that_which_the_minimizer_leaves_out():
    graph, labels = random_classes(np.random.default_rng(0), 12, 8, 3, 0.2)
    for k in range(1, 8):
        expected = np.linalg.eigvalsh(graph.laplacian)[k]
        assert bounds.probe_bound(graph, labels, k).mu == pytest.approx(expected, rel=1e-9)
    assert bounds.probe_bound(graph, labels, 8).mu == np.inf
    assert (
        bounds.probe_bound(graph, labels, 8).per_view == bounds.probe_bound(graph, labels, 9).alpha
    )


def test_connectivity_bounds_the_eigenvalue_from_below():
    informative = 0
    for graph, labels, _, rng in _worlds(150):
        parts = int(rng.integers(1, graph.size + 1))
        assignment = rng.permutation(np.arange(graph.size) % parts)
        if rng.random() < 0.5:
            assignment, parts = bounds.best_augmented_labels(graph, labels), len(np.unique(labels))
        bound = bounds.connectivity_bound(graph, labels, assignment)
        for k in range(parts, graph.size + 2):
            assert bound.mu <= bounds.probe_bound(graph, labels, k).mu + 1e-12
        informative += bound.per_view < 0.5
    assert informative > 10


def test_connectivity_is_cheegers_inequality_for_one_part():
    # Of random weights too, whose eigenvalues are of either sign.
    for seed in range(20):
        graph = random_weights(np.random.default_rng(seed), 8)
        rho, _ = sparsest_partition(graph, 2)
        mu = 1 - graph.eigenpairs[0][1]
        assert rho**2 / 2 <= mu + 1e-12 and mu <= 2 * rho + 1e-12


def test_the_partition_rate_is_its_formula():
    for seed in range(5):
        graph, labels = random_classes(np.random.default_rng(seed), 7, 8, 2, 0.3)
        alpha = bounds.label_error(graph, labels, bounds.best_augmented_labels(graph, labels))
        rho, _ = sparsest_partition(graph, 3)
        expected = alpha * np.log(7) / rho**2
        assert bounds.partition_rate(graph, labels, 7) == pytest.approx(expected)
    kernel = np.array([[1.0, 0.0, 0.0], [0.0, 0.5, 0.5], [0.0, 0.5, 0.5]])
    graph = AugmentationGraph.from_kernel(kernel)  # two components, one with both classes
    assert bounds.partition_rate(graph, [0, 0, 1], 4) == np.inf


def test_the_constant_of_the_partition_theorem_is_small_in_practice():
    ratios = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        graph, labels = random_classes(rng, 8, 9, 2, rng.choice([0.03, 0.1, 0.3]))
        augmented = bounds.best_augmented_labels(graph, labels)
        for k in (4, 6, 8):
            f = population_losses.population_minimizer(graph, k)
            _, majority = _probe_error(graph, f, labels, augmented)
            ratios.append(majority / bounds.partition_rate(graph, labels, k))
    assert 0 < max(ratios) < 1


def test_what_does_not_fit_is_named():
    graph, labels = random_classes(np.random.default_rng(0), 6, 8, 3, 0.1)
    with pytest.raises(tf_scl.InputError, match=r"`labels`.*\[6\], one for each natural.*\(5,\)"):
        bounds.probe_bound(graph, labels[:5], 2)
    with pytest.raises(tf_scl.InputError, match=r"`augmented_labels`.*\[8\].*node.*\(6,\)"):
        bounds.probe_bound(graph, labels, 2, labels)
    with pytest.raises(tf_scl.InputError, match="whole numbers.*float64"):
        bounds.best_augmented_labels(graph, labels.astype(float))
    with pytest.raises(tf_scl.InputError, match="at least 1. Received: dimension=0"):
        bounds.probe_bound(graph, labels, 0)
    with pytest.raises(tf_scl.InputError, match="weights alone; make it by .*from_kernel"):
        bounds.probe_bound(random_weights(np.random.default_rng(0), 5), labels, 2)
    with pytest.raises(
        tf_scl.InputError, match="`parts` must be .* between 1 and 8. Received: parts=0"
    ):
        bounds.partition_rate(graph, labels, 1)
