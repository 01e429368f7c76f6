"""Checks of arguments, with one form of message: what is allowed, and what came.

A bool is not a number, numpy's numbers are, and NaN and infinities are refused. Settings have
checks of their own (`tf_scl/config.py`), and so have arrays where they are taken.
"""

import math
import numbers
from collections.abc import Callable, Collection
from typing import Any

import numpy as np

from tf_scl.errors import InputError


def number(name: str, value: Any, low: float = 0.0, high: float = math.inf) -> float:
    """The value as a float, if it is a finite number from `low` to `high`.

    Raises:
        InputError: It is not.
    """
    if not _is_number(value) or not low <= value <= high:
        allowed = f", at least {low:g}" if high == math.inf else f" between {low:g} and {high:g}"
        raise refused(name, value, f"a number{allowed}")
    return float(value)


def positive(name: str, value: Any, high: float = math.inf, allowed: str | None = None) -> float:
    """The value as a float, if it is a finite number above 0, and at most `high`.

    Args:
        name, value: Of the argument.
        high: Float.
        allowed: What the message says is allowed, where that is more.

    Raises:
        InputError: It is not.
    """
    if not _is_number(value) or not 0 < value <= high:
        most = "" if high == math.inf else f", at most {high:g}"
        raise refused(name, value, allowed or f"a positive number{most}")
    return float(value)


def whole_number(name: str, value: Any, low: int = 1, high: int | None = None) -> int:
    """The value as an int, if it is a whole number from `low` to `high`; 3.0 is a float.

    Raises:
        InputError: It is not.
    """
    whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if not whole or value < low or (high is not None and value > high):
        allowed = f", at least {low}" if high is None else f" between {low} and {high}"
        raise refused(name, value, f"a whole number{allowed}")
    return int(value)


def one_of(name: str, value: Any, allowed: Collection[Any]) -> Any:
    """The value that is allowed and equal to the one given, of which numpy's text is one.

    Raises:
        InputError: There is none; True and 1 are not equal here, nor are 1.0 and 1.
    """
    plain = value.item() if isinstance(value, np.generic) else value
    for one in allowed:
        if type(plain) is type(one) and plain == one:
            return one
    raise refused(name, value, f"one of {', '.join(map(repr, allowed))}")


def rate(value: Any) -> float | Callable[..., Any]:
    """A learning rate: a schedule or another callable as it is, or a number >= 0.

    Raises:
        InputError: Something else.
    """
    return value if callable(value) else number("learning_rate", value)


def flag(name: str, value: Any) -> bool:
    """The value, if it is True or False.

    Raises:
        InputError: It is not.
    """
    if not isinstance(value, bool):
        raise refused(name, value, "True or False")
    return value


def names(name: str, value: Any) -> tuple[str, ...]:
    """The value as a tuple, if it is a list or tuple of non-empty strings.

    Raises:
        InputError: It is not; one string alone is refused, as its letters would be taken.
    """
    listed = isinstance(value, (list, tuple))
    if not listed or not all(isinstance(item, str) and item for item in value):
        raise refused(name, value, "a list of names, or ()")
    return tuple(value)


def refused(name: str, value: Any, allowed: str) -> InputError:
    """The error that says of an argument what is allowed."""
    return InputError(f"`{name}` must be {allowed}. Received: {name}={value!r}")


def _is_number(value: Any) -> bool:
    real = isinstance(value, numbers.Real) and not isinstance(value, bool)
    return real and math.isfinite(value)
