import os

import pytest
import tensorflow as tf

from tf_scl.write_aside import write_file, written_aside


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
    with pytest.raises(error), written_aside(path) as aside:
        with open(aside, "w") as file:
            file.write("half")
        raise error
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["note.json"]


def test_a_folder_is_written_aside_too(tmp_path):
    path = tmp_path / "model"
    with written_aside(f"{path}/") as aside:
        os.makedirs(os.path.join(aside, "variables"))
        assert not path.exists()
    assert os.listdir(path) == ["variables"]
    with pytest.raises(ValueError), written_aside(tmp_path / "other") as aside:
        os.makedirs(os.path.join(aside, "variables"))
        raise ValueError
    assert os.listdir(tmp_path) == ["model"]


def test_the_first_of_two_writers_wins_where_nothing_is_to_be_replaced(tmp_path):
    path = tmp_path / "model.onnx"
    with pytest.raises(tf.errors.AlreadyExistsError):
        with written_aside(path, overwrite=False) as aside:
            for name, text in ((aside, "second"), (path, "first")):
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
        with written_aside(tmp_path / "model") as aside:
            os.makedirs(aside)
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
    write_file("ram://aside/note.json", b"old")
    write_file("ram://aside/note.json", "new")
    with pytest.raises(ValueError), written_aside("ram://aside/note.json") as aside:
        with tf.io.gfile.GFile(aside, "w") as file:
            file.write("half")
        raise ValueError
    with tf.io.gfile.GFile("ram://aside/note.json") as file:
        assert file.read() == "new"
    assert tf.io.gfile.listdir("ram://aside") == ["note.json"]
