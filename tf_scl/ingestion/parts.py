"""Records on their way from the workers that made them to their shards: part files.

A Beam runner carries what goes from one step to the next through its own
process or memory. Here the records take the way over the file system of the
output, and the runner carries only where they are.

A part file has a name that no other has, is written by one worker in one go
and never changed. One that nothing refers to, be it of a worker that died or
of work that was done twice, is never read.
"""

import concurrent.futures
import contextlib
import dataclasses
import itertools
import logging
import os
import pickle
import uuid
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import tensorflow as tf

from tf_scl.typing import PathLike

_log = logging.getLogger(__name__)
_READERS = 16  # at a time: where a file is remote, opening one is mostly waiting


@dataclasses.dataclass(frozen=True)
class Chunk:
    """The records of one shard in a part file.

    Attributes:
        path: Str, the part file.
        offset, length: Ints, bytes.
    """

    path: str
    offset: int
    length: int


@contextlib.contextmanager
def parts_folder(path: PathLike) -> Iterator[str]:
    """A new folder beside a path, which is deleted with all that is in it, come what may.

    Only a process that is killed leaves its folder, `PATH-*.partial`, behind.

    Args:
        path: Path, local or of any file system that `tf.io.gfile` knows.

    Yields:
        Str, the folder.
    """
    folder = f"{os.fspath(path).rstrip('/')}-{uuid.uuid4().hex}.partial"
    tf.io.gfile.makedirs(folder)
    try:
        yield folder
    finally:
        try:
            tf.io.gfile.rmtree(folder)
        except (OSError, tf.errors.OpError) as error:
            _log.warning("%r is of no use any more, but cannot be deleted: %s", folder, error)


def write_part(folder: str, shards: Mapping[Any, list[Any]]) -> list[tuple[Any, Chunk]]:
    """Writes a part file, which is complete when this returns.

    Args:
        folder: Of `parts_folder`.
        shards: Dict from a shard, of any type, to its records: a list of
            anything that can be pickled.

    Returns:
        List of (shard, `Chunk`).
    """
    path, offset, chunks = os.path.join(folder, uuid.uuid4().hex), 0, []
    with tf.io.gfile.GFile(path, "wb") as file:
        for shard, records in shards.items():
            data = pickle.dumps(records)
            file.write(data)
            chunks.append((shard, Chunk(path, offset, len(data))))
            offset += len(data)
    return chunks


def read_chunks(chunks: Iterable[Chunk]) -> list[Any]:
    """All records of some chunks, as one list.

    Args:
        chunks: Iterable of `Chunk`.
    """
    with concurrent.futures.ThreadPoolExecutor(_READERS) as pool:
        return list(itertools.chain.from_iterable(pool.map(_read, chunks)))


def _read(chunk: Chunk) -> list[Any]:
    with tf.io.gfile.GFile(chunk.path, "rb") as file:
        file.seek(chunk.offset)
        return pickle.loads(file.read(chunk.length))
