"""The files that a pattern names, local or remote (whatever `tf.io.gfile` reads)."""

import dataclasses
import hashlib
import os
import re
from collections.abc import Iterable

import tensorflow as tf

from tf_scl.data.sources.source import one_line
from tf_scl.errors import InputError

_BRACES = re.compile(r"\{(?:(\d+)\.\.(\d+)|([^{}]*,[^{}]*))\}")


@dataclasses.dataclass(frozen=True)
class Shard:
    """One file of a data set of several.

    Attributes:
        path: Str.
        short: bytes, the path below the folder that all shards are in.
        size: Bytes.
        modified: Time of the last change, ns, 0 where it is not known.
    """

    path: str
    short: bytes
    size: int
    modified: int


def find_shards(pattern: str, name: str) -> list[Shard]:
    """The files that a pattern names.

    Args:
        pattern: Path with `*`, `?`, `[...]`, `{000..010}` or `{a,b}`, or without.
        name: The source as the user gave it, for messages.

    Returns:
        List of `Shard`, sorted by path.

    Raises:
        InputError: A path without a file, a folder, or a place that cannot be
            looked at.
    """
    try:
        parts = expand_braces(pattern) or [pattern]
        paths = sorted({path for part in parts for path in _matches(part, name)})
        folder = os.path.dirname(os.path.commonprefix(paths))
        return [_shard(path, folder) for path in paths]
    except tf.errors.OpError as error:
        raise InputError(
            f"cannot look for {pattern!r} of {name!r}: {one_line(error)}; give a place that "
            "TensorFlow can read here"
        ) from error


def fingerprint(shards: Iterable[Shard]) -> str:
    """Hex digest of names, sizes and times: changes when any file does."""
    digest = hashlib.sha256()
    for shard in shards:
        digest.update(b"%s\0%d\0%d\n" % (shard.short, shard.size, shard.modified))
    return digest.hexdigest()


def expand_braces(pattern: str) -> list[str]:
    """`a{08..10}` as a08, a09, a10 and `{x,y}z` as xz, yz; a list of str."""
    match = _BRACES.search(pattern)
    if not match:
        return [pattern]
    first, last, words = match.groups()
    if words is None:
        numbers = range(int(first), int(last) + 1)
        choices = [f"{number:0{len(first)}d}" for number in numbers]
    else:
        choices = words.split(",")
    head, tail = pattern[: match.start()], pattern[match.end() :]
    return [path for choice in choices for path in expand_braces(head + choice + tail)]


def _matches(path: str, name: str) -> list[str]:
    # A file of just this name comes first, so brackets in it are no pattern.
    found = [path] if tf.io.gfile.exists(path) else tf.io.gfile.glob(path)
    files = [file for file in found if not tf.io.gfile.isdir(file)]
    if files:
        return files
    what = f"the folder {path!r}" if found else f"no file: there is no {path!r}"
    raise InputError(
        f"{name!r} names {what}; give files, as a path, with * (such as "
        f"{os.path.join(path if found else 'shards', '*')!r}) or with {{000..010}}"
    )


def _shard(path: str, folder: str) -> Shard:
    status = tf.io.gfile.stat(path)
    short = os.fsencode(path[len(folder) :].lstrip("/"))
    return Shard(path, short, status.length, status.mtime_nsec)
