import os

import pytest
import tensorflow as tf

from tf_scl.data.sources import shards
from tf_scl.errors import InputError


def _touch(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())


def _found(pattern):
    return [shard.short for shard in shards.find_shards(str(pattern), "the source")]


@pytest.mark.parametrize(
    "pattern,expected",
    [
        ("a", ["a"]),
        ("a{08..11}b", ["a08b", "a09b", "a10b", "a11b"]),
        ("{9..10}", ["9", "10"]),
        ("{a,b}{0..1}", ["a0", "a1", "b0", "b1"]),
        ("a{b}", ["a{b}"]),
        ("{3..1}", []),
    ],
)
def test_braces(pattern, expected):
    assert shards.expand_braces(pattern) == expected


def test_patterns_name_files_in_order(tmp_path):
    _touch(tmp_path, "b1.tar", "a2.tar", "a1.tar", "c.txt", "d.tar/x")
    assert _found(tmp_path / "*.tar") == [b"a1.tar", b"a2.tar", b"b1.tar"]
    assert _found(tmp_path / "a?.tar") == [b"a1.tar", b"a2.tar"]
    assert _found(tmp_path / "{b,a}1.tar") == [b"a1.tar", b"b1.tar"]
    assert _found(tmp_path / "{*,a1}.tar") == [b"a1.tar", b"a2.tar", b"b1.tar"]
    assert _found(tmp_path / "c.txt") == [b"c.txt"]


def test_short_names_tell_folders_apart(tmp_path):
    _touch(tmp_path, "train/000.tar", "train/001.tar", "val/000.tar")
    assert _found(tmp_path / "*" / "*.tar") == [b"train/000.tar", b"train/001.tar", b"val/000.tar"]


def test_brackets_in_a_name_are_no_pattern(tmp_path):
    _touch(tmp_path, "a[1].tar", "a1.tar")
    assert _found(tmp_path / "a[1].tar") == [b"a[1].tar"]


def test_size_and_time(tmp_path):
    _touch(tmp_path, "a.tar")
    os.utime(tmp_path / "a.tar", ns=(0, 10**18))
    (shard,) = shards.find_shards(str(tmp_path / "a.tar"), "the source")
    assert shard == shards.Shard(str(tmp_path / "a.tar"), b"a.tar", 5, 10**18)


def test_memory_is_a_place_too():
    """A file system that only TensorFlow knows."""
    tf.io.gfile.makedirs("ram://shards")
    with tf.io.gfile.GFile("ram://shards/a.tar", "wb") as file:
        file.write(b"data")
    (shard,) = shards.find_shards("ram://shards/*.tar", "the source")
    assert (shard.path, shard.short, shard.size) == ("ram://shards/a.tar", b"a.tar", 4)


def test_fingerprint_sees_every_change_but_not_a_move(tmp_path):
    _touch(tmp_path, "in/a.tar", "in/b.tar")

    def fingerprint(folder="in"):
        return shards.fingerprint(shards.find_shards(str(tmp_path / folder / "*"), "the source"))

    seen = [fingerprint()]
    (tmp_path / "in").rename(tmp_path / "out")
    assert fingerprint("out") == seen[0]
    (tmp_path / "out").rename(tmp_path / "in")
    (tmp_path / "in/a.tar").rename(tmp_path / "in/c.tar")
    seen.append(fingerprint())
    (tmp_path / "in/c.tar").write_bytes(b"longer than it was")
    seen.append(fingerprint())
    os.utime(tmp_path / "in/b.tar", ns=(0, 0))
    seen.append(fingerprint())
    assert len(set(seen)) == 4


@pytest.mark.parametrize(
    "pattern,message",
    [
        ("*.png", r"'the source' names no file: there is no '.*/\*.png'; give files"),
        ("b{1..2}.tar", "no file: there is no '.*/b2.tar'"),
        ("folder", r"names the folder '.*/folder'; give files.*'.*/folder/\*'"),
        ("b{3..1}.tar", "'the source' names no file"),
    ],
)
def test_patterns_without_files(tmp_path, pattern, message):
    _touch(tmp_path, "b1.tar", "folder/c.tar")
    with pytest.raises(InputError, match=message):
        _found(tmp_path / pattern)


def test_a_place_that_tensorflow_cannot_read():
    with pytest.raises(InputError, match="cannot look for 'nowhere://a/\\*' of 'the source'"):
        _found("nowhere://a/*")
