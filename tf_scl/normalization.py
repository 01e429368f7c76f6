"""The one place that says how we normalise batches."""

import keras
import tensorflow as tf


def batch_normalization(**kwargs):
    """Batch normalisation with PyTorch's defaults, which the recipes assume.

    Made under a strategy with several replicas, it takes its statistics from
    the whole global batch, so that replicas compute what one device would.
    """
    return keras.layers.BatchNormalization(
        momentum=0.9,
        epsilon=1e-5,
        synchronized=tf.distribute.get_strategy().num_replicas_in_sync > 1,
        **kwargs,
    )
