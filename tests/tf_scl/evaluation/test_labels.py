import numpy as np
import pytest
import tensorflow as tf

import tf_scl
from tf_scl.evaluation.labels import (
    alike_weights,
    check_label_pair,
    check_labels,
    number_classes,
)


@pytest.mark.parametrize(
    "labels",
    [
        [3, 0, 1],
        (3, 0, 1),
        np.array([3, 0, 1], np.uint8),
        np.array([[3], [0], [1]], np.uint8),  # as keras.datasets.cifar10 has them
        [[3], [0], [1]],
        np.array([3.0, 0.0, 1.0], np.float32),
        np.array([3, 0, 1], object),
        tf.constant([3, 0, 1]),
        tf.constant([[3], [0], [1]], tf.int64),
    ],
)
def test_whole_numbers_become_int64(labels):
    checked = check_labels("labels", labels)
    assert checked.dtype == np.int64
    assert checked.tolist() == [3, 0, 1]


@pytest.mark.parametrize(
    "labels",
    [
        ["cat", "dög"],
        [["cat"], ["dög"]],
        np.array(["cat", "dög"], object),
        np.array([b"cat", "dög".encode()]),
        tf.constant(["cat", "dög"]),
    ],
)
def test_text_stays_text(labels):
    checked = check_labels("labels", labels)
    assert checked.dtype.kind == "U"
    assert checked.tolist() == ["cat", "dög"]


def test_bools_are_two_classes_and_one_image_has_one_label():
    assert check_labels("labels", [True, False]).tolist() == [1, 0]
    assert check_labels("labels", [[7]]).tolist() == [7]
    assert check_labels("labels", []).shape == (0,)


@pytest.mark.parametrize(
    "labels,message",
    [
        (np.eye(3), r"`labels`.*one-hot.*numpy.argmax\(labels, axis=1\).*\(3, 3\)"),
        (np.zeros((3, 1, 1)), r"\[N\] or \[N, 1\].*\(3, 1, 1\)"),
        ([[1, 2, 3]], r"\(1, 3\)"),
        (5, "Received: int"),
        (None, "Received: NoneType"),
        ({"cat": 0}, "Received: dict"),
        ([[0], [1, 2]], "Received: list"),
        ([0.0, np.nan, np.nan], "2 of 3 that are not, such as nan; leave out"),
        ([0.0, 0.5], "1 of 2 that are not, such as 0.5"),
        ([0.0, np.inf], "such as inf"),
        (np.array([0, 2**63], np.uint64), "such as 9223372036854775808"),
        ([0, None], "all text. Received among others: None"),
        (["a", None], "among others: 'a'|among others: None"),
        (["a", 1], "among others: 'a'"),
        (["a", np.nan], "among others: 'a'"),
        (np.array(["2026-01-01"], "datetime64[D]"), "datetime64"),
        ([1j], "complex"),
    ],
)
def test_what_names_no_class_is_refused(labels, message):
    with pytest.raises(tf_scl.InputError, match=message):
        check_labels("labels", labels)


def test_both_parts_name_classes_the_same_way():
    train, test = check_label_pair(np.array([[0], [1]], np.uint8), [True])
    assert (train.tolist(), test.tolist()) == ([0, 1], [1])
    with pytest.raises(tf_scl.InputError, match="numbers such as 0 and text such as '1'.*convert"):
        check_label_pair([0, 1], ["1"])
    with pytest.raises(tf_scl.InputError, match="`test_labels`"):
        check_label_pair([0, 1], np.eye(2))


def test_classes_are_numbered():
    classes, targets = number_classes("probe", np.array(["b", "a", "b"]))
    assert (classes.tolist(), targets.tolist()) == (["a", "b"], [1, 0, 1])
    with pytest.raises(tf_scl.InputError, match=r"probe needs.*two classes.*\[5\] only"):
        number_classes("probe", np.array([5, 5]))


def test_weights_by_which_classes_count_alike():
    targets = np.array([0, 0, 0, 2])
    weights = alike_weights(targets, 3)
    np.testing.assert_allclose(weights, [2 / 3, 2 / 3, 2 / 3, 2])
    assert weights.mean() == pytest.approx(1)
