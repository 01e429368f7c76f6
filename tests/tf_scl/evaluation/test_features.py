import numpy as np
import pytest

from tf_scl.errors import InputError
from tf_scl.evaluation.features import check_features, unit_rows


def test_good_features_become_float64():
    features = check_features("train", [[1, 2], [3, 4]], [0, 1])
    assert features.dtype == np.float64
    assert features.tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize("features", [np.ones(3), np.ones((0, 3)), np.ones((2, 3, 4))])
def test_other_shapes_are_named(features):
    with pytest.raises(InputError, match="test features must be"):
        check_features("test", features)


def test_unit_rows_keep_their_direction():
    rows = unit_rows(np.array([[3.0, 4.0], [0.0, 0.0]]))
    np.testing.assert_allclose(rows, [[0.6, 0.8], [0.0, 0.0]])
