"""Bounds on a linear probe's error, with every constant, evaluated on a graph.

y(x̄) are the labels of natural images, ŷ(x) any labels of augmented ones, and

    alpha = Pr[ŷ(x) != y(x̄)]         what no probe can see: views that mislead
    phi   = Pr[ŷ(x) != ŷ(x')]        over positive pairs, sum of w_xx' 1[ŷ(x) != ŷ(x')]
    mu    = 1 - lambda_(k+1)          the first eigenvalue of I - Ā that f in k
                                      dimensions leaves out

Theorem. Let f minimize the population loss in k dimensions, and B be the head that
regresses ŷ's one-hot rows on f (`tf_scl.theory.population_probe`), g(x) its argmax and
ḡ(x̄) the class that most of x̄'s views get. Then

    Pr[g(x) != y(x̄)]  <=  2 phi / mu + alpha  <=  4 alpha / mu + alpha
    Pr[ḡ(x̄) != y(x̄)]  <=  twice that.

Proof. Let U [N, classes] have entries sqrt(w_x) 1[ŷ(x) = c].
1. The sum over classes of U_c^T (I - Ā) U_c is 1/2 sum_xx' w_xx' times the sum over
   classes of (1[ŷ(x) = c] - 1[ŷ(x') = c])^2, which is 2 where ŷ(x) != ŷ(x'): it is phi.
2. D^(1/2) f spans the top eigenvectors, so what the regression misses of U lies in the
   others, where I - Ā is at least mu: E|B^T f(x) - e_ŷ(x)|^2 <= phi / mu.
3. Where g(x) != ŷ(x), a wrong entry is as large as the right one, so that the square is
   at least 1/2: Pr[g(x) != ŷ(x)] <= 2 phi / mu. Then ŷ(x) != y(x̄) has probability alpha.
4. phi <= 2 alpha: if ŷ(x) != ŷ(x'), one of them is not y(x̄). And if ḡ(x̄) is wrong, at
   least half of x̄'s views are.

This is the argument of HaoChen et al., arXiv 2106.04156, appendix B, derived anew with
the constants that it gives here. Zhang et al. (arXiv 2501.01317) quote the paper's as
4 alpha / mu + 8 alpha, which the first line implies.
"""

import dataclasses

import numpy as np

from tf_scl import validation
from tf_scl.errors import InputError
from tf_scl.theory.augmentation_graph import AugmentationGraph
from tf_scl.theory.partitions import inner_conductance, sparsest_partition
from tf_scl.typing import Array, ArrayLike

_ZERO = 1e-12  # below it an eigenvalue is rounding


@dataclasses.dataclass(frozen=True)
class ProbeBound:
    """What the theorem of this module promises; above 1 it promises nothing.

    Attributes:
        alpha: Float, Pr[ŷ(x) != y(x̄)].
        phi: Float, Pr[ŷ(x) != ŷ(x')] over positive pairs.
        mu: Float, the eigenvalue that phi is divided by, or a lower bound of it: 0
            where the graph has more components than f dimensions, infinity where f
            leaves nothing out.
    """

    alpha: float
    phi: float
    mu: float

    @property
    def per_view(self) -> float:
        """Bounds Pr[g(x) != y(x̄)], the share of augmented images that are misclassified."""
        return self.alpha + (2.0 * self.phi / self.mu if self.mu else np.inf)

    @property
    def majority(self) -> float:
        """Bounds Pr[ḡ(x̄) != y(x̄)], the share of natural images misclassified by their views."""
        return 2.0 * self.per_view


def probe_bound(
    graph: AugmentationGraph,
    labels: ArrayLike,
    dimension: int,
    augmented_labels: ArrayLike | None = None,
) -> ProbeBound:
    """The bound on the probe of the minimizer in `dimension` dimensions.

    Args:
        graph: `AugmentationGraph` made from natural images.
        labels: Array-like int [M], y(x̄).
        dimension: Int k >= 1.
        augmented_labels: Array-like int [N], ŷ(x), or None for
            `best_augmented_labels`.

    Returns:
        `ProbeBound`.

    Raises:
        InputError: A graph without natural images, labels of another length, or
            `dimension` below 1.
    """
    validation.whole_number("dimension", dimension)
    return _bound(graph, labels, augmented_labels, _first_left_out(graph, dimension))


def connectivity_bound(
    graph: AugmentationGraph,
    labels: ArrayLike,
    assignment: ArrayLike,
    augmented_labels: ArrayLike | None = None,
) -> ProbeBound:
    """A bound for any k >= the number of parts of a partition, by how connected they are.

    Without the edges between m parts I - Ā only shrinks, and falls into m Laplacians,
    each with an eigenvalue 0 and the next at least h^2 / 2 (Cheeger's inequality), h
    being the `inner_conductance` of the partition; so mu >= h^2 / 2 if k >= m. The
    parts need not be classes: this is the paper's picture (section 3.3) of classes
    that consist of a few well connected sub-classes, with its constant.

    Args:
        graph, labels, augmented_labels: As in `probe_bound`.
        assignment: Array-like int [N], the part of each node.

    Returns:
        `ProbeBound` with that lower bound as mu.

    Raises:
        InputError: As in `probe_bound` and `inner_conductance`.
    """
    h = inner_conductance(graph, assignment)
    # What the minimizer leaves out in spite of k has eigenvalues of Ā <= 0.
    return _bound(graph, labels, augmented_labels, min(h**2 / 2, 1.0))


