import os

import pytest
import tensorflow as tf

from tf_scl.errors import InputError
from tf_scl.files import atomic_write, printable, remove_partial, require_new, write_file


def test_a_file_is_there_whole_and_alone(tmp_path):
    path = tmp_path / "note.json"
    write_file(path, b"old")
    write_file(path, "näh")
    assert path.read_bytes() == "näh".encode()
    assert os.listdir(tmp_path) == ["note.json"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_what_was_there_stays_if_the_writing_fails(tmp_path, error):
    path = tmp_path / "note.json"
    path.write_text("old")
    with pytest.raises(error), atomic_write(path) as partial:
        with open(partial, "w") as file:
            file.write("half")
        raise error
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["note.json"]


def test_what_a_killed_writing_left_can_be_removed(tmp_path):
    folder = tmp_path / "odd [name]"
    for path in ("kept", "note-0a.partial", "model-0b.partial/variables"):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text("")
    remove_partial(folder)
    assert os.listdir(folder) == ["kept"]


def test_a_folder_is_written_whole_too(tmp_path):
    path = tmp_path / "model"
    with atomic_write(f"{path}/") as partial:
        os.makedirs(os.path.join(partial, "variables"))
        assert not path.exists()
    assert os.listdir(path) == ["variables"]
    with pytest.raises(ValueError), atomic_write(tmp_path / "other") as partial:
        os.makedirs(os.path.join(partial, "variables"))
        raise ValueError
    assert os.listdir(tmp_path) == ["model"]


def test_the_first_of_two_writers_wins_where_nothing_is_to_be_replaced(tmp_path):
    path = tmp_path / "model.onnx"
    with pytest.raises(tf.errors.AlreadyExistsError):
        with atomic_write(path, overwrite=False) as partial:
            for name, text in ((partial, "second"), (path, "first")):
                with open(name, "w") as file:
                    file.write(text)
    assert path.read_text() == "first"
    assert os.listdir(tmp_path) == ["model.onnx"]


def test_the_error_is_that_of_the_writing_where_nothing_can_be_deleted(tmp_path):
    with pytest.raises(FileNotFoundError):
        write_file(tmp_path / "missing" / "note.json", b"")


def test_a_folder_is_not_replaced(tmp_path):
    (tmp_path / "note.json" / "below").mkdir(parents=True)
    with pytest.raises(IsADirectoryError):
        write_file(tmp_path / "note.json", b"")
    assert os.listdir(tmp_path) == ["note.json"]


@pytest.mark.parametrize("umask,mode", [(0o077, 0o600), (0o022, 0o644)])
def test_permissions_are_those_of_the_umask(tmp_path, umask, mode):
    before = os.umask(umask)
    try:
        write_file(tmp_path / "note.json", b"")
        with atomic_write(tmp_path / "model") as partial:
            os.makedirs(partial)
    finally:
        os.umask(before)
    assert (tmp_path / "note.json").stat().st_mode & 0o777 == mode
    assert (tmp_path / "model").stat().st_mode & 0o777 == 0o777 & ~umask


def test_a_name_need_not_be_text(tmp_path):
    path = os.path.join(os.fsencode(tmp_path), b"caf\xe9.json")
    for given in (path, os.fsdecode(path)):
        write_file(given, b"note")
        assert os.listdir(os.fsencode(tmp_path)) == [b"caf\xe9.json"]


def test_remote_files_too():
    write_file("ram://partial/note.json", b"old")
    write_file("ram://partial/note.json", "new")
    with pytest.raises(ValueError), atomic_write("ram://partial/note.json") as partial:
        with tf.io.gfile.GFile(partial, "w") as file:
            file.write("half")
        raise ValueError
    with tf.io.gfile.GFile("ram://partial/note.json") as file:
        assert file.read() == "new"
    assert tf.io.gfile.listdir("ram://partial") == ["note.json"]


def test_a_durable_file_is_on_the_disk_before_and_after_its_renaming(tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr(
        os, "fsync", lambda file: synced.append(os.readlink(f"/proc/self/fd/{file}"))
    )
    with atomic_write(tmp_path / "state", durable=True) as partial:
        open(partial, "w").close()
        assert not synced
    assert synced == [partial, str(tmp_path)]


def test_a_name_that_is_no_text_can_be_read():
    assert printable("näh".encode() + b"\xff") == "näh\\xff"


def test_a_new_place_is_one_without_a_file_a_folder_or_a_link(tmp_path):
    require_new(tmp_path / "new")
    (tmp_path / "broken").symlink_to("nowhere")
    for path, kind in ((tmp_path, "folder"), (tmp_path / "broken", "file")):
        with pytest.raises(InputError, match=f"exists already; move .* another {kind}") as caught:
            require_new(path, kind)
        assert caught.value.setting == "out"


def test_a_new_place_elsewhere():
    require_new("ram://new/file")
    write_file("ram://new/file", "x")
    with pytest.raises(InputError, match="'ram://new/file' exists already"):
        require_new("ram://new/file")
