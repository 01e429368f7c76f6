import dataclasses
import json
import math
from typing import Any, Literal

import numpy as np
import pytest

from tf_scl.dataclass_json import dumps, from_plain, read_json, to_plain
from tf_scl.errors import InputError


@dataclasses.dataclass(frozen=True)
class _Inner:
    name: str
    range: tuple[float, float] = (0.0, 1.0)


@dataclasses.dataclass(frozen=True)
class _Derived(_Inner):
    more: bool = False


@dataclasses.dataclass(frozen=True)
class _Outer:
    count: int
    rate: float
    inner: _Inner | None
    state: Literal["on", "off"]
    named: dict[str, tuple[_Derived, ...]]
    anything: Any = None

    def __post_init__(self):
        if self.count < 0:
            raise ValueError("count must not be negative")


_PLAIN = {"count": 3, "rate": 0.5, "inner": None, "state": "on", "named": {}}


def test_what_is_written_is_read_again():
    value = _Outer(
        count=3,
        rate=2.0,
        inner=_Inner("a <b> \udcff", (0.5, 1.0)),
        state="off",
        named={"x": (_Derived("c", (0.0, 2.0), True),), "empty": ()},
        anything={"deep": [1, "two", None]},
    )
    text = dumps(value)
    text.encode("ascii")
    assert from_plain(_Outer, json.loads(text), "test") == value


def test_values_of_numpy_become_those_of_json_and_nan_becomes_null():
    got = to_plain(
        {"a": np.array([1.0, np.nan]), "b": np.int64(3), "c": (np.bool_(True), -math.inf)}
    )
    assert got == {"a": [1.0, None], "b": 3, "c": [True, None]}
    with pytest.raises(TypeError, match="no kind of value for .* of object"):
        to_plain({"x": object()})


def test_null_is_nan_where_a_number_must_be():
    read = from_plain(_Outer, {**_PLAIN, "rate": None}, "test")
    assert math.isnan(read.rate) and read.inner is None
    assert type(from_plain(_Outer, {**_PLAIN, "rate": 2}, "test").rate) is float


@pytest.mark.parametrize(
    "changed,message",
    [
        ({"count": 1.5}, r"'f.json': count must be a whole number. Received: 1.5"),
        ({"count": True}, "count must be a whole number. Received: True"),
        ({"count": -1}, "the whole cannot be: count must not be negative"),
        ({"rate": "x"}, "rate must be a number, or null. Received: 'x'"),
        ({"rate": False}, "rate must be a number, or null"),
        ({"state": "maybe"}, r"state must be one of \['on', 'off'\]. Received: 'maybe'"),
        ({"inner": []}, r"inner must be an object. Received: \[\]"),
        ({"inner": {}}, "inner has no 'name'"),
        ({"inner": {"name": "a", "size": 1}}, "inner has an unknown key, 'size'; known are"),
        ({"inner": {"name": "a", "range": [1]}}, "inner.range must be a list of 2"),
        ({"named": {"x": [{"name": 1}]}}, r"named.x\[0\].name must be text. Received: 1"),
        ({"named": [1]}, "named must be an object"),
        ({"named": {"x": {}}}, "named.x must be a list"),
    ],
)
def test_what_does_not_fit_is_named_with_source_and_key(changed, message):
    with pytest.raises(InputError, match=message) as caught:
        from_plain(_Outer, {**_PLAIN, **changed}, "f.json")
    assert "Was it changed by hand, or written by another version?" in str(caught.value)


def test_a_key_without_a_default_must_be_there():
    for name in _PLAIN:
        with pytest.raises(InputError, match=f"the whole has no '{name}'"):
            from_plain(_Outer, {k: v for k, v in _PLAIN.items() if k != name}, "f.json")


def test_files_that_cannot_be_read_are_named(tmp_path):
    path = tmp_path / "a.json"
    with pytest.raises(InputError, match="cannot read .*a.json"):
        read_json(_Outer, path)
    for damaged in (b"{not json", b"\xff\xfe", b""):
        path.write_bytes(damaged)
        with pytest.raises(InputError, match="a.json' is not JSON"):
            read_json(_Outer, path)
    path.write_text(json.dumps(_PLAIN))
    assert read_json(_Outer, path) == _Outer(3, 0.5, None, "on", {})
    path.write_text('{"loss": [1, NaN]}')
    assert math.isnan(read_json(dict[str, tuple[float, ...]], path)["loss"][1])
