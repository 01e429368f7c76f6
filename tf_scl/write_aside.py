"""Files and folders that appear complete or not at all."""

import contextlib
import os
import shutil
import uuid

import tensorflow as tf


@contextlib.contextmanager
def written_aside(path, overwrite=True):
    """Gives a path beside `path` to write to, and renames it once that is done.

    If the block raises, what it wrote is deleted, and what was at `path` before
    is there still. Permissions are those that the umask leaves.

    Args:
        path: Path of a file or folder, local (of any bytes) or of any file
            system that `tf.io.gfile` knows.
        overwrite: Whether a file at `path` is replaced. A folder never is.

    Yields:
        Str, a path in the same folder that does not exist.

    Raises:
        tf.errors.AlreadyExistsError: Something is at `path` by now that is
            not to be replaced.
    """
    path = os.fsdecode(path).rstrip("/")
    aside = f"{path}-{uuid.uuid4().hex}.partial"
    rename, remove = (_rename, _remove) if _is_local(path) else (tf.io.gfile.rename, _remove_remote)
    try:
        yield aside
        rename(aside, path, overwrite)
    except BaseException:
        with contextlib.suppress(OSError, tf.errors.OpError):
            remove(aside)
        raise


def write_file(path, content):
    """Writes a file, complete or not at all, in the place of any that is there.

    Args:
        path: As in `written_aside`.
        content: Bytes, or str to be written as UTF-8.

    Raises:
        OSError: A local file that cannot be written; or tf.errors.OpError, of a
            remote one.
    """
    content = content.encode() if isinstance(content, str) else content
    with written_aside(path) as aside:
        with open(aside, "wb") if _is_local(aside) else tf.io.gfile.GFile(aside, "wb") as file:
            file.write(content)


def _is_local(path):
    return "://" not in path


def _rename(aside, path, overwrite):
    if not overwrite and os.path.lexists(path):
        raise tf.errors.AlreadyExistsError(None, None, f"{path!r} exists already")
    os.replace(aside, path)


def _remove(path):
    if os.path.isdir(path):
        shutil.rmtree(path)
    else:
        os.remove(path)


def _remove_remote(path):
    if tf.io.gfile.isdir(path):
        tf.io.gfile.rmtree(path)
    else:
        tf.io.gfile.remove(path)
