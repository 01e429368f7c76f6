"""Ctrl-C ends each runner in one line, at any moment; see also tests/tf_scl/test_run_command.py."""

import json
import pathlib
import subprocess
import sys

import pytest

from tests.conftest import write_bright_and_dark
from tests.interrupt import importing, interrupt, listening
from tests.pipeline import kill_matrix

_ROOT = pathlib.Path(__file__).parent.parent.parent
_GO_ON = (
    "stopped; run the same command again to go on from the last component, and in training from "
    "the last checkpoint"
)
_KUBEFLOW = ["--data", "tfds:cifar10", "--root", "gs://b/r", "--image", "i"]


def _last_line(outcome):
    status, stdout, stderr = outcome
    assert status == 130
    assert "Traceback" not in stdout + stderr
    return stderr.splitlines()[-1]


@pytest.mark.parametrize("moment", [listening, importing])
def test_while_it_starts(tmp_path, moment):
    local = ["-m", "pipeline.local_runner", "--out", tmp_path / "out"]
    assert _last_line(interrupt(local, moment, tmp_path)) == _GO_ON
    kubeflow = ["-m", "pipeline.kubeflow_runner", *_KUBEFLOW]
    said = _last_line(interrupt(kubeflow, moment, tmp_path))
    assert said == "stopped; run the same command again"
    assert not list(tmp_path.glob("pipeline.yaml*"))


def test_a_batch_that_was_fitted_is_said_before_the_long_work(tmp_path):
    write_bright_and_dark(tmp_path / "images", 150)
    log = tmp_path / "out" / "run.log"
    command = ["-m", "pipeline.local_runner", "--data", tmp_path / "images"]
    outcome = interrupt(
        [*command, "--out", tmp_path / "out"],
        lambda _: log.exists() and "images: " in log.read_text(),
        tmp_path,
    )
    assert _last_line(outcome) == _GO_ON
    first = outcome[1].splitlines()[0]
    assert first.startswith("--train.batch_size is 16, not the preset's 128: ")


@pytest.mark.slow
def test_in_each_component_and_the_same_command_goes_on(tmp_path):
    write_bright_and_dark(tmp_path / "images", 60)
    out = tmp_path / "out"
    command = ["-m", "pipeline.local_runner", "--data", tmp_path / "images", "--out", out]
    command += kill_matrix.FLAGS

    def running(component):
        log = out / "run.log"
        return log.exists() and f"Component {component} is running" in log.read_text()

    for component in ("ImageExampleGen", "Trainer", "RepresentationEvaluator"):
        (out / "run.log").unlink(missing_ok=True)
        outcome = interrupt(command, lambda _: running(component), tmp_path)  # noqa: B023
        assert _last_line(outcome) == _GO_ON
        assert not (out / "summary.json").exists()
    done = subprocess.run([sys.executable, *command], cwd=_ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    summary = json.loads((out / "summary.json").read_text())
    assert sum(summary["images"]["kept"].values()) == 60
    assert summary["components"]["ImageExampleGen"] == "cached"
