import pickle

import numpy as np
import pytest

from tf_scl.data.sources import source as module
from tf_scl.data.sources.source import Item, Source, Unit
from tf_scl.errors import InputError


def _name(index):
    return b"name:%d" % index


def _damaged_after(count):
    for index in range(count):
        yield Item(_name(index), b"data")
    raise OSError("disk on fire\nand more")


@pytest.mark.parametrize("readable", [0, 2, 4])
def test_damage_costs_what_lies_behind_it(readable):
    unit = Unit((), 5, 0)
    items = list(module.complete(unit, _damaged_after(readable), _name, (OSError,)))
    assert [item.name for item in items] == [_name(index) for index in range(5)]
    assert all(item.data == b"data" for item in items[:readable])
    for item in items[readable:]:
        assert item.problem == (module.UNREADABLE, "disk on fire and more")


def test_a_file_that_shrank_or_grew_since_it_was_listed():
    items = [Item(_name(index), b"data") for index in range(3)]
    read = list(module.complete(Unit((), 4, 0), iter(items), _name, ()))
    assert read[:3] == items
    assert "the data ends before it" in read[3].problem[1]
    assert list(module.complete(Unit((), 2, 0), iter(items), _name, ())) == items[:2]


def test_other_errors_are_not_hidden():
    with pytest.raises(OSError, match="disk on fire"):
        list(module.complete(Unit((), 5, 0), _damaged_after(2), _name, (ValueError,)))


@pytest.mark.parametrize(
    "label,class_name,expected",
    [
        (7, None, (7, b"7")),
        (7, b"", (7, b"7")),
        (7, b"cat", (7, b"cat")),
        (None, b"cat", (None, b"cat")),
        (None, None, (None, None)),
        (-1, None, (None, None)),
    ],
)
def test_labels_and_class_names(label, class_name, expected):
    item = module.make_item(b"x", b"data", label, class_name, 100)
    assert (item.label, item.class_name) == expected
    assert (item.data, item.problem) == (b"data", None)


@pytest.mark.parametrize("data", [bytes(3 * 2**19), np.zeros((1024, 512, 3), np.uint8)])
def test_too_large_is_a_reason_of_its_own(data):
    item = module.make_item(b"x", data, 1, b"cat", 3 * 2**18)
    assert item.data is None
    assert item.problem == (
        "file too large",
        f"{3 * 2**19} bytes is more than ingest.max_megabytes = 0.75",
    )
    assert module.make_item(b"x", data, 1, b"cat", 3 * 2**19).data is data


def test_content_is_data_and_an_item_with_a_problem_has_none():
    assert Item(b"x", b"data").content == b"data"
    problem = (module.UNREADABLE, "gone")
    with pytest.raises(ValueError, match="b'x' has no data: .*gone"):
        Item(b"x", None, problem=problem).content  # noqa: B018


def test_nothing_at_all():
    with pytest.raises(InputError, match="'numpy:few.npy' holds no images"):
        module.require_items([Unit((), 0, 0)], "numpy:few.npy")
    units = [Unit((), 1, 0), Unit((), 0, 0)]
    assert module.require_items(units, "numpy:few.npy") is units


def test_too_few_to_train_on():
    source = module.Source("numpy:few.npy", "few.npy", {})
    with pytest.raises(InputError, match="'numpy:few.npy' holds 3 images; at least 4 are needed"):
        source.require_trainable([Unit((), 1, 0), Unit((), 2, 0)])
    source.require_trainable([Unit((), 2, 0), Unit((), 2, 0)])


def test_long_errors_are_cut():
    assert module.one_line(ValueError("a\n  b\tc")) == "a b c"
    assert module.one_line(ValueError("word " * 1000)) == ("word " * 60)[:297] + "..."
    assert module.one_line(EOFError()) == "EOFError"


def test_a_source_is_pickled_as_it_was_given():
    copy = pickle.loads(pickle.dumps(Source("numpy:a.npy", "a.npy", {})))
    assert copy.name == "numpy:a.npy"
