"""The one place that says how we normalise batches."""

import keras


def batch_normalization(synchronized=False, **kwargs):
    """Batch normalisation with PyTorch's defaults, which the recipes assume."""
    return keras.layers.BatchNormalization(
        momentum=0.9, epsilon=1e-5, synchronized=synchronized, **kwargs
    )
