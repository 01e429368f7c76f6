import numpy as np

import tf_scl


def test_default_is_the_cifar_recipe():
    head = tf_scl.projection_head()
    head.build((None, 512))
    dense = 512 * 2048 + 2048 + 2048 * 1000 + 1000
    assert head.count_params() == dense + 4 * (2048 + 1000)
    assert head.output_shape == (None, 1000)


def test_last_layer_is_normalized_and_not_rectified():
    head = tf_scl.projection_head(4, (8,))
    z = head(np.random.default_rng(0).normal(size=(64, 5)), training=True).numpy()
    np.testing.assert_allclose(z.mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(z.std(0), 1, atol=1e-2)
    assert (z < 0).any()
