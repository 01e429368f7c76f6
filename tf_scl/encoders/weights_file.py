"""The weights that an encoder begins with, from a file of Keras."""

import contextlib
import os
import tempfile
import warnings
from collections.abc import Iterator

import keras
import numpy as np
import tensorflow as tf

from tf_scl.errors import InputError, first_sentence
from tf_scl.saving import load_model


def load_weights(path: str, name: str, network: keras.Model, encoder: keras.Model) -> None:
    """Puts the weights of a file into an encoder, or the network inside it that they are of.

    Args:
        path: Of a `.weights.h5` or `.keras` file, local or remote.
        name: Of the encoder, for messages.
        network: `keras.Model`, the one that was brought.
        encoder: `keras.Model` around it, or the same.

    Raises:
        InputError: A file that is damaged, or of another architecture.
    """
    if path.endswith(".keras"):
        source = load_model(path, compile=False)
        source = source.encoder if hasattr(source, "projector") else source
        shapes = [[tuple(w.shape) for w in one.weights] for one in (source, encoder)]
        if shapes[0] != shapes[1]:
            raise _other_architecture(path, name, _difference(*shapes))
        for weight, value in zip(encoder.weights, source.weights, strict=True):
            weight.assign(value)
        return
    with _local(path) as local:
        arrays = _count_arrays(local, path)
        reasons = []
        for target in (network, encoder):
            expected = len(target.variables)
            if arrays != expected and path.endswith(".weights.h5"):
                reasons.append(f"it holds {arrays} arrays, and not {expected}")
                continue
            try:
                return _load_all(target, local)
            except Exception as error:  # Keras raises many kinds
                reasons.append(first_sentence(error))
    raise _other_architecture(path, name, reasons[0])


def _load_all(network: keras.Model, path: str) -> None:
    """`load_weights`, which may pass over layers that a file does not have, with a warning."""
    floats = [weight for weight in network.weights if "float" in weight.dtype]
    for weight in floats:
        weight.assign(np.full(weight.shape, np.nan))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        network.load_weights(path)
    for weight in floats:
        if np.isnan(keras.ops.convert_to_numpy(weight)).any():
            raise ValueError(f"it has no values for {weight.path}")


def _other_architecture(path: str, name: str, reason: str) -> InputError:
    return InputError(
        f"the weights {path!r} are of another architecture than the encoder {name!r}: {reason}; "
        "give those that were saved from it, or another model.encoder"
    )


def _difference(found: list[tuple[int, ...]], expected: list[tuple[int, ...]]) -> str:
    if len(found) != len(expected):
        return f"it holds {len(found)} arrays, and not {len(expected)}"
    pairs = zip(found, expected, strict=True)
    return next(f"shape {one} in the place of {other}" for one, other in pairs if one != other)


def _count_arrays(local: str, path: str) -> int:
    import h5py

    arrays = []
    try:
        with h5py.File(local) as file:
            file.visititems(
                lambda name, item: arrays.append(name) if isinstance(item, h5py.Dataset) else None
            )
    except (OSError, RuntimeError) as error:
        raise InputError(
            f"the weights {path!r} cannot be read: damaged, cut short, or no HDF5 file; give what "
            "model.save_weights wrote"
        ) from error
    return len(arrays)


@contextlib.contextmanager
def _local(path: str) -> Iterator[str]:
    """Path of a local copy where a file is remote."""
    if "://" not in path:
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        copy = os.path.join(folder, os.path.basename(path))
        tf.io.gfile.copy(path, copy)
        yield copy
