import pickle

import numpy as np
import pytest

from tests.tf_scl.data.sources.read_all import read_all
from tf_scl.data.sources.open_source import open_source
from tf_scl.errors import InputError


def _pixels(*shape):
    return np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)


@pytest.mark.parametrize("shape", [(9, 5, 7), (9, 5, 7, 1), (9, 5, 7, 3)])
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_rows_of_an_npz(tmp_path, shape, save):
    images, labels = _pixels(*shape), np.arange(9) % 4
    save(tmp_path / "a.npz", images=images, labels=labels)
    items = read_all(open_source(f"numpy:{tmp_path}/a.npz"))
    assert list(items) == [b"images:%d" % row for row in range(9)]
    for row, item in enumerate(items.values()):
        np.testing.assert_array_equal(item.data, images[row])
        assert item.data.dtype == np.uint8
        assert (item.label, item.class_name) == (row % 4, b"%d" % (row % 4))


def test_rows_of_an_npy_come_from_the_disk(tmp_path):
    images = _pixels(9, 5, 7)
    np.save(tmp_path / "a.npy", images)
    source = open_source(f"numpy:{tmp_path}/a.npy")
    for row, item in enumerate(read_all(source).values()):
        np.testing.assert_array_equal(item.data, images[row])
        assert (item.name, item.label, item.class_name) == (b"images:%d" % row, None, None)
        assert not isinstance(item.data, np.memmap)
    assert isinstance(source._arrays[0], np.memmap)


def test_arrays_by_name_and_labels_in_a_column(tmp_path):
    images, labels = _pixels(6, 4, 4, 3), np.array([[3], [-1], [0], [1], [2], [9]], np.int16)
    np.savez(tmp_path / "a.npz", x=images, y=labels, other=np.zeros(3))
    items = read_all(open_source(f"numpy:{tmp_path}/a.npz?images=x&labels=y"))
    assert [item.name for item in items.values()] == [b"x:%d" % row for row in range(6)]
    assert [item.label for item in items.values()] == [3, None, 0, 1, 2, 9]
    np.testing.assert_array_equal([item.data for item in items.values()], images)


@pytest.mark.parametrize("dtype", ["U", "S"])
def test_text_labels_are_classes(tmp_path, dtype):
    nouns = ["dog", "cat", "", "10", "9", "cat"] + ["ü"] * (dtype == "U")
    order = sorted({noun.encode() for noun in nouns} - {b""})
    labels = np.array(nouns, dtype)[:, None]
    np.savez(tmp_path / "a.npz", images=_pixels(len(nouns), 4, 4), labels=labels)
    items = read_all(open_source(f"numpy:{tmp_path}/a.npz"))
    assert [(item.label, item.class_name) for item in items.values()] == [
        (order.index(noun.encode()), noun.encode()) if noun else (None, None) for noun in nouns
    ]


def test_labels_need_not_be_there(tmp_path):
    np.savez(tmp_path / "a.npz", images=_pixels(4, 2, 2))
    items = read_all(open_source(f"numpy:{tmp_path}/a.npz"))
    assert {item.label for item in items.values()} == {None}


def test_units_are_ranges_of_rows(tmp_path):
    np.save(tmp_path / "a.npy", _pixels(2500, 2, 3))
    source = open_source(f"numpy:{tmp_path}/a.npy")
    assert [(unit.items, unit.size) for unit in source.units()] == [
        (1000, 6000),
        (1000, 6000),
        (500, 3000),
    ]
    assert len(read_all(source)) == 2500


def test_a_worker_gets_the_path_not_the_pixels(tmp_path):
    np.savez(tmp_path / "a.npz", images=_pixels(1000, 8, 8))
    source = open_source(f"numpy:{tmp_path}/a.npz")
    source.units()
    assert len(pickle.dumps(source)) < 1000


def test_large_images(tmp_path):
    np.save(tmp_path / "a.npy", _pixels(4, 10, 10))
    items = read_all(open_source(f"numpy:{tmp_path}/a.npy"), max_bytes=99)
    assert {item.problem[0] for item in items.values()} == {"file too large"}


def test_fingerprint_changes_with_the_file(tmp_path):
    source = open_source(f"numpy:{tmp_path}/a.npy")
    np.save(tmp_path / "a.npy", _pixels(4, 10, 10))
    before = source.fingerprint()
    assert source.fingerprint() == before
    np.save(tmp_path / "a.npy", _pixels(5, 10, 10))
    assert source.fingerprint() != before


@pytest.mark.parametrize(
    "arrays,options,message",
    [
        ({"images": _pixels(4, 2, 2).astype(float)}, "", r"images are float64 of shape \(4, 2, 2"),
        ({"images": _pixels(4, 2)}, "", r"images are uint8 of shape \(4, 2\); uint8 \[N, H, W\]"),
        ({"images": _pixels(4, 2, 2, 4)}, "", r"of shape \(4, 2, 2, 4\)"),
        ({"images": _pixels(4, 0, 2)}, "", r"of shape \(4, 0, 2\)"),
        ({"images": _pixels(0, 2, 2)}, "", "holds no images"),
        ({"x": _pixels(4, 2, 2)}, "", r"no array 'images' in '.*a.npz', but \['x'\]; say which"),
        ({"images": _pixels(4, 2, 2)}, "?labels=y", r"no array 'y' in .*, but \['images'\]"),
        (
            {"images": _pixels(4, 2, 2), "labels": np.arange(5)},
            "",
            r"labels are int64 of shape \(5,\).*each of the 4 images",
        ),
        (
            {"images": _pixels(4, 2, 2), "labels": np.arange(4) / 2},
            "",
            r"labels are float64 of shape \(4,\); whole numbers from 0, or text, are needed",
        ),
        ({"images": np.array([{}] * 4)}, "", "cannot read '.*a.npz' as a numpy file.*pickle"),
    ],
)
def test_arrays_that_are_no_images(tmp_path, arrays, options, message):
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(InputError, match=message):
        open_source(f"numpy:{tmp_path}/a.npz{options}").units()


def test_an_npy_has_no_names(tmp_path):
    np.save(tmp_path / "a.npy", _pixels(4, 2, 2))
    with pytest.raises(InputError, match="a .npy holds one array.*leave out labels, or save"):
        open_source(f"numpy:{tmp_path}/a.npy?labels=y").units()


@pytest.mark.parametrize("name", ["a.npz", "a.npy"])
@pytest.mark.parametrize("damage", ["text", "cut", "empty", "missing", "folder"])
def test_files_that_numpy_cannot_read(tmp_path, name, damage):
    path = tmp_path / name
    save = np.save if name == "a.npy" else np.savez_compressed
    save(path, _pixels(100, 9, 9))
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-2000])
    else:
        path.unlink()
    if damage in ("text", "empty"):
        path.write_text("some text" if damage == "text" else "")
    if damage == "folder":
        path.mkdir()
    with pytest.raises(InputError, match=f"cannot read '.*{name}' as a numpy file: ..*; give a"):
        open_source(f"numpy:{path}").units()
