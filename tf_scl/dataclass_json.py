"""Frozen dataclasses as strict JSON, and back.

The declared types are the schema: `str`, `bool`, `int`, `float`, `X | None`, `Literal`,
`tuple[X, ...]`, `tuple[X, Y]`, `dict[str, X]`, `Any` and dataclasses of these. JSON has no
NaN and no infinity: null stands for them, and is NaN again where a `float` is declared.
"""

import dataclasses
import json
import math
import os
import types
import typing
from typing import Any, TypeVar

import numpy as np

from tf_scl.errors import InputError, file_reason

T = TypeVar("T")


class _MismatchError(Exception):
    """A value that is not of its declared type: its key, and what is wrong."""


def to_plain(value: Any) -> Any:
    """Converts dataclasses, tuples and numpy's values to what JSON has.

    Raises:
        TypeError: A value that JSON has no kind for.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = (field.name for field in dataclasses.fields(value))
        return {name: to_plain(getattr(value, name)) for name in names}
    if isinstance(value, dict):
        return {str(key): to_plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_plain(item) for item in value]
    if isinstance(value, (np.ndarray, np.generic)):
        return to_plain(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, (str, bool, int)):
        return value
    raise TypeError(f"JSON has no kind of value for {value!r} of {type(value).__name__}")


def from_plain(kind: type[T], value: Any, source: str | os.PathLike[str]) -> T:
    """Makes a dataclass of what `json.loads` returned.

    Args:
        kind: The dataclass, or any other of the types above.
        value: Dict, list, number, str or None.
        source: Where the value comes from, for messages.

    Raises:
        InputError: A key that is missing or unknown, a value of another type, or one that
            the dataclass itself refuses. The message names the source and the key.
    """
    try:
        return typing.cast(T, _decode(kind, value, ""))
    except _MismatchError as mismatch:
        key, problem = mismatch.args
        raise InputError(
            f"{os.fspath(source)!r}: {key.lstrip('.') or 'the whole'} {problem}. Was it changed by "
            "hand, or written by another version?"
        ) from None


def dumps(value: Any) -> str:
    """Returns a dataclass as JSON text."""
    return json.dumps(to_plain(value), indent=1, allow_nan=False)


def read_json(kind: type[T], path: str | os.PathLike[str]) -> T:
    """Reads a JSON file as a dataclass.

    Args:
        kind: As in `from_plain`.
        path: A path, local or of any file system that `tf.io.gfile` knows.

    Raises:
        InputError: As `from_plain`, and for a file that cannot be read or is not JSON.
    """
    import tensorflow as tf

    try:
        with tf.io.gfile.GFile(os.fspath(path), "rb") as file:
            value = json.loads(file.read())
    except (tf.errors.OpError, OSError) as error:
        raise InputError(f"cannot read {os.fspath(path)!r}: {file_reason(error)}") from error
    except ValueError as error:
        raise InputError(
            f"{os.fspath(path)!r} is not JSON ({error}); was it changed by hand?"
        ) from error
    return from_plain(kind, value, path)


def _decode(kind: Any, value: Any, key: str) -> Any:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if kind is Any:
        return value
    if origin in (typing.Union, types.UnionType):
        (kind,) = (one for one in arguments if one is not types.NoneType)
        return None if value is None else _decode(kind, value, key)
    if origin is typing.Literal:
        _require(value in arguments, f"one of {list(arguments)}", value, key)
        return value
    if origin is tuple:
        _require(isinstance(value, list), "a list", value, key)
        if arguments[-1] is Ellipsis:
            arguments = (arguments[0],) * len(value)
        _require(len(value) == len(arguments), f"a list of {len(arguments)}", value, key)
        items = zip(arguments, value, strict=True)
        return tuple(_decode(one, item, f"{key}[{i}]") for i, (one, item) in enumerate(items))
    if origin is dict:
        _require(isinstance(value, dict), "an object", value, key)
        return {name: _decode(arguments[1], item, f"{key}.{name}") for name, item in value.items()}
    if dataclasses.is_dataclass(kind):
        return _decode_dataclass(kind, value, key)
    if kind is float:
        value = math.nan if value is None else value
        whole = isinstance(value, int) and not isinstance(value, bool)
        _require(whole or isinstance(value, float), "a number, or null", value, key)
        return float(value)
    _require(type(value) is kind, _NAMES[kind], value, key)
    return value


_NAMES = {str: "text", bool: "true or false", int: "a whole number"}


def _decode_dataclass(kind: Any, value: Any, key: str) -> Any:
    _require(isinstance(value, dict), "an object", value, key)
    fields = {field.name: field for field in dataclasses.fields(kind)}
    for name in value:
        if name not in fields:
            raise _MismatchError(key, f"has an unknown key, {name!r}; known are {list(fields)}")
    for name, field in fields.items():
        optional = (field.default, field.default_factory) != (dataclasses.MISSING,) * 2
        if name not in value and not optional:
            raise _MismatchError(key, f"has no {name!r}")
    hints = typing.get_type_hints(kind)
    given = {name: _decode(hints[name], item, f"{key}.{name}") for name, item in value.items()}
    try:
        return kind(**given)
    except ValueError as error:
        raise _MismatchError(key, f"cannot be: {error}") from error


def _require(matches: bool, expected: str, value: Any, key: str) -> None:
    if not matches:
        raise _MismatchError(key, f"must be {expected}. Received: {value!r:.80}")
