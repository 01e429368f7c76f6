import numpy as np
import pytest
from scipy.sparse import csgraph

import tf_scl
from tests.tf_scl.theory.graphs import random_classes, random_weights
from tf_scl.theory.augmentation_graph import AugmentationGraph

_BITS = np.array([bin(node).count("1") for node in range(16)])
_HYPERCUBE = (_BITS[np.arange(16)[:, None] ^ np.arange(16)] == 1).astype(float)
_CYCLE = np.roll(np.eye(9), 1, axis=0) + np.roll(np.eye(9), -1, axis=0)


@pytest.mark.parametrize(
    "weights,expected",
    [
        (np.ones((7, 7)) - np.eye(7), [1] + [-1 / 6] * 6),  # complete
        (np.ones((5, 5)), [1, 0, 0, 0, 0]),  # complete, with loops
        (_CYCLE, np.cos(2 * np.pi * np.arange(9) / 9)),
        (_HYPERCUBE, 1 - 2 * _BITS / 4),
        (np.kron(np.eye(3), np.ones((4, 4))), [1, 1, 1] + [0] * 9),  # three cliques
    ],
)
def test_known_spectra(weights, expected):
    values, vectors = AugmentationGraph(weights).eigenpairs
    np.testing.assert_allclose(values, np.sort(expected)[::-1], atol=1e-14)
    np.testing.assert_allclose(vectors.T @ vectors, np.eye(len(weights)), atol=1e-13)


@pytest.mark.parametrize("seed", range(10))
def test_weights_degrees_and_spectrum_are_as_defined(seed):
    rng = np.random.default_rng(seed)
    size = int(rng.integers(2, 30))
    raw = rng.random((size, size))
    raw += raw.T
    graph = AugmentationGraph(raw)
    np.testing.assert_allclose(graph.weights, raw / raw.sum(), rtol=1e-13)
    assert graph.size == size and graph.weights.sum() == pytest.approx(1.0, abs=1e-13)
    for x in range(size):
        assert graph.degrees[x] == pytest.approx(sum(raw[x]) / raw.sum(), rel=1e-12)
        for other in range(size):
            expected = raw[x, other] / np.sqrt(sum(raw[x]) * sum(raw[other]))
            assert graph.normalized_adjacency[x, other] == pytest.approx(expected, rel=1e-12)
    np.testing.assert_allclose(graph.laplacian, np.eye(size) - graph.normalized_adjacency)
    values, vectors = graph.eigenpairs
    np.testing.assert_allclose(values[::-1], np.linalg.eigvalsh(graph.normalized_adjacency))
    np.testing.assert_allclose(vectors * values @ vectors.T, graph.normalized_adjacency, atol=1e-13)
    assert values[0] == pytest.approx(1.0)
    largest = np.argmax(np.abs(vectors), axis=0)
    assert (vectors[largest, np.arange(size)] > 0).all()


def test_the_laplacian_is_scipys_without_loops():  # scipy's degrees do not count them
    rng = np.random.default_rng(0)
    raw = rng.random((12, 12))
    raw += raw.T
    np.fill_diagonal(raw, 0.0)
    graph = AugmentationGraph(raw)
    np.testing.assert_allclose(graph.laplacian, csgraph.laplacian(raw, normed=True), atol=1e-14)


@pytest.mark.parametrize("seed", range(5))
def test_a_kernel_gives_the_weights_of_the_definition(seed):
    rng = np.random.default_rng(seed)
    kernel = rng.dirichlet(np.full(6, 0.5), size=4)
    natural = rng.dirichlet(np.ones(4))
    graph = AugmentationGraph.from_kernel(kernel, natural)
    for x in range(6):
        for other in range(6):
            expected = sum(natural[i] * kernel[i, x] * kernel[i, other] for i in range(4))
            assert graph.weights[x, other] == pytest.approx(expected, abs=1e-15)
    np.testing.assert_allclose(graph.joint, natural[:, None] * kernel, rtol=1e-12)
    np.testing.assert_allclose(graph.degrees, graph.joint.sum(axis=0), rtol=1e-12)
    assert graph.eigenpairs[0].min() > -1e-14


def test_natural_images_are_equally_likely_by_default():
    kernel = np.array([[1.0, 0.0, 0.0], [0.0, 0.5, 0.5]])
    graph = AugmentationGraph.from_kernel(kernel)
    np.testing.assert_allclose(graph.degrees, [0.5, 0.25, 0.25])


def test_samples_approach_the_kernel():
    kernel = np.array([[0.5, 0.3, 0.2, 0.0], [0.0, 0.0, 0.4, 0.6]])

    def augment(image, rng):
        return "abcd"[rng.choice(4, p=kernel[image])]

    rng = np.random.default_rng(0)
    graph = AugmentationGraph.from_samples([0, 1], augment, 20_000, rng)
    order = [graph.items.index(letter) for letter in "abcd"]
    exact = AugmentationGraph.from_kernel(kernel)
    # Four standard deviations of a share of 20,000 draws.
    np.testing.assert_allclose(graph.joint[:, order], exact.joint, atol=2 * np.sqrt(0.25 / 20_000))
    np.testing.assert_allclose(graph.weights[np.ix_(order, order)], exact.weights, atol=0.01)


