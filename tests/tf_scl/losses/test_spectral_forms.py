import pytest
import tensorflow as tf

from tf_scl.losses import spectral_forms


@pytest.mark.parametrize("form", [spectral_forms.sample_sums, spectral_forms.moment_sums])
def test_sums_of_a_small_integer_case(form):
    """a.b = (1, 0), and off the diagonal a1.b2 = 2, a2.b1 = 3: counted by hand."""
    a = tf.constant([[1.0, 0.0], [3.0, 1.0]])
    b = tf.constant([[1.0, 0.0], [2.0, -6.0]])
    pairs, inner, squares, clipped = (float(x) for x in form(a, b))
    assert (pairs, inner, squares, clipped) == (2.0, 1.0 + 0.0, 2.0**2 + 3.0**2, 0.0)
