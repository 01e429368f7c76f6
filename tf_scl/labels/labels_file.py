"""Labels of some images in a CSV file, `filename,label`.

    filename,label
    2024/IMG_0001.jpg,glass
    2024/IMG_0002.jpg,paper

A filename is what the source calls the image, as `rejected.jsonl` and `tf-scl embed` do too: the
path below the image folder; SHARD/KEY of a tar, the key without the suffix; FILE:NUMBER of a
TFRecord file.
"""

import csv
import dataclasses
import hashlib
import io
import os
import posixpath
from collections.abc import Iterator
from typing import Any

from tf_scl.errors import InputError, file_reason
from tf_scl.files import read_file
from tf_scl.typing import PathLike

FOLDERS = "folders"  # in place of a file: the labels are those that the source has
COLUMNS = ("filename", "label")
_EXAMPLE = "begin the file with the line 'filename,label'"


@dataclasses.dataclass(frozen=True)
class LabelRow:
    """The label of one image.

    Attributes:
        line: Int from 1, where it stands in the file.
        filename: Str, the name of the image in its source.
        label: Str, the name of its class.
    """

    line: int
    filename: str
    label: str


@dataclasses.dataclass(frozen=True)
class LabelsFile:
    """All labels of a file.

    Attributes:
        path: Str, as it was given.
        rows: Tuple of `LabelRow`, in the order of the file; no filename twice.
    """

    path: str
    rows: tuple[LabelRow, ...]

    @property
    def classes(self) -> list[str]:
        """The names of the classes, sorted, at least two; the index of each is its label."""
        return sorted({row.label for row in self.rows})


def read_labels_file(path: PathLike, classes: int = 2) -> LabelsFile:
    """Reads and checks a file of labels.

    Spaces around a value do not count, nor do empty lines, the order of the columns, a byte
    order mark, and "./" before a filename.

    Args:
        path: Path of a CSV file in UTF-8, local or of any file system that `tf.io.gfile` knows.
        classes: Int, 1 or 2, of how many there must be labels; a classifier needs two.

    Returns:
        `LabelsFile`.

    Raises:
        InputError: The file cannot be read or is not UTF-8; columns are missing or unknown; a
            line has another number of values, or an empty one; an image is labeled twice; or
            there are labels of fewer classes. The message names the line.
    """
    path = os.fspath(path)
    lines = csv.reader(io.StringIO(_text(path), newline=""), strict=True)
    rows: dict[str, LabelRow] = {}
    for row in _rows(path, lines):
        first = rows.setdefault(row.filename, row)
        if first is not row:
            raise _error(
                path, f"lines {first.line} and {row.line} both label {row.filename!r}; keep one"
            )
    found = LabelsFile(path, tuple(rows.values()))
    if not rows:
        raise _error(path, "no image is labeled; add a line for each image that has a label")
    if len(found.classes) < classes:
        raise _error(
            path,
            f"all {len(rows)} labels are {found.classes[0]!r}; a classifier needs images of two "
            "classes at least",
        )
    return found


def labels_digest(labels: str) -> str:
    """SHA-256 of a file of labels, hex; "" for `FOLDERS`.

    Raises:
        InputError: The file cannot be read.
    """
    return "" if labels == FOLDERS else hashlib.sha256(_content(labels)).hexdigest()


def normalized(filename: str) -> str:
    """A filename by which a line and an image are compared: "./a//b.png" is "a/b.png"."""
    return posixpath.normpath(filename)


def _text(path: str) -> str:
    try:
        return _content(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise _error(path, f"line {line} is not UTF-8; save the file as CSV in UTF-8") from error


def _content(path: str) -> bytes:
    try:
        return read_file(path)
    except Exception as error:  # of the disk, or of a remote file system
        raise _error(path, f"cannot be read: {file_reason(error)}; give a CSV file") from error


def _rows(path: str, lines: Any) -> Iterator[LabelRow]:
    places = None
    try:
        for values in lines:
            values = [value.strip() for value in values]
            if not any(values):
                continue
            if places is None:
                places = _places(path, values)
                continue
            yield _row(path, lines.line_num, values, places)
    except csv.Error as error:
        raise _error(path, f"line {lines.line_num}: {error}; quotes must be closed") from error
    if places is None:
        raise _error(path, f"it is empty; {_EXAMPLE}")


def _places(path: str, names: list[str]) -> tuple[int, int]:
    """The columns of filename and label."""
    names = [name.lower() for name in names]
    if len(names) == 1 and any(mark in names[0] for mark in ";\t"):
        raise _error(path, f"values must be parted by commas. The first line is {names[0]!r}")
    missing = [name for name in COLUMNS if name not in names]
    unknown = [name for name in names if name not in COLUMNS]
    if missing or unknown or len(names) > len(COLUMNS):
        raise _error(
            path,
            f"the columns must be {' and '.join(COLUMNS)}. The first line names "
            f"{', '.join(map(repr, names))}; "
            + (_EXAMPLE if missing else "leave out the other columns"),
        )
    return names.index(COLUMNS[0]), names.index(COLUMNS[1])


def _row(path: str, line: int, values: list[str], places: tuple[int, int]) -> LabelRow:
    if len(values) != len(COLUMNS):
        raise _error(
            path,
            f"line {line} has {len(values)} values, not {len(COLUMNS)}; put a value that holds a "
            'comma in "quotes"',
        )
    filename, label = (values[place] for place in places)
    for name, value in zip(COLUMNS, (filename, label), strict=True):
        if not value:
            raise _error(path, f"line {line} has no {name}; add it or delete the line")
    return LabelRow(line, normalized(filename), label)


def _error(path: str, text: str) -> InputError:
    return InputError(f"labels file {path!r}: {text}", setting="labels")
