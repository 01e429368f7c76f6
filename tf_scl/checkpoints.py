"""The state of a training in files, each of them complete or not there at all.

A checkpoint is one file, `checkpoint-STEP.npz`: the arrays of the state and, as
JSON, how far the run is. It is written beside its place, flushed to the disk and renamed,
so a run that is killed at any moment leaves whole files only. The zip format
inside has checksums, so a file that was damaged later is noticed.
"""

import dataclasses
import json
import logging
import os
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tf_scl.errors import InputError, file_reason
from tf_scl.files import atomic_write
from tf_scl.typing import Array, PathLike

_KEPT = 2  # the newest, and the one before it in case that is damaged
_FORMAT = 1
_PROGRESS = "progress"
_NAME = re.compile(r"checkpoint-(\d+)\.npz")

_log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """What was read from a file.

    Attributes:
        path: Its path.
        progress: Dict, as it was given to `save`.
        arrays: Dict from name to array, as they were given to `save`.
    """

    path: str
    progress: dict[str, Any]
    arrays: dict[str, Array]


def list_checkpoints(folder: PathLike) -> list[str]:
    """Paths of the checkpoints in a folder, from the oldest step to the newest."""
    if not tf.io.gfile.isdir(folder):
        return []
    names = tf.io.gfile.listdir(folder)
    found = [match for name in names if (match := _NAME.fullmatch(name))]
    return [os.path.join(folder, match[0]) for match in sorted(found, key=lambda one: int(one[1]))]


def save(folder: PathLike, step: int, arrays: Mapping[str, Array], progress: dict[str, Any]) -> str:
    """Writes a checkpoint and removes all but the two newest.

    Args:
        folder: Path, local or of any file system that `tf.io.gfile` knows. It
            is made where it is missing.
        step: Int, steps that have been made.
        arrays: Dict from name to array.
        progress: JSON-able dict.

    Returns:
        Path of the file.

    Raises:
        InputError: The folder cannot be written to.
    """
    path = os.path.join(folder, f"checkpoint-{step:08d}.npz")
    text = json.dumps({"format": _FORMAT, **progress}).encode()
    try:
        tf.io.gfile.makedirs(folder)
        _write(path, {**arrays, _PROGRESS: np.frombuffer(text, np.uint8)})
        for old in list_checkpoints(folder)[:-_KEPT]:
            tf.io.gfile.remove(old)
    except (OSError, tf.errors.OpError) as error:
        raise InputError(
            f"cannot write the checkpoint {path}: {file_reason(error)}; make room or give another "
            "checkpoint folder, then run the same again: it goes on from the checkpoint before"
        ) from error
    return path


def load_newest(folder: PathLike, tidy: bool = True) -> Checkpoint | None:
    """The newest checkpoint that can be read, or None where there is none.

    Args:
        folder: Path. It need not exist.
        tidy: Whether a damaged file is renamed, to NAME.damaged, and what a
            killed run was writing is removed. False for all workers but one.

    Raises:
        InputError: A file that exists cannot be opened.
    """
    if tidy and tf.io.gfile.isdir(folder):
        for name in tf.io.gfile.listdir(folder):
            if name.startswith("checkpoint-") and name.endswith(".partial"):
                tf.io.gfile.remove(os.path.join(folder, name))
    paths = list_checkpoints(folder)
    for path in reversed(paths):
        try:
            return _read(path)
        except tf.errors.NotFoundError:  # another worker found it damaged
            continue
        except (OSError, tf.errors.OpError) as error:
            raise InputError(
                f"cannot open the checkpoint {path}: {file_reason(error)}; make it readable, "
                "delete it, or give another checkpoint folder"
            ) from error
        except _DamagedError as error:
            _log.warning("the checkpoint %s is damaged (%s); the one before is used", path, error)
            if tidy:
                tf.io.gfile.rename(path, f"{path}.damaged", overwrite=True)
    if paths:
        _log.warning("no checkpoint in %s can be read; training begins anew", folder)
    return None


def describe_newest(folder: PathLike | None) -> str:
    """A clause for a message: which checkpoint is the last good one."""
    paths = list_checkpoints(folder) if folder else []
    if paths:
        return f"the last good checkpoint is {paths[-1]}"
    return "there is no checkpoint to go back to"


