import os

import keras
import numpy as np
import pytest
import tensorflow as tf

from tf_scl import checkpoints
from tf_scl.errors import InputError

_ARRAYS = {
    "model/00000": np.arange(12, dtype=np.float32).reshape(3, 4),
    "model/00001": np.int64(7),
    "optimizer/00000": np.zeros(0, np.float32),
}


def _save(folder, step, **progress):
    return checkpoints.save(str(folder), step, _ARRAYS, {"step": step, **progress})


@pytest.fixture(params=["disk", "remote"])
def folder(request, tmp_path):
    """A local folder, and one of a file system that only `tf.io.gfile` knows."""
    if request.param == "disk":
        yield str(tmp_path / "new" / "checkpoints")
    else:
        yield f"ram://{tmp_path.name}/checkpoints"


def test_what_is_saved_is_loaded(folder):
    assert checkpoints.load_newest(folder) is None
    path = _save(folder, 1200, history={"loss": [0.1, float(np.float32(-2.7))]})
    assert path == f"{folder}/checkpoint-00001200.npz"
    loaded = checkpoints.load_newest(folder)
    assert loaded.path == path
    assert loaded.progress["history"] == {"loss": [0.1, float(np.float32(-2.7))]}
    assert list(loaded.arrays) == list(_ARRAYS)
    for name, array in _ARRAYS.items():
        np.testing.assert_array_equal(loaded.arrays[name], array)
        assert loaded.arrays[name].dtype == array.dtype


def test_the_newest_two_are_kept_by_number(folder):
    for step in (99_999_999, 100_000_000, 100_000_001):
        _save(folder, step)
    names = [os.path.basename(path) for path in checkpoints.list_checkpoints(folder)]
    assert names == ["checkpoint-100000000.npz", "checkpoint-100000001.npz"]
    assert sorted(tf.io.gfile.listdir(folder)) == sorted(names)


def _cut(data):
    return data[: len(data) // 2]


def _flip(data):
    """One bit of the first array's numbers."""
    at = data.index(_ARRAYS["model/00000"].tobytes()) + 20
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def _foreign(data):
    del data
    return b"something else"


@pytest.mark.parametrize("damage", [_cut, _flip, _foreign, lambda data: b""])
def test_a_damaged_file_is_set_aside_and_the_one_before_is_used(tmp_path, damage, caplog):
    _save(tmp_path, 100)
    newest = _save(tmp_path, 200)
    with open(newest, "rb") as file:
        data = file.read()
    with open(newest, "wb") as file:
        file.write(damage(data))
    assert checkpoints.load_newest(str(tmp_path), tidy=False).progress["step"] == 100
    assert os.path.exists(newest)
    assert checkpoints.load_newest(str(tmp_path)).progress["step"] == 100
    assert f"the checkpoint {newest} is damaged" in caplog.text
    assert sorted(os.listdir(tmp_path)) == [
        "checkpoint-00000100.npz",
        "checkpoint-00000200.npz.damaged",
    ]


def test_an_archive_that_is_not_ours_is_damaged(tmp_path, caplog):
    np.savez(tmp_path / "checkpoint-00000003.npz", a=1)
    assert checkpoints.load_newest(str(tmp_path)) is None
    assert "training begins anew" in caplog.text


def test_a_file_that_cannot_be_opened_stops(tmp_path):
    (tmp_path / "checkpoint-00000003.npz").mkdir()
    with pytest.raises(InputError, match="cannot open the checkpoint .*00000003.npz"):
        checkpoints.load_newest(str(tmp_path))


def test_a_write_that_fails_leaves_nothing_behind(tmp_path, monkeypatch):
    _save(tmp_path, 100)

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputError, match="00000200.npz: No space left on device; make room"):
        _save(tmp_path, 200)
    assert os.listdir(tmp_path) == ["checkpoint-00000100.npz"]


def test_what_a_killed_run_was_writing_is_removed(folder):
    tf.io.gfile.makedirs(folder)
    with tf.io.gfile.GFile(f"{folder}/checkpoint-00000003.npz-12ab.partial", "w") as file:
        file.write("half")
    assert checkpoints.load_newest(folder, tidy=False) is None
    assert len(tf.io.gfile.listdir(folder)) == 1
    assert checkpoints.load_newest(folder) is None
    assert tf.io.gfile.listdir(folder) == []


def test_other_settings_are_refused_by_name(tmp_path, caplog):
    _save(tmp_path, 1, settings={"train": {"batch_size": 8, "xla": False}, "crop": (0.2, 1.0)})
    loaded = checkpoints.load_newest(str(tmp_path))

    def require(settings, **kwargs):
        checkpoints.require_settings(loaded, settings, **kwargs)

    require({"train": {"batch_size": 8, "xla": False}, "crop": (0.2, 1.0)})
    caplog.set_level("INFO")
    require({"train": {"batch_size": 8, "xla": True}, "crop": [0.2, 1]}, may_change=["train.xla"])
    assert "going on with train.xla True, which was False" in caplog.text
    with pytest.raises(InputError, match="train.batch_size is 16, but was 8 when .*00001.npz"):
        require({"train": {"batch_size": 16, "xla": False}, "crop": (0.2, 1.0)})
    with pytest.raises(InputError, match="crop is 'not set', but was"):
        require({"train": {"batch_size": 8, "xla": False}})


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16", "int64"])
def test_variables_come_back_on_every_replica(two_replicas, tmp_path, dtype):
    def variables(value):
        with two_replicas.scope():
            return [keras.Variable(np.full(shape, value), dtype=dtype) for shape in ((2,), ())]

    arrays = checkpoints.read_variables("model", variables(3))
    checkpoints.save(str(tmp_path), 1, arrays, {})
    restored = variables(0)
    loaded = checkpoints.load_newest(str(tmp_path))
    checkpoints.assign_variables(loaded, "model", restored, two_replicas)
    for variable in restored:
        for copy in two_replicas.experimental_local_results(variable.value):
            np.testing.assert_array_equal(np.asarray(copy, np.float32), 3)


def test_running_means_come_back_as_they_were(two_replicas, tmp_path):
    def mean():
        with two_replicas.scope():
            return keras.metrics.Mean()

    old, new = mean(), mean()
    for value in (1.0, 2.0):
        two_replicas.run(lambda value=value: old.update_state(value))
    checkpoints.save(str(tmp_path), 1, checkpoints.read_variables("m", old.variables), {})
    loaded = checkpoints.load_newest(str(tmp_path))
    checkpoints.assign_variables(loaded, "m", new.variables, two_replicas)
    two_replicas.run(lambda: new.update_state(6.0))
    assert float(new.result()) == 3.0


def test_another_model_is_refused(one_replica, tmp_path):
    arrays = checkpoints.read_variables("model", [keras.Variable(np.zeros((2, 3)))])
    checkpoints.save(str(tmp_path), 1, arrays, {})
    loaded = checkpoints.load_newest(str(tmp_path))
    for shapes in ([(2, 4)], [(2, 3), (1,)], []):
        others = [keras.Variable(np.zeros(shape)) for shape in shapes]
        with pytest.raises(InputError, match=r"model has \d variables and the checkpoint"):
            checkpoints.assign_variables(loaded, "model", others, one_replica)
