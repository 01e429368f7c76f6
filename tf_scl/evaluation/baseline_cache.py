"""The numbers of the raw pixels, kept from run to run: no training changes them."""

import dataclasses
import hashlib
import io
import json
import logging
import os
from typing import Any

import numpy as np
import tensorflow as tf

from tf_scl.config import EvaluateConfig
from tf_scl.dataclass_json import dumps, from_plain
from tf_scl.evaluation import representation
from tf_scl.evaluation.gate import Correct
from tf_scl.evaluation.results import Representation
from tf_scl.files import write_file
from tf_scl.typing import Array

_log = logging.getLogger(__name__)


def measure(
    cache: tuple[str, str],
    train: Array,
    train_labels: Array,
    test: Array,
    test_labels: Array,
    config: EvaluateConfig,
) -> representation.Measured:
    """As `representation.measure`, but looks the numbers up where they are known.

    They are kept under a digest of all that they depend on: both arrays of pixels,
    both of labels, the settings and what the caller names.

    Args:
        cache: (folder, text), a path and what else the numbers depend on.
        train, train_labels, test, test_labels, config: As in
            `representation.evaluate_representation`.

    Returns:
        `representation.Measured`.
    """
    folder, text = cache
    key = _digest(text, config, train, train_labels, test, test_labels)
    path = os.path.join(folder, f"{key[:32]}.npz")
    found = _read(path)
    if found is not None:
        _log.info("raw pixels: the numbers of an earlier run are used")
        return found
    _log.info("probing the raw pixels")
    measured = representation.measure(train, train_labels, test, test_labels, config)
    try:
        tf.io.gfile.makedirs(folder)
        write_file(path, _to_bytes(measured))
    except (OSError, tf.errors.OpError) as error:
        _log.warning("the numbers of the raw pixels are not kept for the next run: %s", error)
    return measured


def _digest(text: str, config: EvaluateConfig, *arrays: Array) -> str:
    digest = hashlib.sha256(json.dumps([text, dataclasses.asdict(config)]).encode())
    for array in arrays:
        digest.update(f"{array.dtype} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def _to_bytes(measured: representation.Measured) -> bytes:
    arrays: dict[str, Any] = {"result": np.array(dumps(measured.result))}
    if measured.correct is not None:
        arrays.update(vars(measured.correct))
        arrays.update(truth=measured.truth, predictions=measured.predictions)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def _read(path: str) -> representation.Measured | None:
    """`representation.Measured`, or None where there is no such file, or it is damaged."""
    try:
        if not tf.io.gfile.exists(path):
            return None
        with tf.io.gfile.GFile(path, "rb") as file:
            arrays = dict(np.load(io.BytesIO(file.read()), allow_pickle=False))
        result = from_plain(Representation, json.loads(str(arrays.pop("result"))), path)
        if not arrays:
            return representation.Measured(result)
        truth, predictions = arrays.pop("truth"), arrays.pop("predictions")
        return representation.Measured(result, Correct(**arrays), truth, predictions)
    except Exception as error:  # zip, JSON and numpy raise all kinds on damage
        _log.warning("%s cannot be read (%s) and is made again", path, error)
        return None
