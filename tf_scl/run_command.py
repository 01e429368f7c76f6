"""How every command begins and ends: one line for a mistake, and one for Ctrl-C at any moment."""

import contextlib
import io
import os
import signal
import sys
import threading
from collections.abc import Callable

from tf_scl.errors import InputError
from tf_scl.logging_setup import silence_tensorflow

STOPPED = 130  # exit status, as a shell gives it to what SIGINT ended

_SECONDS_TO_CLEAN_UP = 5
_WAKE, _END = signal.SIGUSR1, signal.SIGUSR2


def run_command(work: Callable[[], object], go_on: str = "run the same command again") -> int:
    """Runs a command, and says in one line on stderr why it did not come to its end.

    Once the user has stopped it by Ctrl-C, nothing more is written to stdout
    and stderr: of the libraries at work each would have a traceback of its own.
    What is being written is removed, for which there are five seconds, or until
    Ctrl-C is pressed again. Then the process ends.

    Args:
        work: Function without arguments: the command. What its modules need is
            best imported inside, so that an interrupted import ends well too. An
            int that it returns is the exit status.
        go_on: Str, what the user is told who stopped it.

    Returns:
        Exit status: 0, or what `work` returned; 2 where it raised `InputError`;
        130 where it raised `KeyboardInterrupt` of its own accord.
    """
    silence_tensorflow()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # names need not be text
    interrupts = _Interrupts(f"stopped; {go_on}")
    try:
        with interrupts:
            return _status(work, interrupts)
    finally:
        interrupts.end_if_stopped()


def _status(work: Callable[[], object], interrupts: "_Interrupts") -> int:
    try:
        found = work()
    except InputError as error:
        interrupts.end_if_stopped()
        from tf_scl.flags import describe_error

        print(f"error: {describe_error(error)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        interrupts.end_if_stopped()
        print(interrupts.line, file=sys.stderr)
        return STOPPED
    return found if isinstance(found, int) else 0


class _Interrupts:
    """Takes SIGINT in a thread of its own while a command runs.

    A handler of Python's runs in the main thread, once that is back from
    whatever C++ it is in, and what it raises may come out of other libraries as
    another error, or not at all. So SIGINT is blocked in all threads, and in
    the processes that they start, and this thread waits for it. Outside of the
    main thread, where Python has no signals, it does nothing.
    """

    def __init__(self, line: str) -> None:
        self.line = line
        self._stopped = False
        self._thread: threading.Thread | None = None

    def __enter__(self) -> None:
        if threading.current_thread() is not threading.main_thread():
            return
        try:
            # fd 2 may be away when the signal comes (tf_scl.logging_setup)
            self._stderr = os.dup(2)
        except OSError:  # closed by the shell: nobody reads what would be said
            self._stderr = os.open(os.devnull, os.O_WRONLY)
        self._mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, _END})
        self._handler = signal.signal(_WAKE, signal.default_int_handler)
        self._main = threading.get_ident()
        self._thread = threading.Thread(target=self._wait, name="Ctrl-C", daemon=True)
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self.end_if_stopped()
        if self._thread is None:
            return
        if self._thread.ident is not None:
            signal.pthread_kill(self._thread.ident, _END)
        self._thread.join()
        signal.signal(_WAKE, self._handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, self._mask)
        os.close(self._stderr)

    def end_if_stopped(self) -> None:
        """Ends the process, without waiting for threads, if SIGINT has come."""
        if self._stopped:
            os._exit(STOPPED)

    def _wait(self) -> None:
        if signal.sigwait({signal.SIGINT, _END}) == _END:
            return
        _silence()
        with contextlib.suppress(OSError):  # the terminal may be gone
            os.write(self._stderr, f"{self.line}\n".encode())
        self._stopped = True
        signal.pthread_kill(self._main, _WAKE)  # it raises KeyboardInterrupt there
        signal.sigtimedwait({signal.SIGINT}, _SECONDS_TO_CLEAN_UP)
        os._exit(STOPPED)


def _silence() -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for descriptor in (1, 2):
        os.dup2(nowhere, descriptor)
