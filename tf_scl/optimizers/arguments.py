"""Checks that the optimisers' constructors share."""

import math
import numbers
from collections.abc import Callable
from typing import Any

from tf_scl.errors import InputError


def number(name: str, value: Any, low: float = 0.0, high: float = math.inf) -> float:
    """The value as a float, if it is a finite number from `low` to `high`.

    Raises:
        InputError: It is not; the message has `name`, the range and the value.
    """
    real = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if not real or not math.isfinite(value) or not low <= value <= high:
        allowed = f"at least {low:g}" if high == math.inf else f"between {low:g} and {high:g}"
        raise InputError(f"`{name}` must be a number {allowed}. Received: {name}={value!r}")
    return float(value)


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
        raise InputError(f"`{name}` must be True or False. Received: {name}={value!r}")
    return value


def names(name: str, value: Any) -> tuple[str, ...]:
    """The value as a tuple, if it is a list or tuple of non-empty strings.

    Raises:
        InputError: It is not; one string alone is refused, as its letters would be taken.
    """
    listed = isinstance(value, (list, tuple))
    if not listed or not all(isinstance(item, str) and item for item in value):
        raise InputError(f"`{name}` must be a list of names, or (). Received: {name}={value!r}")
    return tuple(value)
