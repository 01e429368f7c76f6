"""Labels of a file given to the images of records, by name."""

import collections
import dataclasses
import json
import os
from collections.abc import Sequence

import tensorflow as tf

from tf_scl.data import features
from tf_scl.data.input_pipeline import open_records
from tf_scl.errors import InputError
from tf_scl.ingestion.summary import REJECTED_FILE
from tf_scl.labels.labels_file import LabelRow, LabelsFile

_SHOWN = 3  # lines that a message names


@dataclasses.dataclass(frozen=True)
class ImageLabels:
    """The labels of some images of a source, where not the records hold them.

    Attributes:
        classes: Tuple of str, sorted; the index of each is the label.
        labels: Dict from the name of an image (text by `os.fsdecode`) to the name of its class.
        rejected: Dict from reason to the number of labeled images that the ingestion rejected.
    """

    classes: tuple[str, ...]
    labels: dict[str, str]
    rejected: dict[str, int]

    def of(self, filename: bytes) -> int:
        """The label of an image, or `features.NO_LABEL`."""
        name = self.labels.get(os.fsdecode(filename))
        return features.NO_LABEL if name is None else self.classes.index(name)


def join_labels(
    file: LabelsFile, files: Sequence[str], report_dir: str, source: str
) -> ImageLabels:
    """Finds the images that a file of labels names.

    Args:
        file: `LabelsFile`.
        files: List of TFRecord paths, of all splits.
        report_dir: Folder of the ingestion's `rejected.jsonl`.
        source: Str, the source of the images, for messages.

    Returns:
        `ImageLabels`.

    Raises:
        InputError: A line names no image of the source; or the images that were not rejected
            are of one class only. The message names the lines.
    """
    rejected = _rejected(report_dir)
    names = _filenames(files)
    strangers = [row for row in file.rows if row.filename not in names | rejected.keys()]
    if strangers:
        raise _error(file, f"{_lines(strangers)}, but {source!r} has no such image{_hint(names)}")
    kept = [row for row in file.rows if row.filename in names]
    dropped = [row for row in file.rows if row.filename not in names]
    classes = sorted({row.label for row in kept})
    if len(classes) < 2:
        raise _error(
            file,
            f"of {len(file.rows)} labeled images only {len(kept)} can be used, of "
            f"{len(classes)} class(es): {_lines(dropped)}, which the ingestion rejected: "
            f"{rejected[dropped[0].filename]}; label other images",
        )
    reasons = collections.Counter(rejected[row.filename] for row in dropped)
    labels = {row.filename: row.label for row in kept}
    return ImageLabels(tuple(classes), labels, dict(sorted(reasons.items())))


def _filenames(files: Sequence[str]) -> set[str]:
    spec = {features.FILENAME: tf.io.FixedLenFeature([], tf.string)}
    found: set[str] = set()
    for batch in open_records(files).batch(1024):
        found.update(map(os.fsdecode, tf.io.parse_example(batch, spec)[features.FILENAME].numpy()))
    return found


def _rejected(report_dir: str) -> dict[str, str]:
    """Dict from the name of an image that was rejected to the reason."""
    with tf.io.gfile.GFile(os.path.join(report_dir, REJECTED_FILE)) as lines:
        entries = [json.loads(line) for line in lines]
    return {entry["file"]: entry["reason"] for entry in entries}


def _lines(rows: Sequence[LabelRow]) -> str:
    """The first of some lines, as in "line 2 names 'a.png', line 7 names 'b.png'"."""
    shown = ", ".join(f"line {row.line} names {row.filename!r}" for row in rows[:_SHOWN])
    more = len(rows) - _SHOWN
    return shown + (f" and so do {more:,} more lines" if more > 0 else "")


def _hint(names: set[str]) -> str:
    example = min(names, default=None)
    if example is None:
        return ""
    return f"; name images as it does, for example {example!r}"


def _error(file: LabelsFile, text: str) -> InputError:
    return InputError(f"labels file {file.path!r}: {text}", setting="labels")
