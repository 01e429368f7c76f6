"""Where a SavedModel is: in a folder, or in the newest of its version folders."""

import os

import tensorflow as tf

from tf_scl.errors import InputError
from tf_scl.typing import PathLike

_GRAPH_FILE = "saved_model.pb"
_REMEDY = "give the folder of a SavedModel, or the one above its versions (OUT/serving)"


def find_saved_model(path: PathLike) -> str:
    """The SavedModel in a folder, or in the newest of its version folders 1/, 2/, ...

    Args:
        path: Path, local or of any file system that `tf.io.gfile` knows.

    Returns:
        Str, absolute path of the folder that holds the graph.

    Raises:
        InputError: No such folder, or no SavedModel in it.
    """
    given = os.path.expanduser(os.fspath(path))
    path = (given if "://" in given else os.path.abspath(given)).rstrip("/")
    if not tf.io.gfile.isdir(path):
        what = "is a file" if tf.io.gfile.exists(path) else "does not exist"
        raise InputError(f"the model {given!r} {what}; {_REMEDY}")
    if _holds_graph(path):
        return path
    names = [name.rstrip("/") for name in tf.io.gfile.listdir(path)]
    versions = [name for name in names if name.isdecimal()]
    for version in sorted(versions, key=int, reverse=True):
        if _holds_graph(os.path.join(path, version)):
            return os.path.join(path, version)
    raise InputError(
        f"the model {given!r} is no SavedModel: it holds no {_GRAPH_FILE}, nor do version folders "
        f"in it (1, 2, ...), but {sorted(names)[:10]}; {_REMEDY}"
    )


def _holds_graph(path: str) -> bool:
    return tf.io.gfile.exists(os.path.join(path, _GRAPH_FILE))
