import numpy as np
import pytest

from tf_scl.errors import InputError
from tf_scl.evaluation.features import check_features


def test_good_features_become_float64():
    features = check_features("train", [[1, 2], [3, 4]], [0, 1])
    assert features.dtype == np.float64
    assert features.tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize("features", [np.ones(3), np.ones((0, 3)), np.ones((2, 3, 4))])
def test_other_shapes_are_named(features):
    with pytest.raises(InputError, match="test features must be"):
        check_features("test", features)
