"""Runs that are killed with SIGKILL, at moments drawn at random, and started again."""

import os
import pathlib
import random
import subprocess
import sys
import time

import numpy as np
import pytest
import tensorflow as tf

import tf_scl
from tests.conftest import TINY_MODEL, encode, exhaustive_but, photo
from tf_scl import checkpoints
from tf_scl.callbacks.stateful import StatefulCallback
from tf_scl.data import features
from tf_scl.images.check_image import check_image

_ROOT = pathlib.Path(__file__).parent.parent.parent
_EPOCHS, _STEPS = 60, 5  # steps of an epoch
_EVERY = 4  # steps between two checkpoints
_CONFIG = tf_scl.Config.from_dict(
    {
        "model": TINY_MODEL,
        "train": {
            "batch_size": 8,
            "epochs": _EPOCHS,
            "warmup_epochs": 1,
            "base_learning_rate": 0.5,
            "checkpoint_steps": _EVERY,
        },
    }
)


class _Log(StatefulCallback):
    """Writes a line for every step, which survives the process: its number and the loss."""

    def __init__(self, path):
        super().__init__()
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def on_epoch_begin(self, epoch, logs=None):
        self._epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        if logs:
            os.write(self._file, f"{self._epoch * _STEPS + batch} {logs['loss']!r}\n".encode())
            os.fsync(self._file)

    def get_state(self):
        """A weight that makes writing a checkpoint take long enough to be killed in."""
        return {"ballast": np.zeros(2**23, np.float32)}

    def set_state(self, state):
        assert state["ballast"].shape == (2**23,)


def _train(folder):
    """What runs in the process that is killed."""
    tf_scl.pretrain(
        [os.path.join(folder, "records")],
        _CONFIG,
        verbose=0,
        checkpoint_dir=os.path.join(folder, "checkpoints"),
        callbacks=[_Log(os.path.join(folder, "log"))],
    )


def _prepare(folder):
    folder.mkdir()
    with tf.io.TFRecordWriter(str(folder / "records")) as writer:
        for number in range(8 * _STEPS + 3):
            image = check_image(encode(photo(number, 8, 8)), 10**6)
            writer.write(features.encode_example(image, b"", ""))
    return folder


def _start(folder):
    return subprocess.Popen(
        [sys.executable, "-m", "tests.tf_scl.test_resume", str(folder)],
        cwd=_ROOT,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"},
    )


def _lines(folder):
    """(step, loss) of every line that was written to its end."""
    path = folder / "log"
    text = path.read_text() if path.exists() else ""
    whole = text[: text.rfind("\n") + 1].splitlines()
    return [(int(line.split()[0]), float(line.split()[1])) for line in whole]


def _is_writing(folder):
    directory = folder / "checkpoints"
    return directory.exists() and any(n.endswith(".partial") for n in os.listdir(directory))


def _kill(process, folder, step, while_writing, delay):
    """Kills a run after `step`, while it writes a checkpoint or at any moment."""
    while not ((lines := _lines(folder)) and lines[-1][0] >= step):
        assert process.poll() is None, "the run ended by itself"
        time.sleep(0.001)
    if while_writing:
        while not _is_writing(folder):
            assert process.poll() is None, "the run ended by itself"
    else:
        time.sleep(delay)
    process.kill()
    process.wait()


@pytest.mark.parametrize("kills", exhaustive_but([3], [3, 10]))
def test_kill_9_at_random_moments_changes_nothing(tmp_path, kills):
    whole, killed = _prepare(tmp_path / "whole"), _prepare(tmp_path / "killed")
    assert _start(whole).wait() == 0
    expected = dict(_lines(whole))
    assert sorted(expected) == list(range(_EPOCHS * _STEPS))

    rng = random.Random(2)
    moments = sorted(rng.sample(range(_EPOCHS * _STEPS - 3 * _EVERY), kills))
    cut_short = 0
    for number, step in enumerate(moments):
        before = _lines(killed)
        process = _start(killed)
        _kill(process, killed, step, number % 2 == 1, rng.uniform(0, 0.1))
        cut_short += _is_writing(killed)
        _check_resumed(before, _lines(killed))
        # Nothing is half-written: every checkpoint can be read.
        for path in checkpoints.list_checkpoints(str(killed / "checkpoints")):
            assert all(np.isfinite(a).all() for n, a in np.load(path).items() if n != "progress")
    before = _lines(killed)
    assert _start(killed).wait() == 0
    _check_resumed(before, _lines(killed))
    assert cut_short >= 3 * kills // 10

    repeated = len(_lines(killed)) - len(expected)
    assert {step for step, _ in _lines(killed)} == set(expected)
    assert repeated <= kills * _EVERY
    # The arithmetic is the same to the bit in principle; threads that add in another
    # order may change the last digits, which 300 steps amplify.
    deviation = max(abs(loss / expected[step] - 1) for step, loss in _lines(killed))
    print(f"{kills} kills at {moments}, {cut_short} of them while a checkpoint was written; ")
    print(f"{repeated} steps repeated; largest relative deviation of the loss {deviation:.1e}")
    assert deviation < 1e-4
    ends = [checkpoints.load_newest(str(folder / "checkpoints")) for folder in (whole, killed)]
    assert ends[0].progress["history"].keys() == ends[1].progress["history"].keys()
    for name, array in ends[0].arrays.items():
        np.testing.assert_allclose(ends[1].arrays[name], array, rtol=1e-3, atol=1e-4)


def _check_resumed(before, after):
    """The second run repeated at most the steps since the last checkpoint."""
    if before and len(after) > len(before):
        last, first = before[-1][0], after[len(before)][0]
        assert last + 1 - _EVERY <= first <= last + 1


if __name__ == "__main__":
    _train(sys.argv[1])
