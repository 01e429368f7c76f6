"""Evaluation images that have a near copy among the training images, and so are no test."""

import dataclasses

import numpy as np

from tf_scl.evaluation.features import check_features
from tf_scl.serving.reference import OTHERS, REFERENCE_IMAGES
from tf_scl.typing import Array
from tf_scl.unit_rows import unit_rows

_CHUNK = 1024  # evaluation images at a time


@dataclasses.dataclass(frozen=True)
class NearCopies:
    """Pairs of an evaluation image and the training image nearest to it, the nearest pair first.

    Attributes:
        cosine: Float, from which on two images count as near copies.
        test_rows: int [P], of the evaluation images.
        train_rows: int [P], of the training images.
        cosines: Float [P], theirs.
        by_chance: Float, how many such pairs there may be without any copy. At the cosine of a
            model 1 % of its reference have another image of these above it; among N training
            images, times as many, it is so of more.
    """

    cosine: float
    test_rows: Array
    train_rows: Array
    cosines: Array
    by_chance: float


def near_copies(train_features: Array, test_features: Array, cosine: float) -> NearCopies:
    """Finds the evaluation images that have a near copy among the training images.

    Args:
        train_features: Float array [N, D], finite.
        test_features: Float array [M, D], likewise.
        cosine: Float, such as a model notes (`tf_scl.serving.reference.duplicate_cosine`).
    """
    train = unit_rows(check_features("train", train_features)).astype(np.float32)
    test = unit_rows(check_features("test", test_features)).astype(np.float32)
    nearest, cosines = np.zeros(len(test), np.int64), np.zeros(len(test), np.float32)
    for start in range(0, len(test), _CHUNK):
        part = test[start : start + _CHUNK] @ train.T
        nearest[start : start + _CHUNK] = part.argmax(axis=1)
        cosines[start : start + _CHUNK] = part.max(axis=1)
    rows = np.flatnonzero(cosines >= cosine)
    rows = rows[np.argsort(-cosines[rows], kind="stable")]
    times = len(train) / max(1, min(len(test), REFERENCE_IMAGES))
    by_chance = len(test) * (1 - OTHERS**times)
    return NearCopies(float(cosine), rows, nearest[rows], cosines[rows], by_chance)