def partition_rate(
    graph: AugmentationGraph,
    labels: ArrayLike,
    dimension: int,
    augmented_labels: ArrayLike | None = None,
) -> float:
    """alpha log(k) / rho_(k // 2)^2: the main theorem's right-hand side less its constant.

    The theorem of section 3.3 is that the error is at most a universal constant times
    this, for k at least twice the number of classes. The constant is that of a
    higher-order Cheeger inequality (Louis and Makarychev, 2014), which does not say
    it, so this number compares graphs; it bounds nothing by itself.

    Args:
        graph, labels, augmented_labels: As in `probe_bound`; of a graph small enough
            for `sparsest_partition`.
        dimension: Int k, at least 2 and at most 2 N + 1.

    Returns:
        Float >= 0; infinity where rho is 0 and alpha is not.

    Raises:
        InputError: As in `probe_bound` and `sparsest_partition`.
    """
    validation.whole_number("dimension", dimension)
    rho, _ = sparsest_partition(graph, dimension // 2)
    alpha = _bound(graph, labels, augmented_labels, 1.0).alpha
    if alpha == 0.0:
        return 0.0
    return float(alpha * np.log(dimension) / rho**2) if rho > _ZERO else np.inf


def best_augmented_labels(graph: AugmentationGraph, labels: ArrayLike) -> Array:
    """The ŷ with the smallest alpha: the likeliest label of the natural image behind x.

    Args:
        graph: `AugmentationGraph` made from natural images.
        labels: Array-like int [M], y(x̄).

    Returns:
        int [N].

    Raises:
        InputError: A graph without natural images, or labels of another length.
    """
    labels = check_labels(graph, labels)
    classes, joint = np.unique(labels), joint_of(graph)
    likelihood = np.array([joint[labels == value].sum(axis=0) for value in classes])
    return classes[np.argmax(likelihood, axis=0)]


def label_error(graph: AugmentationGraph, labels: ArrayLike, augmented_labels: ArrayLike) -> float:
    """alpha = Pr[ŷ(x) != y(x̄)].

    Args:
        graph: `AugmentationGraph` made from natural images.
        labels: Array-like int [M], y(x̄).
        augmented_labels: Array-like int [N], ŷ(x).

    Returns:
        Float 0..1.

    Raises:
        InputError: As in `best_augmented_labels`, for either labels.
    """
    labels = check_labels(graph, labels)
    augmented_labels = check_augmented_labels(graph, augmented_labels)
    return float(joint_of(graph)[labels[:, None] != augmented_labels].sum())


def edge_disagreement(graph: AugmentationGraph, augmented_labels: ArrayLike) -> float:
    """phi, the share of positive pairs whose views have different labels.

    Args:
        graph: `AugmentationGraph`, made from whatever.
        augmented_labels: Array-like int [N], ŷ(x).

    Returns:
        Float 0..1.

    Raises:
        InputError: Labels of another length.
    """
    augmented_labels = check_augmented_labels(graph, augmented_labels)
    return float(graph.weights[augmented_labels[:, None] != augmented_labels].sum())


def check_labels(graph: AugmentationGraph, labels: ArrayLike) -> Array:
    """Labels of natural images as an array [M], or InputError."""
    return _check_length("labels", labels, len(joint_of(graph)), "natural image")


def joint_of(graph: AugmentationGraph) -> Array:
    """The joint probabilities [M, N] of natural and augmented images, or InputError."""
    if graph.joint is None:
        raise InputError(
            "labels belong to natural images, and this graph was made from weights alone; "
            "make it by AugmentationGraph.from_kernel or from_samples"
        )
    return graph.joint


def check_augmented_labels(graph: AugmentationGraph, augmented_labels: ArrayLike) -> Array:
    """Labels of augmented images as an array [N], or InputError."""
    return _check_length("augmented_labels", augmented_labels, graph.size, "node")


def _check_length(name: str, labels: ArrayLike, count: int, of: str) -> Array:
    labels = np.asarray(labels)
    if labels.shape != (count,) or labels.dtype.kind not in "iu":
        raise InputError(
            f"`{name}` must be whole numbers [{count}], one for each {of}. "
            f"Received: {labels.dtype} {labels.shape}"
        )
    return labels


def _bound(
    graph: AugmentationGraph, labels: ArrayLike, augmented_labels: ArrayLike | None, mu: float
) -> ProbeBound:
    if augmented_labels is None:
        augmented_labels = best_augmented_labels(graph, labels)
    alpha = label_error(graph, labels, augmented_labels)
    return ProbeBound(alpha, edge_disagreement(graph, augmented_labels), float(mu))


def _first_left_out(graph: AugmentationGraph, dimension: int) -> float:
    """mu: of the minimizer, which uses the top k eigenvectors with positive eigenvalues."""
    values = graph.eigenpairs[0]
    kept = min(dimension, int(np.count_nonzero(values > _ZERO)))
    if kept == graph.size:
        return np.inf
    mu = 1.0 - values[kept]
    return mu if mu > _ZERO else 0.0
