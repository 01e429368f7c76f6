"""The dtype in which losses are computed."""

import tensorflow as tf

from tf_scl.typing import ArrayLike


def as_accurate(x: ArrayLike | tf.Tensor) -> tf.Tensor:
    """A float tensor in float32, whatever the compute dtype; float64 stays."""
    x = tf.convert_to_tensor(x)
    return x if x.dtype == tf.float64 else tf.cast(x, tf.float32)
