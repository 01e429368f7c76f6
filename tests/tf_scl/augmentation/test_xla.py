import numpy as np
import tensorflow as tf

from tf_scl.augmentation.xla import compiled, materialize


def test_what_is_compiled_has_the_values_of_its_operations():
    doubled = compiled(lambda x: 2.0 * x + 1.0)
    np.testing.assert_array_equal(doubled(tf.constant([1.0, -3.0])), [3.0, -5.0])


def test_stored_is_the_same_wherever_it_runs():
    x = tf.reshape(tf.range(24.0), [2, 3, 2, 2])
    for run in (materialize, tf.function(materialize), tf.function(materialize, jit_compile=True)):
        np.testing.assert_array_equal(run(x), x)
        assert run(x[:0]).shape == (0, 3, 2, 2)


def test_an_image_that_is_no_number_spoils_no_other():
    x = np.ones([3, 1, 2, 2], np.float32)
    x[1] = np.nan
    np.testing.assert_array_equal(materialize(tf.constant(x)), x)


def test_xla_does_not_compute_what_is_stored_in_what_reads_it():
    def step(x):
        return materialize(tf.tanh(x)) * 2.0

    compiled = tf.function(step, jit_compile=True)
    hlo = compiled.experimental_get_compiler_ir(tf.ones([4, 1, 1, 1]))("optimized_hlo")
    assert "conditional(" in hlo
