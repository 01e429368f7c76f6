"""Random graphs for the tests of the theory."""

import numpy as np

from tf_scl.theory.augmentation_graph import AugmentationGraph


def random_weights(rng, size, density=0.6):
    """A graph of random weights, a loop at each node, eigenvalues of either sign."""
    weights = rng.exponential(size=(size, size)) * (rng.random((size, size)) < density)
    weights = weights + weights.T
    np.fill_diagonal(weights, 0.1 * rng.exponential(size=size) + 0.01)
    return AugmentationGraph(weights)


def random_classes(rng, images, size, classes, leak):
    """A graph whose images are mostly augmented within their class, and its labels [M]."""
    labels = rng.permutation(np.arange(images) % classes)
    home = np.arange(size) % classes
    kernel = rng.exponential(size=(images, size)) ** 2
    kernel *= np.where(labels[:, None] == home, 1.0, leak * rng.random((images, 1)))
    kernel[:, kernel.sum(axis=0) == 0] += 1e-3
    natural = rng.dirichlet(np.full(images, 3.0))
    return AugmentationGraph.from_kernel(kernel / kernel.sum(1, keepdims=True), natural), labels
