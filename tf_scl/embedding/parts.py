"""The parts of a collection's embeddings, files that are whole or not there, and what they become.

While a collection is embedded, OUT.parts holds `key.json`, which says what it
is made of, and a file for each part that is done. In the end they are joined
into OUT, one Parquet file, and OUT.rejected.jsonl.
"""

import contextlib
import io
import json
import os
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import tensorflow as tf

from tf_scl.embedding.rows import Row
from tf_scl.errors import InputError, file_reason
from tf_scl.files import write_file
from tf_scl.ingestion.summary import count_reasons

METADATA = b"tf_scl"  # of the Parquet file, a JSON object
_KEY_FILE = "key.json"
_REJECTED = b"tf_scl.rejected"  # of a part
_GROUP_BYTES = 32 * 2**20  # of embeddings in a row group
_JOINED, _JOINED_REJECTED = "joined.parquet", "joined.jsonl"


def rejected_path(out: str) -> str:
    """Where the list of rejected images is: OUT without its suffix, and .rejected.jsonl."""
    return os.path.splitext(out)[0] + ".rejected.jsonl"


def open_folder(folder: str, key: dict[str, str]) -> None:
    """Makes the folder for the parts, or goes on in it.

    Args:
        folder: Path.
        key: Dict of str, what the parts are made of.

    Raises:
        InputError: It cannot be written, or holds something else, such as parts
            that another model made.
    """
    try:
        tf.io.gfile.makedirs(folder)
        names = tf.io.gfile.listdir(folder)
        if not [name for name in names if not name.endswith(".partial")]:
            write_file(os.path.join(folder, _KEY_FILE), json.dumps(key, indent=1))
            return
    except (tf.errors.OpError, OSError) as error:
        raise InputError(
            f"cannot write {folder!r}: {file_reason(error)}; give another file", setting="out"
        ) from error
    found = _read_key(folder)
    different = [name for name in key if not found or found.get(name) != key[name]]
    if different:
        what = "differs from this one in its " + ", ".join(different)
        raise InputError(
            f"{folder!r} is there already, "
            + (f"left by an embedding that {what}" if found else f"without a {_KEY_FILE} of ours")
            + "; delete it to start anew, or give another file",
            setting="out",
        )


def parts_done(folder: str) -> set[int]:
    """The numbers of the parts that are in the folder, a set."""
    stems = (name.partition(".") for name in tf.io.gfile.listdir(folder))
    return {int(stem) for stem, _, suffix in stems if suffix == "parquet" and stem.isdecimal()}


def is_done(folder: str, number: int) -> bool:
    """Whether a part is in the folder."""
    return tf.io.gfile.exists(_path(folder, number))


def write_part(
    folder: str, number: int, rows: Sequence[Row], embeddings: npt.NDArray[np.float32]
) -> None:
    """Writes a part.

    Args:
        folder: Path.
        number: Int.
        rows: List of `tf_scl.embedding.rows.Row`.
        embeddings: float32 [N, D] of those that are not rejected, in their order.
    """
    kept = [row for row in rows if row.problem is None]
    rejected = [
        {"id": row.id, "reason": row.problem[0], "detail": row.problem[1]}
        for row in rows
        if row.problem is not None
    ]
    schema = _schema(embeddings.shape[1]).with_metadata({_REJECTED: json.dumps(rejected)})
    vectors = pa.array(np.ascontiguousarray(embeddings).reshape(-1))
    columns = [
        pa.array([row.id for row in kept], pa.string()),
        pa.array([row.sha256 for row in kept], pa.string()),
        pa.array([row.label for row in kept], pa.int64()),
        pa.array([row.class_name for row in kept], pa.string()),
        pa.FixedSizeListArray.from_arrays(vectors, embeddings.shape[1]),
    ]
    buffer = pa.BufferOutputStream()
    pq.write_table(pa.table(columns, schema=schema), buffer)
    write_file(_path(folder, number), buffer.getvalue().to_pybytes())


def join_parts(
    folder: str, parts: dict[int, int], dimension: int, metadata: dict[str, Any]
) -> None:
    """Joins all parts, in their order, into the two files, which stay in the folder.

    One row group after the other is written, so that the whole need not fit
    into memory.

    Args:
        folder: Path.
        parts: Dict from number to how many items the part holds.
        dimension: Int D.
        metadata: Dict for the Parquet file.

    Raises:
        InputError: The files cannot be written, such as on a full disk.
        RuntimeError: A part that is missing or does not hold what it should.
    """
    try:
        _join(folder, parts, dimension, metadata)
    except (tf.errors.OpError, OSError) as error:
        raise InputError(
            f"cannot write the joined parts in {folder!r}: {file_reason(error)}; make room there "
            "and run the same command again, which keeps the parts"
        ) from error


