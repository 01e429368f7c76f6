"""The linear probe of a whole graph: no sampling, every view with its probability.

HaoChen et al., arXiv 2106.04156, section 3.1 (linear probe) and appendix B (the head
by regression). `tf_scl.linear_probe` is the one for real features.
"""

import dataclasses

import numpy as np

from tf_scl.theory.augmentation_graph import AugmentationGraph
from tf_scl.theory.bounds import (
    best_augmented_labels,
    check_augmented_labels,
    check_labels,
    joint_of,
)
from tf_scl.theory.population_losses import check_embeddings, to_factors
from tf_scl.typing import Array, ArrayLike


@dataclasses.dataclass(frozen=True)
class ProbeError:
    """The error of one head.

    Attributes:
        per_view: Float 0..1, Pr[g(x) != y(x̄)]: augmented images that are misclassified.
        majority: Float 0..1, Pr[ḡ(x̄) != y(x̄)]: natural images that are, where each is
            given the class that its views are given most often.
    """

    per_view: float
    majority: float


def probe_error(
    graph: AugmentationGraph,
    embeddings: ArrayLike,
    labels: ArrayLike,
    augmented_labels: ArrayLike | None = None,
) -> ProbeError:
    """The error of the head that regresses ŷ on the embeddings.

    No smaller than the best linear head's, the paper's measure, which is hard to find;
    it is what the proof of `tf_scl.theory.bounds` bounds.

    Args:
        graph: `AugmentationGraph` made from natural images.
        embeddings: Float array [N, d].
        labels: Array-like int [M], y(x̄).
        augmented_labels: Array-like int [N], ŷ(x), or None for
            `best_augmented_labels`.

    Returns:
        `ProbeError`.

    Raises:
        InputError: A graph without natural images, or arrays that do not fit it.
    """
    embeddings = check_embeddings(graph, embeddings)
    labels = check_labels(graph, labels)
    if augmented_labels is None:
        augmented_labels = best_augmented_labels(graph, labels)
    head, classes = regression_head(graph, embeddings, augmented_labels)
    chosen = np.argmax(embeddings @ head, axis=1)
    joint = joint_of(graph)
    per_view = joint[labels[:, None] != classes[chosen]].sum()
    votes = joint @ np.eye(len(classes))[chosen]
    wrong = classes[np.argmax(votes, axis=1)] != labels
    return ProbeError(float(per_view), float(joint[wrong].sum()))


def regression_head(
    graph: AugmentationGraph, embeddings: ArrayLike, augmented_labels: ArrayLike
) -> tuple[Array, Array]:
    """The head B with the smallest E|B^T f(x) - e_ŷ(x)|^2, views weighted by w_x.

    Args:
        graph: `AugmentationGraph`.
        embeddings: Float array [N, d].
        augmented_labels: Array-like int [N], ŷ(x).

    Returns:
        (B, classes): float64 [d, C], the smallest of all where several are best, and
        int [C], the label that each column stands for.

    Raises:
        InputError: Arrays that do not fit the graph.
    """
    augmented_labels = check_augmented_labels(graph, augmented_labels)
    classes, targets = np.unique(augmented_labels, return_inverse=True)
    factors = to_factors(graph, embeddings)
    wanted = np.sqrt(graph.degrees)[:, None] * np.eye(len(classes))[targets]
    return np.linalg.lstsq(factors, wanted, rcond=None)[0], classes