def require_settings(
    checkpoint: Checkpoint, settings: dict[str, Any], may_change: Sequence[str] = ()
) -> None:
    """Raises InputError where a run's settings are not those of a checkpoint.

    Args:
        checkpoint: `Checkpoint` whose progress has "settings".
        settings: JSON-able dict, with dicts inside.
        may_change: Names, such as "train.strategy", that need not agree.
    """
    old = dict(_flat(checkpoint.progress["settings"]))
    new = dict(_flat(json.loads(json.dumps(settings))))
    for name in sorted({**old, **new}):
        before, now = old.get(name, "not set"), new.get(name, "not set")
        if before == now:
            continue
        if name not in may_change:
            raise InputError(
                f"{name} is {now!r}, but was {before!r} when the checkpoint {checkpoint.path} was "
                "made; set it back to go on from there, or to begin anew give another checkpoint "
                "folder or delete this one"
            )
        _log.info("going on with %s %r, which was %r", name, now, before)


def read_variables(part: str, variables: Iterable[keras.Variable]) -> dict[str, Array]:
    """Dict from name to array, of Keras variables; `part` begins the names.

    Under a strategy with several workers all of them must call this, at the
    same step.
    """
    return {
        f"{part}/{number:05d}": keras.ops.convert_to_numpy(variable)
        for number, variable in enumerate(variables)
    }


def assign_variables(
    checkpoint: Checkpoint,
    part: str,
    variables: Sequence[keras.Variable],
    strategy: tf.distribute.Strategy,
) -> None:
    """Puts what `read_variables` read into variables, on all replicas of a strategy.

    Raises:
        InputError: Another number of variables, or other shapes.
    """
    arrays = part_arrays(checkpoint, part)
    shapes = [tuple(array.shape) for array in arrays.values()]
    expected = [tuple(variable.shape) for variable in variables]
    if shapes != expected:
        differ = [pair for pair in zip(expected, shapes, strict=False) if pair[0] != pair[1]]
        first = f", the first that differs {differ[0][0]} and {differ[0][1]}" if differ else ""
        raise InputError(
            f"the {part} has {len(expected)} variables and the checkpoint {checkpoint.path} "
            f"{len(shapes)}{first}; it was made by another {part}. Give another checkpoint "
            "folder or delete this one"
        )
    with strategy.scope():
        for variable, array in zip(variables, arrays.values(), strict=True):
            if array.dtype.kind == "V":  # numpy does not know bfloat16
                array = array.view(tf.as_dtype(variable.dtype).as_numpy_dtype)
            variable.assign(array)


def part_arrays(checkpoint: Checkpoint, part: str) -> dict[str, Array]:
    """Of the arrays of a checkpoint those whose names begin with `part`/, in order."""
    arrays = checkpoint.arrays
    return {name: arrays[name] for name in sorted(arrays) if name.startswith(f"{part}/")}


class _DamagedError(Exception):
    """A file that is no whole checkpoint of ours."""


def _write(path: str, arrays: Mapping[str, Any]) -> None:
    with atomic_write(path, durable=True) as partial:
        if "://" not in path:
            with open(partial, "wb") as file:
                np.savez(file, **arrays)
            return
        with tempfile.NamedTemporaryFile() as copy:
            np.savez(copy, **arrays)
            copy.flush()
            tf.io.gfile.copy(copy.name, partial)


def _read(path: str) -> Checkpoint:
    with tf.io.gfile.GFile(path, "rb") as file:
        file.read(1)  # `GFile` opens lazily
        file.seek(0)
        try:
            # Reading an array to its end compares its checksum.
            with np.load(file) as archive:
                arrays = {name: archive[name] for name in archive.files}
            progress = json.loads(arrays.pop(_PROGRESS).tobytes())
        except (OSError, MemoryError, tf.errors.UnavailableError):
            raise  # not the fault of the file
        except Exception as error:  # bytes at random may raise anything
            raise _DamagedError(f"{type(error).__name__}: {error}") from error
    if progress.get("format") != _FORMAT:
        raise _DamagedError(f"its format is {progress.get('format')}, not {_FORMAT}")
    return Checkpoint(path, progress, arrays)


def _flat(settings: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in settings.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
