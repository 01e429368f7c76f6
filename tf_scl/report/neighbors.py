"""The training images nearest to some evaluation images: what the features hold for alike."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from tf_scl import validation
from tf_scl.evaluation.features import check_features
from tf_scl.evaluation.leakage import NearCopies
from tf_scl.labels.joined import ImageLabels
from tf_scl.report.facts import Neighbor, Query
from tf_scl.report.records import read_thumbnails
from tf_scl.typing import Array
from tf_scl.unit_rows import unit_rows


def neighbor_grid(
    train_features: ArrayLike,
    test_features: ArrayLike,
    test_labels: ArrayLike,
    train_files: Sequence[str],
    test_files: Sequence[str],
    labels: ImageLabels | None = None,
    **settings: Any,
) -> tuple[Query, ...]:
    """Finds the neighbors of some images, with the images themselves.

    Args:
        train_features: Float array [N, D], of the records of `train_files` in
            their order.
        test_features: Float array [M, D], likewise.
        test_labels: Int array [M], negative where an image has no label.
        train_files, test_files: TFRecord paths.
        labels: `ImageLabels` that take the place of those in the records, or None.
        **settings: `queries`, `neighbors` and `seed` of `nearest`.

    Raises:
        InputError: As `nearest`, or features that are not of these records.
    """
    chosen, found, similarity = nearest(train_features, test_features, test_labels, **settings)
    queries = read_thumbnails(test_files, chosen, labels)
    known = read_thumbnails(train_files, found.ravel(), labels)
    return tuple(
        Query(
            queries[query],
            tuple(
                Neighbor(**vars(known[one]), similarity=float(cosine))
                for one, cosine in zip(row.tolist(), cosines, strict=True)
            ),
        )
        for query, row, cosines in zip(chosen.tolist(), found, similarity, strict=True)
    )


def copy_pairs(
    copies: NearCopies,
    train_files: Sequence[str],
    test_files: Sequence[str],
    labels: ImageLabels | None = None,
    most: int = 6,
) -> tuple[Query, ...]:
    """Evaluation images and their near copies among the training images, the nearest first.

    Args:
        copies: `NearCopies`, of features of the records in their order.
        train_files, test_files, labels: As of `neighbor_grid`.
        most: Int, so many pairs at most.
    """
    tests, trains = copies.test_rows[:most].tolist(), copies.train_rows[:most].tolist()
    queries = read_thumbnails(test_files, tests, labels)
    known = read_thumbnails(train_files, trains, labels)
    pairs = zip(tests, trains, copies.cosines[:most].tolist(), strict=True)
    return tuple(
        Query(queries[test], (Neighbor(**vars(known[train]), similarity=cosine),))
        for test, train, cosine in pairs
    )


def nearest(
    train_features: ArrayLike,
    test_features: ArrayLike,
    test_labels: ArrayLike,
    queries: int = 10,
    neighbors: int = 6,
    seed: int = 0,
) -> tuple[Array, Array, Array]:
    """Chooses evaluation images at random, by turns from each class, and their neighbors.

    Args:
        train_features: Float array [N, D].
        test_features: Float array [M, D].
        test_labels: Int array [M], negative where an image has no label.
        queries: Int >= 1, images to choose; at most M are.
        neighbors: Int >= 1, training images for each; at most N are.
        seed: Int, of the choice.

    Returns:
        (chosen, found, similarity): int [Q] rows of `test_features`, in order
        of their classes; int [Q, K] rows of `train_features`, the nearest
        first; float [Q, K], their cosines.

    Raises:
        InputError: Numbers out of range, features that are not finite, or
            arrays that do not match.
    """
    validation.whole_number("queries", queries)
    validation.whole_number("neighbors", neighbors)
    train = check_features("train", train_features)
    labels = np.asarray(test_labels)
    test = check_features("test", test_features, labels)
    chosen = _spread_over_classes(labels, queries, seed)
    cosine = unit_rows(test[chosen]) @ unit_rows(train).T
    found = np.argsort(-cosine, axis=1, kind="stable")[:, :neighbors]
    return chosen, found, np.take_along_axis(cosine, found, axis=1)


def _spread_over_classes(labels: Array, count: int, seed: int) -> Array:
    """Rows of random images: one of each class, then a second, until there are enough."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(labels))
    # Of every image, how many of its class come before it in the random order.
    turn = np.zeros(len(labels), int)
    for value in np.unique(labels):
        members = order[labels[order] == value]
        turn[members] = np.arange(len(members))
    chosen = order[np.argsort(turn[order], kind="stable")][:count]
    return chosen[np.lexsort((chosen, labels[chosen]))]
