import numpy as np

import tf_scl


def test_is_a_bottleneck_without_normalization_at_its_end():
    head = tf_scl.prediction_head(6, 3)
    assert head(np.ones((2, 6), np.float32)).shape == (2, 6)
    kinds = [type(layer).__name__ for layer in head.layers]
    assert kinds == ["Dense", "BatchNormalization", "ReLU", "Dense"]
    assert head.layers[0].units == 3
