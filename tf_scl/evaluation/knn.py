"""Weighted k-nearest-neighbor classifier on frozen features."""

import logging
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from tf_scl import validation
from tf_scl.evaluation.features import check_features, check_parts, check_widths
from tf_scl.evaluation.labels import check_labels
from tf_scl.typing import Array
from tf_scl.unit_rows import unit_rows

_CHUNK = 1024  # test rows at a time: memory is _CHUNK x N, whatever M is
_LEAST_K = 5  # is not reduced for a class of fewer images

_log = logging.getLogger(__name__)


def knn_accuracy(
    train_features: ArrayLike,
    train_labels: Any,
    test_features: ArrayLike,
    test_labels: Any,
    k: int = 200,
    temperature: float = 0.1,
) -> float:
    """Accuracy of `knn_predict`.

    Args:
        train_features: Float array [N, D].
        train_labels: [N] or [N, 1], whole numbers or text.
        test_features: Float array [M, D].
        test_labels: [M] or [M, 1], likewise.
        k: Int >= 1; at most `usable_k` are used.
        temperature: Float > 0.

    Returns:
        Accuracy, 0..1.

    Raises:
        InputError: As `knn_predict`.
    """
    train, train_labels, test, test_labels = check_parts(
        train_features, train_labels, test_features, test_labels
    )
    predicted = knn_predict(train, train_labels, test, k, temperature)
    return float(np.mean(predicted == test_labels))


def knn_predict(
    train_features: ArrayLike,
    train_labels: Any,
    test_features: ArrayLike,
    k: int = 200,
    temperature: float = 0.1,
) -> Array:
    """Classes by the cosine kNN vote of Wu et al. (CVPR 2018, arXiv 1805.01978).

    Each of the k nearest training images votes for its class with weight
    exp(cosine / temperature). Where the smallest class has fewer than k training
    images, k is that of `usable_k`.

    Args:
        train_features, train_labels, test_features, k, temperature: As in
            `knn_accuracy`.

    Returns:
        Array [M] of labels, int64 or text as `train_labels` are.

    Raises:
        InputError: `k` or `temperature` out of range, features that are not
            finite, labels that name no class, or arrays that do not match.
    """
    check_vote(k, temperature)
    train_labels = check_labels("train_labels", train_labels)
    train = unit_rows(check_features("train", train_features, train_labels))
    test = unit_rows(check_features("test", test_features))
    check_widths(train, test)
    k = usable_k(train_labels, k)
    classes, targets = np.unique(train_labels, return_inverse=True)
    predicted = []
    for start in range(0, len(test), _CHUNK):
        cosine = test[start : start + _CHUNK] @ train.T
        nearest = np.argpartition(-cosine, k - 1, axis=1)[:, :k]
        similarity = np.take_along_axis(cosine, nearest, axis=1)
        # exp(1 / T) would overflow for a small T; only ratios of weights matter.
        weight = np.exp((similarity - similarity.max(axis=1, keepdims=True)) / temperature)
        votes = np.zeros((len(cosine), len(classes)))
        rows = np.repeat(np.arange(len(cosine)), k)
        np.add.at(votes, (rows, targets[nearest].ravel()), weight.ravel())
        predicted.append(classes[np.argmax(votes, axis=1)])
    return np.concatenate(predicted)


def usable_k(train_labels: Any, k: int) -> int:
    """The number of neighbors that vote: k, or fewer where a class is small.

    Of more neighbors than a class has training images, some must be of other
    classes even where all images of that class are nearest. So k is at most the
    size of the smallest class, but a very small class lowers it to 5 and no
    further, and at most N. A lower k is said in the log, at level WARNING.

    Args:
        train_labels: [N] or [N, 1], whole numbers or text.
        k: Int >= 1, as asked for.

    Returns:
        Int.

    Raises:
        InputError: `k` out of range, or labels that name no class.
    """
    check_vote(k)
    labels = check_labels("train_labels", train_labels)
    sizes = np.unique(labels, return_counts=True)[1]
    smallest = int(sizes.min(initial=len(labels)))
    usable = min(int(k), max(_LEAST_K, smallest), max(1, len(labels)))
    if usable < k:
        _log.warning(
            "kNN takes %d neighbors instead of %d: the smallest class has %d of the %d "
            "training images",
            usable,
            k,
            smallest,
            len(labels),
        )
    return usable


def check_vote(k: Any, temperature: Any = 1.0) -> None:
    """Raises InputError unless `k` is a whole number >= 1 and `temperature` above 0."""
    validation.whole_number("k", k)
    validation.positive("temperature", temperature)
