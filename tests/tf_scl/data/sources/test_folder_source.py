import errno
import os

import pytest

from tests.conftest import encode, photo
from tests.tf_scl.data.sources.read_all import read_all
from tf_scl.data.sources import folder_source
from tf_scl.data.sources.open_source import open_source
from tf_scl.errors import InputError


def test_every_file_with_its_bytes_and_class(image_folder):
    items = read_all(open_source(image_folder))
    files = {
        os.fsencode(path.relative_to(image_folder)): path.read_bytes()
        for path in image_folder.rglob("*.*")
    }
    assert {name: item.data for name, item in items.items()} == files
    for name, item in items.items():
        assert item.class_name == name[:3]
        assert item.label == {b"cat": 0, b"dog": 1}[name[:3]]


def test_units_are_small_and_know_their_size(image_folder):
    units = open_source(image_folder).units()
    assert [unit.items for unit in units] == [32, 16]
    sizes = [path.stat().st_size for path in sorted(image_folder.rglob("*.*"))]
    assert [unit.size for unit in units] == [sum(sizes[:32]), sum(sizes[32:])]


def test_a_flat_folder_has_no_labels(tmp_path):
    for number in range(5):
        (tmp_path / f"{number}.png").write_bytes(b"x%d" % number)
    items = read_all(open_source(tmp_path))
    assert [(item.data, item.label, item.class_name) for item in items.values()] == [
        (b"x%d" % number, None, None) for number in range(5)
    ]


def test_a_single_image_is_a_source_of_one(image_folder, monkeypatch):
    path = image_folder / "cat" / "00.png"
    monkeypatch.setenv("HOME", str(image_folder))
    for given in (path, "~/cat/00.png"):
        source = open_source(given)
        ((name, item),) = read_all(source).items()
        assert (name, item.data, item.label) == (b"00.png", path.read_bytes(), None)
        assert source.fingerprint() != open_source(image_folder / "cat" / "02.png").fingerprint()
    monkeypatch.chdir(path.parent)
    assert list(read_all(open_source("00.png"))) == [b"00.png"]


def test_a_single_file_of_another_kind_is_refused(tmp_path):
    (tmp_path / "a.npz").write_bytes(b"PK")
    with pytest.raises(InputError, match="'.*/a.npz' is a file, not a folder; give the path of"):
        open_source(tmp_path / "a.npz").units()


def test_files_that_are_no_images_do_not_count(image_folder):
    (image_folder / "labels.csv").write_text("cat/00.png,cat")
    (image_folder / "cat" / "by_content").write_bytes(encode(photo(0)))
    source = open_source(image_folder)
    assert source.count_images(source.units()) == 49
    assert sum(unit.items for unit in source.units()) == 50


def test_splits_are_not_classes(tmp_path):
    for name in ("train/a/1.png", "train/b/2.png", "test/a/3.png", "test/b/4.png"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    source = open_source(tmp_path)
    with pytest.raises(InputError, match=r"\['test', 'train'\].*not classes.*/train'"):
        source.require_trainable(source.units())


def test_files_that_cannot_be_opened(image_folder, tmp_path, monkeypatch):
    (image_folder / "broken.png").symlink_to(tmp_path / "nothing")
    os.mkfifo(image_folder / "pipe.png")
    with open(os.fsencode(image_folder) + b"/caf\xe9.png", "wb") as file:
        file.write(b"data")
    source = open_source(image_folder)
    units = source.units()
    (image_folder / "cat" / "00.png").unlink()
    (image_folder / "cat" / "01.jpg").unlink()
    (image_folder / "cat" / "01.jpg").mkdir()

    def refuse(path, mode):  # chmod would not stop root, which CI runs as
        if path.endswith(b"02.png"):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
        return open(path, mode)

    monkeypatch.setattr(folder_source, "open", refuse, raising=False)
    items = {item.name: item for unit in units for item in source.read(unit, 2**30)}
    assert len(items) == 51
    assert {name: item.problem for name, item in items.items() if item.problem} == {
        b"broken.png": ("cannot be read", "No such file or directory"),
        b"pipe.png": ("cannot be read", "not a regular file"),
        b"cat/00.png": ("cannot be read", "No such file or directory"),
        b"cat/01.jpg": ("cannot be read", "not a regular file"),
        b"cat/02.png": ("cannot be read", "Permission denied"),
    }
    assert items[b"caf\xe9.png"].data == b"data"


def test_an_error_without_a_number_has_a_reason_too(image_folder, monkeypatch):
    def refuse(path, mode):
        raise OSError("the disk does not answer")

    monkeypatch.setattr(folder_source, "open", refuse, raising=False)
    source = open_source(image_folder)
    items = list(source.read(source.units()[0], 2**30))
    assert {item.problem for item in items} == {("cannot be read", "the disk does not answer")}


def test_large_files_are_not_read(image_folder, monkeypatch):
    (image_folder / "large.png").write_bytes(bytes(3 * 2**20))
    items = read_all(open_source(image_folder), max_bytes=2**20)
    assert items[b"large.png"].problem == (
        "file too large",
        f"{3 * 2**20} bytes is more than ingest.max_megabytes = 1",
    )
    assert sum(item.problem is None for item in items.values()) == 48


def test_fingerprint_changes_with_a_file(image_folder):
    before = open_source(image_folder).fingerprint()
    assert open_source(image_folder).fingerprint() == before
    (image_folder / "cat" / "new.png").write_bytes(b"x")
    assert open_source(image_folder).fingerprint() != before


def test_no_such_folder(tmp_path):
    with pytest.raises(InputError, match="does not exist; give the path"):
        open_source(tmp_path / "nowhere").units()
