"""What is exported is compared with the Keras model before it is given its name."""

import contextlib
import logging
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tf_scl.errors import InputError, first_sentence
from tf_scl.serving.folding import Fold, find_folds
from tf_scl.serving.network import FLOAT32, ExportedWeights
from tf_scl.typing import Array, ArrayLike

_IMAGES = 4
# Differences in parts of the largest output. Rounding in float32 is far below the first.
_FLOAT32_TOLERANCE = 1e-3
_HALF_TOLERANCE = 0.1  # where layers compute in bfloat16 or float16

_log = logging.getLogger(__name__)

Exported = TypeVar("Exported")  # what an export gives: functions, or the bytes of a file


def agreeing_export(
    network: keras.Model,
    precision: str,
    make: Callable[[ExportedWeights], Exported],
    run: Callable[[Exported, Array], ArrayLike],
) -> tuple[ExportedWeights, Exported]:
    """An export of a network that computes what the network does.

    With batch normalizations folded if the outputs then agree; without, and a
    warning, if they agree only so. They are compared on a few random images.

    Args:
        network: Built `keras.Model` from images [N, S, S, C] to [N, D].
        precision: Of the stored weights, "float32" or "bfloat16".
        make: Function from `ExportedWeights` to an export of any kind.
        run: Function from such an export and images, float32 [n, S, S, C], to
            its outputs [n, D].

    Returns:
        (the `ExportedWeights`, what `make` made of them).

    Raises:
        InputError: The network cannot be exported so, or the outputs disagree.
    """
    with reported(network), _full_float32():
        images = _random_images(network)
        expected = _outputs(network, images)
        folds = find_folds(network)
        for attempt in (folds, []) if folds else ([],):
            stored = ExportedWeights(network, precision, attempt)
            exported = make(stored)
            found = run(exported, images)
            reason = _disagreement(network, stored, attempt, images, found, expected)
            if not reason:
                _warn_of_rounding(network, precision, difference(found, expected))
                return stored, exported
            if attempt:
                _log.warning("%s is exported without folding: %s", network.name, reason)
    raise InputError(
        f"the encoder {network.name!r} cannot be exported: {reason}. An encoder must compute the "
        "same at each call, by TensorFlow or Keras operations on weights made with add_weight"
    )


def difference(found: ArrayLike, expected: ArrayLike) -> float:
    """The largest difference, in parts of the largest expected value.

    Args:
        found, expected: Arrays of one shape.

    Returns:
        Float, infinity where shapes differ or values are finite in only one of
        them; values that are finite in neither are passed over.
    """
    found, expected = (np.asarray(array, np.float64) for array in (found, expected))
    finite = np.isfinite(expected)
    if found.shape != expected.shape or (np.isfinite(found) != finite).any():
        return float("inf")
    largest = np.abs(expected[finite]).max(initial=np.finfo(np.float32).tiny)
    return float(np.abs(found[finite] - expected[finite]).max(initial=0.0) / largest)


@contextlib.contextmanager
def reported(network: keras.Model) -> Iterator[None]:
    """Errors of an export become one line; those of the machine (disk, memory) stay."""
    try:
        yield
    except (InputError, OSError, MemoryError, tf.errors.ResourceExhaustedError):
        raise
    except Exception as error:  # a layer of the user's may raise anything
        reason = first_sentence(error, "no reason given")
        raise InputError(
            f"the encoder {network.name!r} cannot be exported: {type(error).__name__}: {reason}. "
            "An encoder must be made of TensorFlow or Keras operations, on weights made with "
            "add_weight"
        ) from error


def _disagreement(
    network: keras.Model,
    stored: ExportedWeights,
    folds: Sequence[Fold],
    images: Array,
    found: ArrayLike,
    expected: ArrayLike,
) -> str:
    """What is wrong with an export, "" if nothing is.

    What weights in bfloat16 give depends on the network, and would hide what
    is wrong. So they are compared with themselves, without a graph, and
    weights in float32 with Keras.
    """
    layers = network._flatten_layers(include_self=False)
    halves = {"bfloat16", "float16"} & {layer.compute_dtype for layer in layers}
    allowed = _HALF_TOLERANCE if halves else _FLOAT32_TOLERANCE
    error = difference(found, expected)
    if stored.precision != FLOAT32:
        exact = ExportedWeights(network, FLOAT32, folds)
        error = difference(exact.bind()(images), expected)
        error = max(error, difference(found, stored.bind()(images)))
    if error <= allowed:
        return ""
    return f"its outputs are off by {error:.2g} of the largest (allowed: {allowed:.2g})"


def _warn_of_rounding(network: keras.Model, precision: str, error: float) -> None:
    if precision != FLOAT32 and error > _HALF_TOLERANCE:
        message = "%s with %s weights has outputs that are off by %.2g of the largest"
        _log.warning(message, network.name, precision, error)


def _random_images(network: keras.Model) -> npt.NDArray[np.float32]:
    """Of large patches in noise, for the features of noise alone are all alike."""
    _, size, _, channels = network.input_shape
    generator = np.random.default_rng(0)
    patches = generator.uniform(0, 255, (_IMAGES, 4, 4, channels))
    place = np.arange(size) * 4 // size
    noise = generator.uniform(0, 255, (_IMAGES, size, size, channels))
    return (0.75 * patches[:, place][:, :, place] + 0.25 * noise).astype(np.float32)


def _outputs(network: keras.Model, images: Array) -> npt.NDArray[np.float32]:
    """By Keras itself; what the model counts or draws meanwhile is undone."""
    state = [
        (variable, tf.identity(variable.value)) for variable in network.non_trainable_variables
    ]
    outputs = keras.ops.convert_to_numpy(network(images, training=False)).astype(np.float32)
    for variable, before in state:
        variable.assign(before)
    return outputs


@contextlib.contextmanager
def _full_float32() -> Iterator[None]:
    """GPUs would otherwise round what they multiply to 10 bits, each kernel in its own way."""
    before = tf.config.experimental.tensor_float_32_execution_enabled()
    tf.config.experimental.enable_tensor_float_32_execution(False)
    try:
        yield
    finally:
        tf.config.experimental.enable_tensor_float_32_execution(before)
