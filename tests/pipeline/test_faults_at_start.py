"""Faults that are seen before anything heavy is loaded; nothing is lost by them."""

import pathlib
import shutil
import signal
import subprocess
import sys
import time

import pytest

from components import checks
from tests.pipeline.test_bad_input import error_of


@pytest.fixture
def out(tmp_path):
    """An output folder with an artifact, a served model and a record that is damaged."""
    for name in ("pipeline/Trainer/model/5", "serving/1"):
        (tmp_path / "out" / name).mkdir(parents=True)
        (tmp_path / "out" / name / "file").write_text("kept")
    (tmp_path / "out" / checks.RECORD_FILE).write_bytes(b"not SQLite" * 1000)
    return tmp_path / "out"


def _contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_damaged_record(out):
    (out / ".lock").touch()
    before = _contents(out)
    line = error_of("--out", out)
    assert f"the record of earlier runs, '{out}/metadata.sqlite', is damaged" in line
    assert f"move it and '{out}/pipeline' away and run the same again" in line
    assert f"'{out}/serving' stays as it is" in line
    assert _contents(out) == before


def test_a_record_that_is_gone_while_its_artifacts_are_there(out):
    (out / checks.RECORD_FILE).unlink()
    assert "metadata.sqlite', is gone" in error_of("--out", out)


def test_a_folder_on_a_disk_that_is_mounted_read_only(out, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    try:
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", disk], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no disk could be mounted")
    try:
        shutil.copytree(out, disk / "out")
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        line = error_of("--out", disk / "out")
    finally:
        subprocess.run(["umount", disk], check=True)
    assert f"cannot write to the output folder '{disk}/out': Read-only file system" in line
    assert "give another with --out" in line


def test_two_runs_started_at_once(tmp_path):
    command = [sys.executable, "-m", "pipeline.local_runner", "--out", str(tmp_path / "out")]
    first = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait_for(tmp_path / "out" / "run.log")
        line = error_of("--out", tmp_path / "out")
        assert f"another run is using the output folder '{tmp_path}/out'; wait for it" in line
        assert first.poll() is None
    finally:
        first.send_signal(signal.SIGKILL)
        first.wait()
    with checks.exclusive_lock(str(tmp_path / "out")):  # a run that was killed holds nothing
        pass


def _wait_for(path: pathlib.Path):
    end = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < end
        time.sleep(0.05)
