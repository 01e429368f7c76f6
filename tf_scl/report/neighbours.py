"""The training images nearest to some evaluation images: what the features hold for alike."""

import numpy as np

from tf_scl.errors import InputError
from tf_scl.evaluation.features import check_features, unit_rows
from tf_scl.report.records import read_thumbnails


def neighbour_grid(train_features, test_features, test_labels, train_files, test_files, **settings):
    """The section "neighbours" of a report's facts, with the images themselves.

    Args:
        train_features: Float array [N, D], of the records of `train_files` in
            their order.
        test_features: Float array [M, D], likewise.
        test_labels: Int array [M], negative where an image has no label.
        train_files, test_files: Lists of TFRecord paths.
        **settings: `queries`, `neighbours` and `seed` of `nearest`.

    Returns:
        Dict: "queries", a list of dicts with "image" (data URI of a PNG),
        "name" and "label" (str or None), and "neighbours": dicts with "image",
        "similarity" (cosine), "label" and "name", the nearest first.

    Raises:
        InputError: As `nearest`, or features that are not of these records.
    """
    chosen, found, similarity = nearest(train_features, test_features, test_labels, **settings)
    queries = read_thumbnails(test_files, chosen)
    known = read_thumbnails(train_files, found.ravel())
    return {
        "queries": [
            {
                **queries[query],
                "neighbours": [
                    {**known[one], "similarity": float(cosine)}
                    for one, cosine in zip(row.tolist(), cosines, strict=True)
                ],
            }
            for query, row, cosines in zip(chosen.tolist(), found, similarity, strict=True)
        ]
    }


def nearest(train_features, test_features, test_labels, queries=10, neighbours=6, seed=0):
    """Chooses evaluation images at random, by turns from each class, and their neighbours.

    Args:
        train_features: Float array [N, D].
        test_features: Float array [M, D].
        test_labels: Int array [M], negative where an image has no label.
        queries: Int >= 1, images to choose; at most M are.
        neighbours: Int >= 1, training images for each; at most N are.
        seed: Int, of the choice.

    Returns:
        (chosen, found, similarity): int [Q] rows of `test_features`, in order
        of their classes; int [Q, K] rows of `train_features`, the nearest
        first; float [Q, K], their cosines.

    Raises:
        InputError: Numbers out of range, features that are not finite, or
            arrays that do not match.
    """
    if queries < 1 or neighbours < 1:
        raise InputError(
            "`queries` and `neighbours` must be at least 1. "
            f"Received: queries={queries}, neighbours={neighbours}"
        )
    train = check_features("train", train_features)
    test = check_features("test", test_features, test_labels)
    chosen = _spread_over_classes(np.asarray(test_labels), queries, seed)
    cosine = unit_rows(test[chosen]) @ unit_rows(train).T
    found = np.argsort(-cosine, axis=1, kind="stable")[:, :neighbours]
    return chosen, found, np.take_along_axis(cosine, found, axis=1)


def _spread_over_classes(labels, count, seed):
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
