"""Labels as every measure takes them: one class for each image."""

from typing import Any

import numpy as np

from tf_scl.errors import InputError
from tf_scl.files import printable
from tf_scl.typing import Array


def check_labels(name: str, labels: Any) -> Array:
    """Labels as an array [N].

    Args:
        name: What they are called in a message, such as "train_labels".
        labels: Array-like [N] or, as `keras.datasets` gives them, [N, 1]: a list,
            numpy array, tensor or column. Whole numbers (of any dtype, so floats
            too), bools, or text.

    Returns:
        int64 [N]; of text, str [N].

    Raises:
        InputError: Another shape, such as that of one-hot labels; or values that
            name no class: NaN, fractions, None, numbers mixed with text.
    """
    labels = _as_array(name, labels)
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim != 1:
        raise InputError(
            f"`{name}` must be [N] or [N, 1], one class for each image; one-hot labels become "
            f"classes by numpy.argmax(labels, axis=1). Received: shape {labels.shape}"
        )
    if labels.dtype.kind == "O":
        labels = _from_objects(name, labels)
    if labels.dtype.kind == "S":
        return np.char.decode(labels, "utf-8", "backslashreplace")
    return labels if labels.dtype.kind == "U" else _whole_numbers(name, labels)


def alike_weights(targets: Array, classes: int) -> Array:
    """Weights by which all classes count alike, however many images each has.

    Args:
        targets: int [N] in 0..classes-1.
        classes: Int.

    Returns:
        float64 [N], of mean 1.
    """
    counts = np.bincount(targets, minlength=classes)
    return len(targets) / (np.count_nonzero(counts) * counts[targets])


def check_label_pair(train_labels: Any, test_labels: Any) -> tuple[Array, Array]:
    """`check_labels` of both parts, which must be numbers both or text both.

    Args:
        train_labels, test_labels: As `labels` of `check_labels`.

    Returns:
        (train_labels, test_labels), arrays [N] and [M].

    Raises:
        InputError: As there, or text in one part only: no class would be in both.
    """
    train = check_labels("train_labels", train_labels)
    test = check_labels("test_labels", test_labels)
    if train.size and test.size and train.dtype.kind != test.dtype.kind:
        raise InputError(
            "`train_labels` and `test_labels` must name classes the same way. Received: "
            f"{_form(train)} and {_form(test)}; convert one of them"
        )
    return train, test


def number_classes(owner: str, labels: Array) -> tuple[Array, Array]:
    """The classes among labels that were checked, and the number of each label's class.

    Args:
        owner: Who needs them, for the message.
        labels: Array [N] from `check_labels`.

    Returns:
        (classes, targets): sorted array [classes], and int [N] such that
        classes[targets] are the labels.

    Raises:
        InputError: Fewer than two classes.
    """
    classes, targets = np.unique(labels, return_inverse=True)
    if len(classes) < 2:
        raise InputError(
            f"{owner} needs train labels of at least two classes. "
            f"Received labels of {classes.tolist()} only"
        )
    return classes, targets


def _as_array(name: str, labels: Any) -> Array:
    try:
        array = np.asarray(labels)
        if isinstance(labels, (list, tuple)) and array.dtype.kind in "SU":
            array = np.asarray(labels, object)  # numpy would write numbers among text as text
    except (TypeError, ValueError):
        array = np.asarray(None)
    if array.ndim == 0:
        raise InputError(
            f"`{name}` must be an array [N] of one class for each image. "
            f"Received: {type(labels).__name__}"
        )
    return array


def _from_objects(name: str, labels: Array) -> Array:
    """Python objects as text or as numbers."""
    values = labels.tolist()
    if all(isinstance(value, (str, bytes)) for value in values):
        text = (value if isinstance(value, str) else printable(value) for value in values)
        return np.array(list(text), str)
    odd = next((value for value in values if not isinstance(value, (int, float, np.number))), None)
    if odd is not None or None in values:
        raise InputError(
            f"`{name}` must all be whole numbers, or all text. Received among others: {odd!r}; "
            "leave out images without a label"
        )
    return np.array(values)


def _whole_numbers(name: str, labels: Array) -> Array:
    """int64 of numbers and bools."""
    if labels.dtype.kind not in "biuf":
        raise InputError(f"`{name}` must be whole numbers or text. Received: dtype {labels.dtype}")
    with np.errstate(invalid="ignore"):  # NaN and infinity differ from any whole number
        whole = labels.astype(np.int64)
    wrong = labels[whole != labels]
    if wrong.size:
        raise InputError(
            f"`{name}` must be whole numbers or text. Received: {wrong.size} of {labels.size} "
            f"that are not, such as {wrong[0]}; leave out images without a label"
        )
    return whole


def _form(labels: Array) -> str:
    return f"{'text' if labels.dtype.kind == 'U' else 'numbers'} such as {labels[0].item()!r}"
