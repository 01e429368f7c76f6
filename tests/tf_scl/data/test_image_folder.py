import errno
import os

import pytest

from tf_scl.data import image_folder
from tf_scl.errors import InputError


def _touch(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def test_classes_are_the_top_level_folders(tmp_path):
    _touch(tmp_path, "b/1.png", "a/2.png", "a/deep/3.png", "4.png", ".hidden", ".git/x", "b/.x")
    files = image_folder.list_images(tmp_path)
    assert [(file.path, file.class_name) for file in files] == [
        (b"4.png", None),
        (b"a/2.png", b"a"),
        (b"a/deep/3.png", b"a"),
        (b"b/1.png", b"b"),
    ]


def test_links_are_followed_but_not_in_circles(tmp_path):
    _touch(tmp_path / "elsewhere", "1.png", "2.png", "3.png", "4.png")
    folder = tmp_path / "images"
    folder.mkdir()
    (folder / "cat").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "loop").symlink_to(folder)
    (folder / "broken.png").symlink_to(tmp_path / "nothing")
    paths = [file.path for file in image_folder.list_images(folder)]
    assert paths == [b"broken.png"] + [b"cat/%d.png" % n for n in (1, 2, 3, 4)]


def test_two_links_to_one_folder_are_two_classes(tmp_path):
    _touch(tmp_path, "b/1.png", "b/2.png")
    for name in ("a", "c"):
        (tmp_path / name).symlink_to(tmp_path / "b")
    paths = [file.path for file in image_folder.list_images(tmp_path)]
    assert paths == [b"%s/%d.png" % (name, n) for name in (b"a", b"b", b"c") for n in (1, 2)]


def test_names_need_not_be_utf8(tmp_path):
    _touch(tmp_path, "1.png", "2.png", "3.png")
    with open(os.fsencode(tmp_path) + b"/caf\xe9.png", "wb") as file:
        file.write(b"x")
    assert b"caf\xe9.png" in [file.path for file in image_folder.list_images(tmp_path)]


def test_fingerprint_sees_every_change(tmp_path):
    folder = tmp_path / "images"
    _touch(folder, "a/1.png", "a/2.png", "b/3.png", "b/4.png", "b/5.png")

    def fingerprint():
        return image_folder.fingerprint(image_folder.list_images(folder))

    seen = [fingerprint()]
    assert fingerprint() == seen[0]
    (folder / "a/1.png").rename(folder / "b/1.png")  # another class, same size and time
    seen.append(fingerprint())
    (folder / "b/1.png").write_bytes(b"xy")
    seen.append(fingerprint())
    (folder / "b/3.png").unlink()
    seen.append(fingerprint())
    assert len(set(seen)) == 4


def test_no_such_folder(tmp_path):
    with pytest.raises(InputError, match="nowhere' does not exist; give the path"):
        image_folder.list_images(str(tmp_path / "nowhere"))


def test_a_file_is_no_folder(tmp_path):
    _touch(tmp_path, "file")
    with pytest.raises(InputError, match="is a file, not a folder"):
        image_folder.list_images(str(tmp_path / "file"))


def test_an_empty_folder(tmp_path):
    with pytest.raises(InputError, match="holds 0 files; give the path of a folder of images"):
        image_folder.list_images(str(tmp_path))


def test_a_folder_without_permission(tmp_path, monkeypatch):
    _touch(tmp_path, "a/1.png", "b/2.png")
    listdir = os.listdir

    def refuse(path):  # chmod would not stop root, which CI runs as
        if os.fsencode(path).endswith(b"/a"):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
        return listdir(path)

    monkeypatch.setattr(os, "listdir", refuse)
    with pytest.raises(InputError, match="cannot list '.*/a'.*Permission denied; give the user"):
        image_folder.list_images(tmp_path)
