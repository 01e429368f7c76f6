"""Weighted k-nearest-neighbour classifier on frozen features."""

import numpy as np

from tf_scl.errors import InputError
from tf_scl.evaluation.features import check_features, unit_rows

_CHUNK = 1024  # test rows at a time: memory is _CHUNK x N, whatever M is


def knn_accuracy(train_features, train_labels, test_features, test_labels, k=200, temperature=0.1):
    """Accuracy of `knn_predict`.

    Args:
        train_features: Float array [N, D].
        train_labels: Int array [N].
        test_features: Float array [M, D].
        test_labels: Int array [M].
        k: Int >= 1; at most N are used.
        temperature: Float > 0.

    Returns:
        Accuracy, 0..1.

    Raises:
        InputError: As `knn_predict`.
    """
    check_features("test", test_features, test_labels)
    predicted = knn_predict(train_features, train_labels, test_features, k, temperature)
    return float(np.mean(predicted == np.asarray(test_labels)))


def usable_k(train_labels, k):
    """Placeholder until merged."""
    return min(k, max(5, int(np.unique(train_labels, return_counts=True)[1].min())))


def knn_predict(train_features, train_labels, test_features, k=200, temperature=0.1):
    """Classes by the cosine kNN vote of Wu et al. (CVPR 2018, arXiv 1805.01978).

    Each of the k nearest training images votes for its class with weight
    exp(cosine / temperature).

    Args:
        train_features, train_labels, test_features, k, temperature: As in
            `knn_accuracy`.

    Returns:
        Array [M] of labels, of the type that `train_labels` have.

    Raises:
        InputError: `k` or `temperature` out of range, features that are not
            finite, or arrays that do not match.
    """
    if k < 1 or not temperature > 0:
        raise InputError(
            f"kNN needs k >= 1 and temperature > 0. Received: k={k}, temperature={temperature}"
        )
    train = unit_rows(check_features("train", train_features, train_labels))
    test = unit_rows(check_features("test", test_features))
    classes, targets = np.unique(train_labels, return_inverse=True)
    k = min(k, len(targets))
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
