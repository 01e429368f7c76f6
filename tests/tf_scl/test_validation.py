"""Each check takes what it says and refuses the rest, in one form of message."""

import numpy as np
import pytest

from tf_scl import validation
from tf_scl.errors import InputError


@pytest.mark.parametrize("value", [0, 0.5, np.float32(0.5), np.int64(2), 1.0])
def test_numbers(value):
    found = validation.number("x", value)
    assert type(found) is float and found == value


@pytest.mark.parametrize("value", [-1, float("nan"), float("inf"), True, "1", None, [1.0]])
def test_what_is_no_number_from_0_on(value):
    with pytest.raises(InputError) as caught:
        validation.number("x", value)
    assert str(caught.value) == f"`x` must be a number, at least 0. Received: x={value!r}"


@pytest.mark.parametrize("value", [1, np.int32(2), 5])
def test_whole_numbers(value):
    found = validation.whole_number("n", value, high=5)
    assert type(found) is int and found == value


@pytest.mark.parametrize("value", [0, 6, 1.5, 3.0, True, float("nan"), "2", None])
def test_what_is_no_whole_number_in_the_range(value):
    with pytest.raises(
        InputError, match="`n` must be a whole number between 1 and 5. Received: n="
    ):
        validation.whole_number("n", value, high=5)


@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf"), True, "1"])
def test_what_is_not_positive(value):
    with pytest.raises(InputError, match="`t` must be a positive number. Received: t="):
        validation.positive("t", value)


def test_positive_up_to_a_limit():
    assert validation.positive("share", 1, high=1) == 1.0
    with pytest.raises(InputError, match="positive number, at most 1. Received: share=1.5"):
        validation.positive("share", 1.5, high=1)


@pytest.mark.parametrize("value", ["c", 1.0, True, None, np.zeros(3), []])
def test_one_of(value):
    for given in ("a", np.str_("a"), 1, np.int64(1)):
        found = validation.one_of("kind", given, ("a", 1))
        assert found == given and type(found) in (str, int)
    with pytest.raises(InputError, match="`kind` must be one of 'a', 1. Received: kind="):
        validation.one_of("kind", value, ("a", 1))


def test_rates_flags_and_names():
    schedule = lambda step: 0.1  # noqa: E731
    assert validation.rate(schedule) is schedule and validation.rate(1) == 1.0
    assert validation.flag("on", True) is True
    assert validation.names("layers", ["a", "b"]) == ("a", "b")
    for check, name, value in (
        (validation.flag, "on", 1),
        (validation.names, "layers", "ab"),
        (validation.names, "layers", [""]),
    ):
        with pytest.raises(InputError, match=f"`{name}` must be .*Received: {name}="):
            check(name, value)
