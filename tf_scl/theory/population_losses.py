"""The population spectral contrastive loss on a graph, and the minimum that training seeks.

With an embedding f(x) for each node, the rows of f [N, d], and F = D^(1/2) f:

    L(f)   = -2 sum_xx' w_xx' f(x).f(x')  +  sum_xx' w_x w_x' (f(x).f(x'))^2
    |Ā - F F^T|_F^2  =  L(f)  +  |Ā|_F^2                                (lemma 3.2)

so the minimizers of L are those of a matrix factorisation, which Eckart and Young
solve: F holds the top d eigenvectors of Ā, each times the root of its eigenvalue, and
any rotation of them. HaoChen et al., arXiv 2106.04156, section 3.2.
"""

import numpy as np
from scipy import linalg

from tf_scl import validation
from tf_scl.errors import InputError
from tf_scl.theory.augmentation_graph import AugmentationGraph
from tf_scl.typing import Array, ArrayLike


def population_spectral_loss(graph: AugmentationGraph, embeddings: ArrayLike) -> float:
    """L(f), the expectation of `tf_scl.spectral_contrastive_loss` over pairs of the graph.

    Args:
        graph: `AugmentationGraph`.
        embeddings: Float array [N, d], f(x) for each node.

    Returns:
        Float.

    Raises:
        InputError: Embeddings of another shape, or not finite.
    """
    f = check_embeddings(graph, embeddings)
    attraction = -2.0 * np.sum(f * (graph.weights @ f))
    # sum_xx' w_x w_x' (f(x).f(x'))^2 is the square of the moments, as in losses/spectral.py.
    repulsion = np.sum((f.T @ (graph.degrees[:, None] * f)) ** 2)
    return float(attraction + repulsion)


def matrix_factorization_loss(graph: AugmentationGraph, factors: ArrayLike) -> float:
    """|Ā - F F^T|_F^2.

    Args:
        graph: `AugmentationGraph`.
        factors: Float array [N, d], F; `to_factors` makes it of embeddings.

    Returns:
        Float >= 0.

    Raises:
        InputError: Factors of another shape, or not finite.
    """
    factors = check_embeddings(graph, factors)
    return float(np.sum((graph.normalized_adjacency - factors @ factors.T) ** 2))


def loss_constant(graph: AugmentationGraph) -> float:
    """|Ā|_F^2: what `matrix_factorization_loss` is above `population_spectral_loss`."""
    return float(np.sum(graph.normalized_adjacency**2))


def to_factors(graph: AugmentationGraph, embeddings: ArrayLike) -> Array:
    """F = D^(1/2) f.

    Args:
        graph: `AugmentationGraph`.
        embeddings: Float array [N, d].

    Returns:
        float64 [N, d].

    Raises:
        InputError: Embeddings of another shape, or not finite.
    """
    return np.sqrt(graph.degrees)[:, None] * check_embeddings(graph, embeddings)


def population_minimum(graph: AugmentationGraph, dimension: int) -> float:
    """The smallest L(f) of any f in `dimension` dimensions: minus the sum of lambda_i^2.

    The sum is over the first d eigenvalues of Ā; F F^T has no negative eigenvalues,
    so negative ones, which only a graph made from weights has, count as 0.

    Args:
        graph: `AugmentationGraph`.
        dimension: Int d >= 1.

    Returns:
        Float < 0; at least -N.

    Raises:
        InputError: `dimension` below 1.
    """
    return -float(np.sum(_kept_eigenvalues(graph, dimension) ** 2))


def population_minimizer(graph: AugmentationGraph, dimension: int) -> Array:
    """An f with L(f) = `population_minimum`: f(x) = F_x / sqrt(w_x).

    All others are rotations of it, f Q, unless eigenvalues d and d + 1 are equal.

    Args:
        graph: `AugmentationGraph`.
        dimension: Int d >= 1; columns beyond N, or of eigenvalues that are not
            positive, are 0.

    Returns:
        float64 [N, d], columns in the order of the eigenvalues.

    Raises:
        InputError: `dimension` below 1.
    """
    scales = np.sqrt(_kept_eigenvalues(graph, dimension))
    embeddings = np.zeros((graph.size, dimension))
    vectors = graph.eigenpairs[1][:, : len(scales)]
    embeddings[:, : len(scales)] = vectors * scales / np.sqrt(graph.degrees)[:, None]
    return embeddings


def subspace_distance(first: ArrayLike, second: ArrayLike) -> float:
    """Sine of the largest principal angle between the column spaces of two matrices.

    Of a trained f and the minimizer, compare `to_factors(graph, f)` with
    `to_factors(graph, population_minimizer(graph, d))`: rotations do not matter.

    Args:
        first: Float array [N, d].
        second: Float array [N, e].

    Returns:
        Float 0..1: 0 for equal spaces, 1 where one holds a direction that is
        orthogonal to the other, as where ranks differ.

    Raises:
        InputError: Arrays that are not matrices of equally many finite rows.
    """
    first, second = np.asarray(first, np.float64), np.asarray(second, np.float64)
    matrices = first.ndim == second.ndim == 2 and len(first) == len(second)
    if not matrices or not (np.isfinite(first).all() and np.isfinite(second).all()):
        raise InputError(
            "a subspace distance is of two matrices of finite numbers with equally many rows. "
            f"Received: {first.shape} and {second.shape}"
        )
    bases = linalg.orth(first), linalg.orth(second)
    if bases[0].shape != bases[1].shape:
        return 1.0
    if not bases[0].shape[1]:
        return 0.0
    return float(np.sin(linalg.subspace_angles(*bases).max()))


def check_embeddings(graph: AugmentationGraph, embeddings: ArrayLike) -> Array:
    """Embeddings as float64 [N, d], or InputError."""
    embeddings = np.asarray(embeddings, np.float64)
    if embeddings.ndim != 2 or len(embeddings) != graph.size:
        raise InputError(
            f"embeddings must be [{graph.size}, d], a row for each node of the graph. "
            f"Received: {embeddings.shape}"
        )
    if not np.isfinite(embeddings).all():
        raise InputError(
            f"{np.count_nonzero(~np.isfinite(embeddings))} of {embeddings.size} embeddings are NaN "
            "or infinite; training has diverged, use a smaller learning rate"
        )
    return embeddings


def _kept_eigenvalues(graph: AugmentationGraph, dimension: int) -> Array:
    validation.whole_number("dimension", dimension)
    return np.maximum(graph.eigenpairs[0][:dimension], 0.0)
