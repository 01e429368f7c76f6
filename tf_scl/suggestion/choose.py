"""A choice of images to be labeled, from their features and the labels so far.

The images are parted into as many clusters as there will be labels (k-means of the features' main
directions, on the sphere), so that each cluster can have one. Clusters without a label come first,
the heaviest of them before the others: the weight of an image is how unsure a linear classifier of
the labels so far is of it, or 1 while there are no two classes. Of each cluster the image nearest
to the weighted middle is chosen. Without labels these are typical and diverse images, what
TypiClust asks for (Hacohen et al., ICML 2022, arXiv 2202.02794); as labels come, doubt leads.
"""

import dataclasses
import warnings

import numpy as np
import scipy.cluster.vq
from scipy.special import softmax

from tf_scl import validation
from tf_scl.errors import InputError
from tf_scl.evaluation.features import check_features
from tf_scl.evaluation.linear_probe import fit_linear_head
from tf_scl.typing import Array
from tf_scl.unit_rows import unit_rows

_DIRECTIONS = 64
_ITERATIONS = 30


@dataclasses.dataclass(frozen=True)
class Suggestion:
    """An image to be labeled.

    Attributes:
        place: Int, its row.
        share: Float, share of all images that are in its cluster.
        doubt: Float 0..1, one minus the difference of the two largest probabilities that the
            labels so far give; None while there are no two classes.
    """

    place: int
    share: float
    doubt: float | None


def choose_images(
    features: Array, count: int, labels: dict[int, str] | None = None, seed: int = 0
) -> list[Suggestion]:
    """Chooses images to be labeled.

    Args:
        features: Float array [N, D], finite, of all images.
        count: Int >= 1, how many.
        labels: Dict from row to the name of its class, of the images that have a label; or None.
        seed: Int, of the clusters.

    Returns:
        `count` `Suggestion`s, or as many as there are images without a label; the first one is
        the one to label first.

    Raises:
        InputError: All images have a label, or features that are not finite.
    """
    rows = check_features("image", features)
    count = validation.whole_number("count", count)
    labels = labels or {}
    count = min(count, len(rows) - len(labels))
    if count < 1:
        raise InputError(f"all {len(rows):,} images have a label already: there is nothing to add")
    labeled = np.zeros(len(rows), bool)
    labeled[list(labels)] = True
    doubt = _doubt(rows, labels)
    weights = np.where(labeled, 0.0, 1.0 if doubt is None else np.maximum(doubt, 1e-6))
    points = _directions(rows)
    cluster = _clusters(points, len(labels) + count, seed)
    numbers = np.arange(cluster.max() + 1)
    mass = np.bincount(cluster, weights, len(numbers))
    covered = np.bincount(cluster, labeled, len(numbers)) > 0
    ordered = numbers[np.lexsort((numbers, -mass, covered))]
    sizes = np.bincount(cluster, minlength=len(numbers))
    chosen: list[Suggestion] = []
    while len(chosen) < count:  # a second turn where some clusters were empty
        for number in ordered:
            members = np.flatnonzero((cluster == number) & (weights > 0))
            if not len(members) or len(chosen) == count:
                continue
            middle = weights[members] @ points[members]
            place = int(members[np.argmax(points[members] @ middle)])
            weights[place] = 0.0
            unsure = None if doubt is None else float(doubt[place])
            chosen.append(Suggestion(place, float(sizes[number] / len(rows)), unsure))
    return chosen


def _doubt(rows: Array, labels: dict[int, str]) -> Array | None:
    """One minus the margin of a linear classifier, float64 [N]; None without two classes."""
    classes = sorted(set(labels.values()))
    if len(classes) < 2:
        return None
    numbers = {name: number for number, name in enumerate(classes)}
    places = sorted(labels)
    targets = np.array([numbers[labels[place]] for place in places])
    head = fit_linear_head(rows[places], targets, len(classes))
    logits = rows @ head.kernel + head.bias
    ordered = np.sort(softmax(logits, axis=1), axis=1)
    return 1 - (ordered[:, -1] - ordered[:, -2])


def _directions(rows: Array) -> Array:
    """Rows of norm 1 in the main directions, float64 [N, r]."""
    centered = rows - rows.mean(axis=0)
    _, vectors = np.linalg.eigh(centered.T @ centered)
    return unit_rows(centered @ vectors[:, ::-1][:, :_DIRECTIONS])


def _clusters(points: Array, count: int, seed: int) -> Array:
    """Number of the cluster of each row, int [N]."""
    count = min(count, len(points))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of clusters that become empty, of points all alike
        _, cluster = scipy.cluster.vq.kmeans2(
            points, count, iter=_ITERATIONS, minit="++", seed=np.random.default_rng(seed)
        )
    return cluster
