"""What `make run` is given, and what it is not given; the environment and Python are stand-ins."""

import os
import pathlib
import shutil
import subprocess

import pytest

_MAKEFILE = pathlib.Path(__file__).parent.parent.parent / "Makefile"


def _make(folder, *arguments, **variables):
    """Runs make in a copy, with a Python that prints its arguments, one a line."""
    shutil.copy(_MAKEFILE, folder)
    (folder / "scripts").mkdir(exist_ok=True)
    for name, line in (("python", "printf '%s\\n' \"$@\""), ("scripts/setup_env.sh", ":")):
        (folder / name).write_text(f"#!/bin/sh\n{line}\n")
        (folder / name).chmod(0o755)
    # Not what a `make test` around this was given.
    ours = {k: v for k, v in os.environ.items() if k != "ARGS" and not k.startswith("MAKE")}
    return subprocess.run(
        ["make", "--silent", "PYTHON=./python", *arguments],
        cwd=folder,
        env={**ours, **variables},
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize("goal", [["run"], []])
def test_a_variable_of_no_meaning_is_refused_in_one_line(tmp_path, goal):
    done = _make(tmp_path, *goal, "EPOCHS=3", "DATA=a b")
    assert done.returncode == 2 and done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert "make run takes DATA, OUT, PRESET and ARGS, not EPOCHS; " in line
    assert 'ARGS="--train.epochs 3"' in line


@pytest.mark.parametrize(
    "arguments,variables,given",
    [
        ([], {}, []),
        (["run", "DATA=it's $x, a=b", "OUT=o"], {}, ["--data", "it's $x, a=b", "--out", "o"]),
        (["run", "ARGS=--train.epochs 3", "-j", "2"], {}, ["--train.epochs", "3"]),
        (["run", "SHELL=/bin/sh"], {}, []),
        (["run"], {"EPOCHS": "3", "DATA": "x"}, ["--data", "x"]),  # of the environment
    ],
)
def test_what_is_known_is_passed_on(tmp_path, arguments, variables, given):
    done = _make(tmp_path, *arguments, **variables)
    assert done.stderr == ""
    assert done.stdout.splitlines() == ["-m", "pipeline.local_runner", *given]


def test_another_make_may_have_variables_of_its_own(tmp_path):
    (tmp_path / "outer.mk").write_text("all:\n\t@$(MAKE) -f Makefile run\n")
    done = _make(tmp_path, "-f", "outer.mk", "THEIRS=3")
    assert (done.returncode, done.stderr) == (0, "")


def test_other_goals_take_what_they_like(tmp_path):
    assert _make(tmp_path, "lint", "ANY=3").returncode == 0
