"""Ctrl-C, a real SIGINT as a terminal sends it, for a program that is under way."""

import os
import pathlib
import signal
import subprocess
import sys
import time

_ROOT = pathlib.Path(__file__).parent.parent
_PATIENCE = 120  # seconds


def interrupt(arguments, moment, folder):
    """Starts `python ARGUMENTS`, and sends one SIGINT to it and to the processes it started.

    Args:
        arguments: List of str or path.
        moment: Function of the process's id that says whether the moment has come.
        folder: Path, where it is started.

    Returns:
        (exit status, what it wrote to stdout, what it wrote to stderr).
    """
    process = subprocess.Popen(
        [sys.executable, *map(str, arguments)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(_ROOT)},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        # The tests may themselves run where SIGINT is ignored, in a shell's background.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        _wait(moment, process)
        os.killpg(process.pid, signal.SIGINT)
        stdout, stderr = process.communicate(timeout=_PATIENCE)
    finally:
        process.kill()
    return process.returncode, stdout, stderr


def listening(pid):
    """Whether a command listens to SIGINT, which is at its very start."""
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    blocked = next(line for line in status.splitlines() if line.startswith("SigBlk:"))
    return bool(int(blocked.split()[1], 16) >> (signal.SIGINT - 1) & 1)


def importing(pid):
    """Whether TensorFlow is being imported, or has been."""
    return "libtensorflow" in pathlib.Path(f"/proc/{pid}/maps").read_text()


def _wait(moment, process):
    end = time.monotonic() + _PATIENCE
    while not moment(process.pid):
        assert process.poll() is None and time.monotonic() < end
        time.sleep(0.01)
