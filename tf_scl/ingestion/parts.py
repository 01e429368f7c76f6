"""Records on their way from the workers that made them to their shards: part files.

A Beam runner carries what goes from one step to the next through its own
process or memory. Here the records take the way over the file system of the
output, and the runner carries only where they are.

A part file has a name that no other has, is written by one worker in one go
and never changed. One that nothing refers to, be it of a worker that died or
of work that was done twice, is never read.

The records are plain bytes, each field with its length before it. Reading a
part runs nothing that is in it, unlike a pickle.
"""

import concurrent.futures
import contextlib
import dataclasses
import itertools
import logging
import os
import struct
import uuid
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import tensorflow as tf

from tf_scl.typing import PathLike

_log = logging.getLogger(__name__)
_READERS = 16  # at a time: where a file is remote, opening one is mostly waiting
_LENGTHS = struct.Struct("<4Q")  # before each record, of its fields


class Record(NamedTuple):
    """An image on its way. Records sort by the hash first, and then by the name.

    Attributes:
        sha256: Bytes, the hex digest of the image's content.
        name: Bytes, the name of the item in its source.
        class_name: Bytes, empty where there is no class.
        example: Bytes, what is written to the shard.
    """

    sha256: bytes
    name: bytes
    class_name: bytes
    example: bytes


@dataclasses.dataclass(frozen=True)
class PartSlice:
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


def write_part(folder: str, shards: Mapping[Any, Iterable[Record]]) -> list[tuple[Any, PartSlice]]:
    """Writes a part file, which is complete when this returns.

    Args:
        folder: Of `parts_folder`.
        shards: Dict from a shard, of any type, to its `Record`s.

    Returns:
        List of (shard, `PartSlice`).
    """
    path, offset, chunks = os.path.join(folder, uuid.uuid4().hex), 0, []
    with tf.io.gfile.GFile(path, "wb") as file:
        for shard, records in shards.items():
            data = b"".join(_pack(records))
            file.write(data)
            chunks.append((shard, PartSlice(path, offset, len(data))))
            offset += len(data)
    return chunks


def read_chunks(chunks: Iterable[PartSlice]) -> list[Record]:
    """All records of some chunks, as one list.

    Args:
        chunks: Iterable of `PartSlice`.

    Raises:
        RuntimeError: A part file that ends too early, or holds something else.
    """
    with concurrent.futures.ThreadPoolExecutor(_READERS) as pool:
        return list(itertools.chain.from_iterable(pool.map(_read, chunks)))


def _pack(records: Iterable[Record]) -> Iterator[bytes]:
    for record in records:
        yield _LENGTHS.pack(*map(len, record))
        yield from record


def _read(chunk: PartSlice) -> list[Record]:
    with tf.io.gfile.GFile(chunk.path, "rb") as file:
        file.seek(chunk.offset)
        data = file.read(chunk.length)
    records, end = [], 0
    while end + _LENGTHS.size <= len(data):
        sha256, name, class_name, example = _LENGTHS.unpack_from(data, end)
        a = end + _LENGTHS.size
        b = a + sha256
        c = b + name
        d = c + class_name
        end = d + example
        records.append(Record(data[a:b], data[b:c], data[c:d], data[d:end]))
    if not end == len(data) == chunk.length:
        raise RuntimeError(
            f"{chunk.path!r} does not hold {chunk.length} bytes of records from byte "
            f"{chunk.offset} on: it was cut short or changed. Run the ingestion again"
        )
    return records