def _join(folder: str, parts: dict[int, int], dimension: int, metadata: dict[str, Any]) -> None:
    schema = _schema(dimension).with_metadata({METADATA: json.dumps(metadata)})
    rows_per_group = max(1, _GROUP_BYTES // (4 * dimension))
    waiting = []
    with (
        _binary(os.path.join(folder, _JOINED), "wb") as joined,
        tf.io.gfile.GFile(os.path.join(folder, _JOINED_REJECTED), "wb") as rejections,
        pq.ParquetWriter(joined, schema, use_dictionary=["label", "class"]) as writer,
    ):
        for number, items in parts.items():
            table, rejected = _read_part(folder, number, items)
            rejections.write("".join(json.dumps(entry) + "\n" for entry in rejected).encode())
            waiting.append(table)
            if sum(map(len, waiting)) >= rows_per_group:
                writer.write_table(_together(waiting, schema), rows_per_group)
                waiting = []
        if waiting:
            writer.write_table(_together(waiting, schema), rows_per_group)


def count_joined(folder: str) -> tuple[int, dict[str, int]]:
    """Reads the joined files again; see `count_file`."""
    return _count(os.path.join(folder, _JOINED), os.path.join(folder, _JOINED_REJECTED))


def count_file(out: str) -> tuple[int, dict[str, int]]:
    """(number of rows, dict from reason to number of rejected images) of a finished file."""
    return _count(out, rejected_path(out))


def put_in_place(folder: str, out: str) -> None:
    """Renames the joined files, so that OUT appears whole, and last.

    Raises:
        InputError: There is something at OUT by now.
    """
    put_rejected_in_place(folder, out)
    try:
        tf.io.gfile.rename(os.path.join(folder, _JOINED), out)
    except tf.errors.AlreadyExistsError as error:
        raise InputError(
            f"{out!r} has appeared while this ran; move it away and run the same command again"
        ) from error


def put_rejected_in_place(folder: str, out: str) -> None:
    """Renames the joined list of rejected images alone."""
    tf.io.gfile.rename(os.path.join(folder, _JOINED_REJECTED), rejected_path(out), overwrite=True)


def read_file_metadata(out: str) -> dict[str, Any]:
    """The dict that `join_parts` was given, or {} of a file that is another one's."""
    with contextlib.suppress(pa.ArrowInvalid, ValueError), _binary(out, "rb") as file:
        return json.loads((pq.read_schema(file).metadata or {}).get(METADATA, b"{}"))
    return {}


def _schema(dimension: int) -> pa.Schema:
    return pa.schema(
        [
            pa.field("id", pa.string(), nullable=False),
            pa.field("sha256", pa.string(), nullable=False),
            pa.field("label", pa.int64()),
            pa.field("class", pa.string()),
            pa.field("embedding", pa.list_(pa.float32(), dimension), nullable=False),
        ]
    )


def _path(folder: str, number: int) -> str:
    return os.path.join(folder, f"{number:08d}.parquet")


def _read_key(folder: str) -> dict[str, Any]:
    try:
        with tf.io.gfile.GFile(os.path.join(folder, _KEY_FILE), "rb") as file:
            key = json.loads(file.read())
        return key if isinstance(key, dict) else {}
    except (tf.errors.OpError, ValueError):
        return {}


def _read_part(folder: str, number: int, items: int) -> tuple[pa.Table, list[dict[str, str]]]:
    """(table, list of rejections)."""
    path = _path(folder, number)
    again = "run the same command again, which makes it again"
    if not tf.io.gfile.exists(path):
        raise RuntimeError(
            f"the part {path!r} of {items} images is missing: the Beam runner lost it, or its "
            f"workers do not see this folder; {again}, or use another runner"
        )
    try:
        with tf.io.gfile.GFile(path, "rb") as file:
            table = pq.read_table(pa.BufferReader(file.read()))
        rejected = json.loads(table.schema.metadata[_REJECTED])
    except (pa.ArrowException, OSError, ValueError, KeyError) as error:
        raise RuntimeError(f"{path!r} is damaged ({error}); delete it and {again}") from error
    if len(table) + len(rejected) != items:
        raise RuntimeError(
            f"{path!r} should hold {items} images, but {len(table)} are embedded and "
            f"{len(rejected)} rejected; delete it and {again}"
        )
    return table, rejected


def _together(tables: list[pa.Table], schema: pa.Schema) -> pa.Table:
    tables = [table.replace_schema_metadata(schema.metadata) for table in tables]
    return pa.concat_tables(tables).combine_chunks().cast(schema)


def _count(path: str, rejections: str) -> tuple[int, dict[str, int]]:
    with _binary(path, "rb") as file:
        rows = pq.read_metadata(file).num_rows
    return rows, count_reasons(rejections)


@contextlib.contextmanager
def _binary(path: str, mode: str) -> Iterator["_Stream"]:
    """A file of any file system that TensorFlow knows, as pyarrow wants one."""
    with tf.io.gfile.GFile(path, mode) as file, _Stream(file) as stream:
        yield stream


class _Stream(io.RawIOBase):
    """What `tf.io.gfile.GFile` lacks of Python's files."""

    def __init__(self, file: tf.io.gfile.GFile) -> None:
        self._file = file

    def readable(self) -> bool:
        return "r" in self._file.mode

    def writable(self) -> bool:
        return "w" in self._file.mode

    def seekable(self) -> bool:
        return self.readable()

    def read(self, size: int | None = -1) -> bytes:
        return self._file.read(None if size is None or size < 0 else size)

    def write(self, data: Any) -> int:
        self._file.write(bytes(data))
        return len(data)

    def seek(self, offset: int, whence: int = 0) -> int:
        self._file.seek(offset, whence)
        return self._file.tell()

    def tell(self) -> int:
        return self._file.tell()
