import numpy as np
import pytest

from tf_scl.errors import InputError
from tf_scl.evaluation.features import check_features, check_parts


def test_good_features_become_float64():
    features = check_features("train", [[1, 2], [3, 4]], [0, 1])
    assert features.dtype == np.float64
    assert features.tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize("features", [np.ones(3), np.ones((0, 3)), np.ones((2, 3, 4))])
def test_other_shapes_are_named(features):
    with pytest.raises(InputError, match="test features must be"):
        check_features("test", features)


def test_parts_are_checked_together():
    parts = check_parts([[1, 2], [3, 4]], [[0], [1]], np.ones((1, 2), np.float32), [1])
    assert [part.shape for part in parts] == [(2, 2), (2,), (1, 2), (1,)]
    assert [part.dtype for part in parts] == [np.float64, np.int64] * 2


@pytest.mark.parametrize(
    "changes,message",
    [
        # numpy would stretch a width of 1 to any other.
        ({"test_features": np.ones((1, 1))}, "one encoder.*2 and 1 dimensions"),
        ({"test_labels": [0, 1]}, "test features.*2 labels"),
        ({"train_labels": np.eye(2)}, "`train_labels`.*numpy.argmax"),
        ({"train_features": [["a", "b"], ["c", "d"]]}, "train features must be.*could not convert"),
    ],
)
def test_parts_that_do_not_match_are_named(changes, message):
    arguments = {
        "train_features": np.ones((2, 2)),
        "train_labels": [0, 1],
        "test_features": np.ones((1, 2)),
        "test_labels": [0],
        **changes,
    }
    with pytest.raises(InputError, match=message):
        check_parts(**arguments)
