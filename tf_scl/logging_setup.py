"""A console for people: without the chatter with which TensorFlow's C++ starts."""

import contextlib
import os
from collections.abc import Iterator


def silence_tensorflow() -> None:
    """Keeps TensorFlow's own messages back; call it before TensorFlow is imported.

    Nothing is lost: its real errors are Python exceptions too. A level that the
    user has set stays.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def load_tensorflow() -> None:
    """Imports TensorFlow, of which 2.21 announces itself on stderr, whatever the level.

    It does so before its logger is there, so that nothing in Python reaches it.
    Call this before anything else imports TensorFlow.
    """
    with _suppress_stderr():
        import tensorflow  # noqa: F401


def warm_up_xla() -> None:
    """Loads TensorFlow and starts XLA, which announces itself on stderr, once in a process.

    It does so through a logger of its own. So this compiles a first small
    function while stderr is away.
    """
    load_tensorflow()
    import tensorflow as tf

    with _suppress_stderr():
        tf.function(lambda: tf.zeros([]) + 1.0, jit_compile=True, autograph=False)()


@contextlib.contextmanager
def _suppress_stderr() -> Iterator[None]:
    """Sends file descriptor 2, C++'s stderr, to nowhere."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