def test_equal_arrays_are_one_node():
    images = [np.array([1, 2, 3]), np.array([3, 2, 1]), np.array([7, 7, 7])]

    def mask(image, rng):
        kept = np.zeros_like(image)
        kept[rng.integers(3)] = image[1]
        return kept

    graph = AugmentationGraph.from_samples(images, mask, 50, np.random.default_rng(1))
    assert graph.size == 6
    assert len({item.tobytes() for item in graph.items}) == 6
    np.testing.assert_array_equal(graph.components[:3], [0, 0, 0])
    assert set(graph.components) == {0, 1}
    assert graph.joint.sum() == pytest.approx(1.0)


def test_components_are_those_of_the_edges():
    weights = np.zeros((6, 6))
    for a, b in [(0, 3), (3, 5), (1, 4)]:
        weights[a, b] = weights[b, a] = 0.1
    weights[2, 2] = 1.0
    graph = AugmentationGraph(weights)
    assert graph.components.tolist() == [0, 1, 2, 0, 1, 0]
    assert np.sum(graph.eigenpairs[0] > 1 - 1e-12) == 3


def test_pairs_come_with_their_probability_and_by_the_seed():
    graph, _ = random_classes(np.random.default_rng(0), 6, 9, 3, 0.1)
    n = 200_000
    first, second = graph.sample_pairs(n, np.random.default_rng(5))
    assert first.dtype == second.dtype == np.int64 and first.shape == second.shape == (n,)
    counts = np.zeros((9, 9))
    np.add.at(counts, (first, second), 1)
    # Five standard deviations of each count, and one more for counts near 0.
    slack = 5 * np.sqrt(graph.weights / n) + 5 / n
    assert (np.abs(counts / n - graph.weights) <= slack).all()
    again = graph.sample_pairs(n, np.random.default_rng(5))
    np.testing.assert_array_equal(np.stack([first, second]), np.stack(again))


def test_pairs_without_weight_never_come():
    graph = AugmentationGraph(np.kron(np.eye(3), np.ones((2, 2)) - np.eye(2)))
    first, second = graph.sample_pairs(5000, np.random.default_rng(0))
    np.testing.assert_array_equal(first ^ 1, second)


def test_arrays_are_read_only_and_the_input_is_left_alone():
    raw = np.ones((3, 3))
    graph = AugmentationGraph(raw)
    raw[0, 0] = 5.0
    assert graph.weights[0, 0] == pytest.approx(1 / 9)
    for array in (graph.weights, graph.degrees, graph.normalized_adjacency, *graph.eigenpairs):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0.0


def test_rounding_of_a_symmetric_matrix_is_no_error():
    graph = random_weights(np.random.default_rng(0), 8)
    noisy = graph.weights * (1 + 1e-12 * np.random.default_rng(1).random((8, 8)))
    np.testing.assert_array_equal(
        AugmentationGraph(noisy).weights, AugmentationGraph(noisy).weights.T
    )


@pytest.mark.parametrize(
    "weights,message",
    [
        (np.ones(3), r"matrix.*shape \(3,\)"),
        (np.ones((0, 0)), r"not empty.*\(0, 0\)"),
        (np.ones((2, 3)), r"square.*\(2, 3\)"),
        ([[1, -0.5], [-0.5, 1]], r"not negative.*-0.5 at \(0, 1\), one of 2"),
        ([[1, np.nan], [np.nan, 1]], r"finite.*nan at \(0, 1\), one of 2"),
        ([[1, np.inf], [np.inf, 1]], r"inf at \(0, 1\)"),
        ([[1, 2], [3, 1]], r"symmetric.*up to 1;.*W \+ W.T"),
        ([[1, 0, 1], [0, 0, 0], [1, 0, 1]], "1 of 3 .*number 1.*leave it out"),
        (np.zeros((2, 2)), "2 of 2"),
    ],
)
def test_bad_weights_are_named(weights, message):
    with pytest.raises(tf_scl.InputError, match=message):
        AugmentationGraph(weights)


@pytest.mark.parametrize(
    "kernel,natural,message",
    [
        ([[0.5, 0.4]], None, "each row of `kernel` must sum to 1. Received: 0.9"),
        ([[1.5, -0.5]], None, "`kernel`.*-0.5"),
        ([0.5, 0.5], None, r"`kernel` must be a matrix"),
        ([[0.5, 0.5]], [0.5, 0.5], r"`natural` must be 1 positive.*\(2,\)"),
        ([[0.5, 0.5], [1, 0]], [1.0, 0.0], "1 of them 0; leave out"),
        ([[0.5, 0.5], [1, 0]], [0.5, 0.6], "`natural` must sum to 1. Received: 1.1"),
        ([[0.5, 0.5], [1, 0]], [[0.5, 0.5]], "`natural` must be a vector"),
        ([[1.0, 0.0]], None, "1 of 2 augmented images are never drawn"),
    ],
)
def test_bad_kernels_are_named(kernel, natural, message):
    with pytest.raises(tf_scl.InputError, match=message):
        AugmentationGraph.from_kernel(kernel, natural)


@pytest.mark.parametrize(
    "images,draws,message", [([], 3, "Received: 0 images"), ([1], 0, "Received: draws=0")]
)
def test_no_samples_are_named(images, draws, message):
    with pytest.raises(tf_scl.InputError, match=message):
        AugmentationGraph.from_samples(images, lambda image, rng: image, draws, None)
