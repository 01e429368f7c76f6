import tensorflow as tf

from tf_scl.losses.precision import as_accurate


def test_float64_stays_and_all_else_is_float32():
    for dtype in ("float16", "bfloat16", "float32", "float64"):
        expected = "float64" if dtype == "float64" else "float32"
        assert as_accurate(tf.ones([2], dtype)).dtype == expected
