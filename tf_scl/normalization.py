"""Batch normalization as the recipes assume it: PyTorch's, over the global batch.

Ioffe and Szegedy, ICML 2015, arXiv 1502.03167. For the n values x of a channel,

    mean = sum x / n            var = sum (x - mean)^2 / n
    y = gamma (x - mean) / sqrt(var + epsilon) + beta
    moving_mean     <- momentum * moving_mean     + (1 - momentum) * mean
    moving_variance <- momentum * moving_variance + (1 - momentum) * var * n / (n - 1)

where n counts rows (and pixels) of all replicas.
"""

from typing import Any

import keras
import tensorflow as tf

from tf_scl.distribute import multi_replica_context

_FUSED_DTYPES = (tf.float32, tf.bfloat16, tf.float16)


@keras.saving.register_keras_serializable(package="tf_scl")
class BatchNormalization(keras.layers.BatchNormalization):
    """Keras's layer with PyTorch's defaults and statistics, fused and synchronized.

    It differs from `keras.layers.BatchNormalization` in training only:

    - On one replica it is one TensorFlow kernel ("fused") instead of a dozen
      of them. It takes bfloat16 and float16 as they are; statistics, gamma and
      beta stay float32.
    - On several replicas statistics are those of the global batch, also where
      replicas hold different numbers of rows, and gradients are exact.
    - The moving variance averages the unbiased variance, as PyTorch's does
      (Keras averages the biased one). Outputs use the biased one in all three.

    A mask, `renorm` or another `axis` than the last get Keras's own treatment.

    Args:
        axis: As in Keras.
        momentum: Float, what the moving averages keep at each step. PyTorch
            calls 1 - momentum "momentum".
        epsilon: Float, added to the variance.
        synchronized: Bool, False for statistics of each replica by itself.
        kwargs: As in Keras.

    Input shape: [N, ..., C]. Output shape: the same.
    """

    def __init__(
        self,
        axis: int = -1,
        momentum: float = 0.9,
        epsilon: float = 1e-5,
        synchronized: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            axis=axis, momentum=momentum, epsilon=epsilon, synchronized=synchronized, **kwargs
        )

    def call(
        self, inputs: tf.Tensor, training: bool | None = None, mask: tf.Tensor | None = None
    ) -> tf.Tensor:
        last_axis = self.axis in (-1, len(inputs.shape) - 1)
        special = mask is not None or not last_axis or getattr(self, "renorm", False)
        if special or not (training and self.trainable):
            return super().call(inputs, training=training, mask=mask)
        context = multi_replica_context() if self.synchronized else None
        statistics_dtype = tf.float64 if inputs.dtype == tf.float64 else tf.float32
        channels = inputs.shape[-1]
        gamma, beta = tf.ones(channels, statistics_dtype), tf.zeros(channels, statistics_dtype)
        if self.scale:
            gamma = keras.ops.cast(self.gamma, statistics_dtype.name)
        if self.center:
            beta = keras.ops.cast(self.beta, statistics_dtype.name)
        if context is None and inputs.dtype in _FUSED_DTYPES:
            outputs, mean, variance = _fused(inputs, gamma, beta, self.epsilon)
        else:
            x = tf.cast(inputs, statistics_dtype)
            outputs, mean, variance = _composed(x, gamma, beta, self.epsilon, context)
        for moving, value in ((self.moving_mean, mean), (self.moving_variance, variance)):
            kept = keras.ops.cast(moving, statistics_dtype.name)
            moving.assign(kept * self.momentum + value * (1.0 - self.momentum))
        return tf.cast(outputs, self.compute_dtype)


def batch_normalization(**kwargs: Any) -> BatchNormalization:
    """The batch normalization of all our networks; arguments of `BatchNormalization`."""
    return BatchNormalization(**kwargs)


def _fused(
    x: tf.Tensor, gamma: tf.Tensor, beta: tf.Tensor, epsilon: float
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """(normalized x, mean [C], unbiased variance [C]) by TensorFlow's kernel."""
    # Not `tf.nn.fused_batch_norm`, which raises an epsilon of 1e-5 to 1.001e-5.
    outputs, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
        x=x if len(x.shape) == 4 else tf.reshape(x, (1, -1, 1, x.shape[-1])),
        scale=gamma,
        offset=beta,
        mean=[],
        variance=[],
        epsilon=epsilon,
        is_training=True,
    )
    if len(x.shape) != 4:
        outputs = tf.ensure_shape(tf.reshape(outputs, tf.shape(x)), x.shape)
    return outputs, mean, variance


def _composed(
    x: tf.Tensor,
    gamma: tf.Tensor,
    beta: tf.Tensor,
    epsilon: float,
    context: tf.distribute.ReplicaContext | None,
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """The same in basic operations, over the replicas of `context` (None for one).

    The mean is known before squares are summed, since E[x^2] - E[x]^2 is noise
    where the mean is large beside the deviation.
    """

    def over_replicas(value: tf.Tensor) -> tf.Tensor:
        return context.all_reduce(tf.distribute.ReduceOp.SUM, value) if context else value

    axes = list(range(len(x.shape) - 1))
    count = tf.cast(tf.reduce_prod(tf.shape(x)[:-1]), x.dtype)
    total = over_replicas(tf.concat([tf.reduce_sum(x, axes), [count]], 0))  # [C + 1]
    count = total[-1]
    mean = total[:-1] / count
    centered = x - mean
    # The derivative of the variance by the mean is zero: no need to follow it.
    deviations = x - tf.stop_gradient(mean)
    squares = over_replicas(tf.reduce_sum(tf.square(deviations), axes))
    outputs = centered * (gamma * tf.math.rsqrt(squares / count + epsilon)) + beta
    return outputs, mean, squares / tf.maximum(count - 1.0, 1.0)
