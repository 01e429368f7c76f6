"""Files and folders that appear complete or not at all."""

import contextlib
import os
import uuid

import tensorflow as tf


@contextlib.contextmanager
def written_aside(path, overwrite=True):
    """Gives a path beside `path` to write to, and renames it once that is done.

    If the block raises, what it wrote is deleted, and what was at `path` before
    is there still.

    Args:
        path: Path of a file or folder, local or of any file system that
            `tf.io.gfile` knows.
        overwrite: Whether a file at `path` is replaced. A folder never is.

    Yields:
        Str, a path in the same folder that does not exist.

    Raises:
        tf.errors.AlreadyExistsError: Something is at `path` by now that is
            not to be replaced.
    """
    path = os.fspath(path).rstrip("/")
    aside = f"{path}-{uuid.uuid4().hex}.partial"
    try:
        yield aside
        tf.io.gfile.rename(aside, path, overwrite)
    except BaseException:
        with contextlib.suppress(OSError, tf.errors.OpError):
            if tf.io.gfile.isdir(aside):
                tf.io.gfile.rmtree(aside)
            elif tf.io.gfile.exists(aside):
                tf.io.gfile.remove(aside)
        raise


def write_file(path, content):
    """Writes a file, complete or not at all, in the place of any that is there.

    Args:
        path: As in `written_aside`.
        content: Bytes, or str to be written as UTF-8.
    """
    with written_aside(path) as aside, tf.io.gfile.GFile(aside, "wb") as file:
        file.write(content.encode() if isinstance(content, str) else content)
