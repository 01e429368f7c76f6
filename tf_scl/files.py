"""Files and folders that appear complete or not at all, and names that need not be text.

TensorFlow is imported for remote paths only.
"""

import contextlib
import glob
import os
import shutil
import uuid
from collections.abc import Iterator
from typing import Any

from tf_scl.errors import InputError
from tf_scl.typing import PathLike


@contextlib.contextmanager
def atomic_write(
    path: PathLike | bytes, overwrite: bool = True, durable: bool = False
) -> Iterator[str]:
    """Gives a path beside `path` to write to, and renames it once that is done.

    If the block raises, what it wrote is deleted, and what was at `path` before
    is there still. Permissions are those that the umask leaves.

    Args:
        path: Path of a file or folder, local (of any bytes) or of any file
            system that `tf.io.gfile` knows.
        overwrite: Whether a file at `path` is replaced. A folder never is.
        durable: Whether a local file is on the disk when this returns, so that a power
            failure cannot take it away.

    Yields:
        Str, a path in the same folder that does not exist.

    Raises:
        tf.errors.AlreadyExistsError: Something is at `path` by now that is
            not to be replaced.
    """
    path = os.fsdecode(path).rstrip("/")
    partial = f"{path}-{uuid.uuid4().hex}.partial"
    local = _is_local(path)
    rename, remove = (_rename, _remove) if local else (_rename_remote, _remove_remote)
    try:
        yield partial
        if durable and local:
            _sync(partial)
        rename(partial, path, overwrite)
        if durable and local:
            _sync(os.path.dirname(path) or ".")
    except BaseException:
        with contextlib.suppress(Exception):  # the error that counts is the first one
            remove(partial)
        raise


def remove_partial(folder: PathLike) -> None:
    """Removes what a killed `atomic_write` left in a folder, local or remote.

    Call it only while nothing is written there.
    """
    import tensorflow as tf

    for path in tf.io.gfile.glob(os.path.join(glob.escape(os.fspath(folder)), "*.partial")):
        tf.io.gfile.rmtree(path) if tf.io.gfile.isdir(path) else tf.io.gfile.remove(path)


def write_file(path: PathLike | bytes, content: bytes | str) -> None:
    """Writes a file, complete or not at all, in the place of any that is there.

    Args:
        path: As in `atomic_write`.
        content: Bytes, or str to be written as UTF-8.

    Raises:
        OSError: A local file that cannot be written; or tf.errors.OpError, of a
            remote one.
    """
    content = content.encode() if isinstance(content, str) else content
    with atomic_write(path) as partial, _open(partial, "wb") as file:
        file.write(content)


def require_new(path: PathLike, kind: str = "file") -> None:
    """Checks that nothing is where a command is to write, since it replaces nothing there.

    Args:
        path: Local, or of any file system that `tf.io.gfile` knows.
        kind: "file" or "folder", for the message.

    Raises:
        InputError: There is something, be it a broken link.
    """
    path = os.fspath(path)
    if os.path.lexists(path) if _is_local(path) else _exists_remote(path):
        raise InputError(
            f"{path!r} exists already; move it away, or give another {kind}", setting="out"
        )


def read_file(path: PathLike) -> bytes:
    """The bytes of a file, local or of any file system that `tf.io.gfile` knows.

    Raises:
        OSError: A local file that cannot be read; or tf.errors.OpError, of a
            remote one.
    """
    with _open(os.fspath(path), "rb") as file:
        content: bytes = file.read()
    return content


def printable(name: bytes) -> str:
    """A name of any bytes as text to be read: what is not UTF-8 is escaped.

    A path that is to be opened again is text by `os.fsdecode`, which `os.fsencode` undoes.
    """
    return name.decode(errors="backslashreplace")


def _sync(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _is_local(path: str) -> bool:
    return "://" not in path


def _open(path: str, mode: str) -> contextlib.AbstractContextManager[Any]:
    if _is_local(path):
        return open(path, mode)
    import tensorflow as tf

    return tf.io.gfile.GFile(path, mode)


def _rename(partial: str, path: str, overwrite: bool) -> None:
    if not overwrite and os.path.lexists(path):
        import tensorflow as tf

        raise tf.errors.AlreadyExistsError(None, None, f"{path!r} exists already")
    os.replace(partial, path)


def _exists_remote(path: str) -> bool:
    import tensorflow as tf

    return bool(tf.io.gfile.exists(path))


def _remove(path: str) -> None:
    if os.path.isdir(path):
        shutil.rmtree(path)
    else:
        os.remove(path)


def _rename_remote(partial: str, path: str, overwrite: bool) -> None:
    import tensorflow as tf

    tf.io.gfile.rename(partial, path, overwrite)


def _remove_remote(path: str) -> None:
    import tensorflow as tf

    if tf.io.gfile.isdir(path):
        tf.io.gfile.rmtree(path)
    else:
        tf.io.gfile.remove(path)
