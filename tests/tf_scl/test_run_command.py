import io
import os
import signal
import subprocess
import sys
import threading

import pytest

from tests.interrupt import interrupt
from tf_scl.errors import InputError
from tf_scl.run_command import run_command

_PROGRAM = """
import os, pathlib, signal, subprocess, sys, threading, time
from tf_scl import run_command as module

def work():
    {work}

sys.exit(module.run_command(work, "try again"))
"""
_READY = "pathlib.Path('ready').touch()"


def _interrupted(tmp_path, *lines):
    """What becomes of a command that is interrupted once it has made the file `ready`."""
    program = _PROGRAM.format(work="\n    ".join(lines))
    return interrupt(["-c", program], lambda _: (tmp_path / "ready").exists(), tmp_path)


_ONE_LINE = (130, "", "stopped; try again\n")


def test_the_outcome_is_the_exit_status(capsys):
    def fail():
        raise InputError("no such thing; use train.epochs 3", setting="out")

    def stop():
        raise KeyboardInterrupt

    assert run_command(lambda: print("done")) == 0
    assert run_command(fail) == 2
    assert run_command(stop) == 130
    captured = capsys.readouterr()
    assert captured.out == "done\n"
    assert captured.err == (
        "error: no such thing; use --train.epochs 3 (--out)\nstopped; run the same command again\n"
    )


def test_another_error_is_a_bug_and_has_its_traceback():
    with pytest.raises(ZeroDivisionError):
        run_command(lambda: 1 / 0)


def test_signals_are_afterwards_as_they_were():
    before = [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGUSR1, signal.SIGUSR2)]
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    threads = threading.active_count()
    run_command(lambda: None)
    after = [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGUSR1, signal.SIGUSR2)]
    assert after == before
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == mask
    assert threading.active_count() == threads


def test_it_runs_in_another_thread_too(capsys):
    statuses = []
    thread = threading.Thread(target=lambda: statuses.append(run_command(lambda: None)))
    thread.start()
    thread.join()
    assert statuses == [0]


def test_what_was_being_written_is_removed(tmp_path):
    outcome = _interrupted(
        tmp_path,
        "try:",
        "    pathlib.Path('half').touch()",
        f"    {_READY}",
        "    time.sleep(60)",
        "finally:",
        "    os.remove('half')",
    )
    assert outcome == _ONE_LINE
    assert os.listdir(tmp_path) == ["ready"]


@pytest.mark.parametrize("become", ["ImportError('numpy')", "module.InputError('lost')", "None"])
def test_an_interruption_that_comes_out_as_another_error(tmp_path, become):
    outcome = _interrupted(
        tmp_path,
        "try:",
        f"    {_READY}",
        "    time.sleep(60)",
        "except KeyboardInterrupt:",
        "    print('out'), sys.stdout.flush(), os.write(2, b'noise')",
        f"    if {become}: raise {become}",
    )
    assert outcome == _ONE_LINE


def test_an_interruption_that_is_not_heard(tmp_path):
    outcome = _interrupted(
        tmp_path,
        "module._SECONDS_TO_CLEAN_UP = 0.2",
        "threading.Thread(target=time.sleep, args=[60]).start()",  # the end waits for it
        _READY,
        "while True:",
        "    try: time.sleep(60)",
        "    except BaseException: pass",
    )
    assert outcome == _ONE_LINE


def test_processes_that_were_started_say_nothing_of_it(tmp_path):
    child = f"import pathlib, time; {_READY}; time.sleep(3)"
    assert _interrupted(tmp_path, f'subprocess.run([sys.executable, "-c", "{child}"])') == _ONE_LINE


def test_stderr_is_found_though_it_is_away(tmp_path):
    lines = "nowhere = os.open(os.devnull, os.O_WRONLY)", "os.dup2(nowhere, 2)", _READY
    assert _interrupted(tmp_path, *lines, "time.sleep(60)") == _ONE_LINE


def test_any_name_can_be_printed():
    program = (
        "import sys; from tf_scl.run_command import run_command\n"
        "sys.exit(run_command(lambda: print('wrote \\xfc\\udce9.png')))"
    )
    for name, value in (("PYTHONIOENCODING", "ascii"), ("LC_ALL", "C"), ("PYTHONUTF8", "1")):
        done = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, env={**os.environ, name: value}
        )
        assert (done.returncode, done.stderr) == (0, b"")
        assert done.stdout.startswith(b"wrote ")


def test_stdout_need_not_be_a_file(monkeypatch):
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    assert run_command(lambda: print("done")) == 0
    assert sys.stdout.getvalue() == "done\n"
