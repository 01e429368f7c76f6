"""What every measure asks of the features that it is given."""

from collections.abc import Sized
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from tf_scl.errors import InputError
from tf_scl.evaluation.labels import check_label_pair
from tf_scl.typing import Array


def check_features(name: str, features: ArrayLike, labels: Sized | None = None) -> Array:
    """Features as float64 [N, D].

    Args:
        name: What they are called in a message, such as "train".
        features: Array-like [N, D], N >= 1.
        labels: Array-like [N], or None.

    Raises:
        InputError: Another shape, values that are not finite, or another
            number of labels.
    """
    rows = _as_numbers(name, features)
    count = len(rows) if labels is None else len(labels)
    if rows.ndim != 2 or not rows.size or len(rows) != count:
        raise InputError(
            f"{name} features must be [N, D] with N >= 1 and D >= 1, and labels as many. "
            f"Received: features {rows.shape}, {count} labels"
        )
    if not np.isfinite(rows).all():
        raise InputError(
            f"{np.count_nonzero(~np.isfinite(rows))} of the {rows.size} {name} "
            "features are NaN or infinite; the encoder has diverged, train it with a "
            "smaller learning rate"
        )
    return rows


def check_parts(
    train_features: ArrayLike, train_labels: Any, test_features: ArrayLike, test_labels: Any
) -> tuple[Array, Array, Array, Array]:
    """What a classifier learns from and is tested on, checked.

    Args:
        train_features: Array-like [N, D], N >= 1.
        train_labels: As `labels` of `check_labels`, N of them.
        test_features: Array-like [M, D], M >= 1.
        test_labels: Likewise, M of them.

    Returns:
        The four as arrays: features float64, labels [N] and [M].

    Raises:
        InputError: As `check_features` and `check_label_pair`, or features of two widths.
    """
    train_labels, test_labels = check_label_pair(train_labels, test_labels)
    train = check_features("train", train_features, train_labels)
    test = check_features("test", test_features, test_labels)
    check_widths(train, test)
    return train, train_labels, test, test_labels


def check_widths(train: Array, test: Array) -> None:
    """Raises InputError unless arrays [N, D] and [M, D] have one D."""
    if train.shape[1] != test.shape[1]:
        raise InputError(
            "train and test features must come from one encoder. Received features of "
            f"{train.shape[1]} and {test.shape[1]} dimensions"
        )


def _as_numbers(name: str, features: ArrayLike) -> Array:
    try:
        return np.asarray(features, np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"{name} features must be an array of numbers [N, D]. Received: "
            f"{type(features).__name__}, of which numpy says: {error}"
        ) from None
