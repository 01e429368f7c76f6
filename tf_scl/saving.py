"""Loading of saved Keras models that hold our classes."""

from __future__ import annotations

import importlib
import os
import re
from typing import TYPE_CHECKING, Any

from tf_scl.errors import InputError, first_sentence
from tf_scl.models.methods import METHODS
from tf_scl.typing import PathLike

if TYPE_CHECKING:
    import keras

# Modules that register classes with Keras when they are imported, which `import tf_scl`
# alone does not do.
_REGISTERING = (
    "tf_scl.augmentation.two_views",
    "tf_scl.classification.classifier",
    "tf_scl.encoders.convolution",
    "tf_scl.normalization",
    "tf_scl.optimizers.l2_sgd",
    "tf_scl.optimizers.lars",
)


def load_model(path: PathLike, **options: Any) -> keras.Model:
    """`keras.models.load_model` that knows the layers, models and optimizers of tf_scl.

    Args:
        path: Path of a `.keras` file, of a model or of an encoder alone. An
            `.h5` file does not say whose layers it holds: Keras's own are
            taken, and models of tf_scl cannot be loaded from one.
        options: As in `keras.models.load_model`.

    Returns:
        `keras.Model`.

    Raises:
        InputError: There is no such file, or it holds no model that can be
            loaded.
    """
    path = _checked(path)
    for module in _REGISTERING:
        importlib.import_module(module)
    for method in METHODS.values():
        method()
    import keras

    try:
        return keras.models.load_model(path, **options)
    except Exception as error:  # the bytes of a file may raise anything
        raise InputError(
            f"the model {path!r} cannot be loaded: {_reason(error, path)}; {_remedy(error, path)}"
        ) from error


def _checked(path: Any) -> str:
    """The path as str, of something that may hold a model."""
    import tensorflow as tf

    if not isinstance(path, (str, os.PathLike)):
        raise InputError(f"a model is loaded from the path of a .keras file. Received: {path!r}")
    path = os.fspath(path)
    if path.startswith("hf://"):
        return path
    if not path or not tf.io.gfile.exists(path):
        raise InputError(f"the model {path!r} does not exist; give the path of a .keras file")
    if tf.io.gfile.exists(os.path.join(path, "saved_model.pb")):
        raise InputError(
            f"the model {path!r} is a SavedModel, which Keras does not load; load it with "
            "tf.saved_model.load, or give the .keras file that model.save wrote"
        )
    if path.endswith((".weights.h5", ".weights.json")):
        raise InputError(
            f"the model {path!r} holds weights alone; make the model and call "
            "model.load_weights, or give the .keras file that model.save wrote"
        )
    return path


def _reason(error: BaseException, path: str) -> str:
    """The sentence of an error that says most."""
    text = str(error.args[0]) if isinstance(error, KeyError) else str(error)
    unknown = re.search(r"Could not locate class '[^']*'", text)
    if unknown:
        return unknown[0]
    if path.endswith(".keras") and text.startswith("File not found"):
        return "it is no zip archive, as .keras files are"
    if text.startswith("File format not supported"):
        return "it is no .keras file"
    return first_sentence(error)


def _remedy(error: BaseException, path: str) -> str:
    if path.endswith((".h5", ".hdf5")):
        return (
            'save the model as model.save("model.keras") and give that file, for .h5 knows only '
            "Keras's own classes; weights alone are read by model.load_weights"
        )
    if "safe_mode" in str(error):
        return "if you trust whoever wrote it, pass safe_mode=False"
    return (
        "give a .keras file that model.save wrote, and classes of your own as "
        'custom_objects={"Name": Name}'
    )
