"""Loading of saved Keras models that hold our classes."""

import importlib

# Modules that register classes with Keras when they are imported, which `import tf_scl`
# alone does not do.
_REGISTERING = (
    "tf_scl.augmentation.two_views",
    "tf_scl.encoders.convolution",
    "tf_scl.models.methods",
    "tf_scl.normalization",
    "tf_scl.optimizers.l2_sgd",
    "tf_scl.optimizers.lars",
)


def load_model(path, **options):
    """`keras.models.load_model` that knows the layers, models and optimisers of tf_scl.

    Args:
        path: Path of a `.keras` file, of a model or of an encoder alone.
        options: As in `keras.models.load_model`.

    Returns:
        `keras.Model`.
    """
    for module in _REGISTERING:
        importlib.import_module(module)
    import keras

    return keras.models.load_model(path, **options)
