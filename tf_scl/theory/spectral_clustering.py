"""Spectral clustering of a graph: what its eigenvectors know without any label.

Ng, Jordan and Weiss, "On Spectral Clustering", NIPS 2001. The spectral contrastive
loss finds the same eigenvectors (arXiv 2106.04156, section 3.2), each node's scaled
by a positive number, which the normalized rows do not see.
"""

import types

import numpy as np
from scipy import optimize

from tf_scl import validation
from tf_scl.errors import InputError
from tf_scl.theory.augmentation_graph import AugmentationGraph
from tf_scl.typing import Array, ArrayLike
from tf_scl.unit_rows import unit_rows

_STARTS = 10  # of k-means, the best is taken


def spectral_clusters(graph: AugmentationGraph, clusters: int, seed: int = 0) -> Array:
    """K-means on the rows, of norm 1, of the top eigenvectors of Ā.

    Args:
        graph: `AugmentationGraph`.
        clusters: Int, 1..N; as many eigenvectors are used.
        seed: Int, seed of k-means.

    Returns:
        int [N], the cluster of each node.

    Raises:
        InputError: `clusters` out of range, or no scikit-learn.
    """
    validation.whole_number("clusters", clusters, high=graph.size)
    k_means = _import_cluster().KMeans(clusters, n_init=_STARTS, random_state=seed)
    rows = graph.eigenpairs[1][:, :clusters]
    return k_means.fit_predict(unit_rows(rows))


def clustering_accuracy(clusters: ArrayLike, labels: ArrayLike) -> float:
    """Share of the nodes in the cluster of their class, clusters named to the best effect.

    Each class gets one cluster at most, and each cluster one class (Hungarian
    method); nodes of a cluster without a class count as wrong.

    Args:
        clusters: Array-like int [N].
        labels: Array-like int [N].

    Returns:
        Float 0..1.

    Raises:
        InputError: Arrays that are empty or of different lengths.
    """
    clusters, labels = np.asarray(clusters), np.asarray(labels)
    if clusters.ndim != 1 or clusters.shape != labels.shape or not len(labels):
        raise InputError(
            "clusters and labels must be one for each node, as many of either. "
            f"Received: {clusters.shape} and {labels.shape}"
        )
    rows, columns = (np.unique(values, return_inverse=True)[1] for values in (clusters, labels))
    together = np.zeros((rows.max() + 1, columns.max() + 1), int)
    np.add.at(together, (rows, columns), 1)
    matched = optimize.linear_sum_assignment(together, maximize=True)
    return float(together[matched].sum() / len(labels))


def _import_cluster() -> types.ModuleType:
    try:
        from sklearn import cluster
    except ImportError as error:
        raise InputError(
            f"k-means needs scikit-learn, which cannot be imported ({error}): "
            "pip install scikit-learn"
        ) from error
    return cluster
