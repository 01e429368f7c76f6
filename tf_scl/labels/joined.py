"""Labels of a file given to the images of records, by name."""

import collections
import dataclasses
import os
import unicodedata
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import tensorflow as tf

from tf_scl.data import features
from tf_scl.data.input_pipeline import open_records
from tf_scl.errors import InputError
from tf_scl.files import printable
from tf_scl.images.decode import decode_batch
from tf_scl.ingestion.summary import describe_reasons, read_rejected
from tf_scl.labels.labels_file import LabelRow, LabelsFile, normalized
from tf_scl.typing import Array

_SHOWN = 3  # lines that a message names
_CLASSES_SHOWN = 10
_DECODED, _NAMES = 256, 1024  # at a time


@dataclasses.dataclass(frozen=True)
class ImageLabels:
    """The labels of some images of a source.

    Attributes:
        classes: Tuple of str, sorted; the index of each is the label.
        labels: Dict from the name of an image (text by `os.fsdecode`) to the name of its class.
        rejected: Dict from reason to the number of labeled images that the ingestion rejected;
            a duplicate is none of them, its label is that of the image that was kept.
    """

    classes: tuple[str, ...]
    labels: dict[str, str]
    rejected: dict[str, int]

    def of(self, filenames: Array) -> Array:
        """The labels of images, int64 [N], `features.NO_LABEL` where there is none.

        Args:
            filenames: Array of N bytes, as records hold them.
        """
        numbers = {name: number for number, name in enumerate(self.classes)}
        classes = (self.labels.get(os.fsdecode(name)) for name in filenames.tolist())
        return np.array(
            [features.NO_LABEL if name is None else numbers[name] for name in classes], np.int64
        )


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
        InputError: A line names no image of the source; lines of duplicates differ; or the
            images that were not rejected are of one class only. The message names the lines.
    """
    names = _filenames(files)
    rejected = {normalized(image.file): image for image in read_rejected(report_dir)}
    file = _by_known_names(file, {**names, **rejected})
    twins = {name: image.same_as for name, image in rejected.items() if image.same_as}
    kept = {**twins, **names}  # a duplicate's label is that of the image that was kept
    strangers = [row for row in file.rows if row.filename not in kept.keys() | rejected.keys()]
    if strangers:
        raise _error(
            file, f"{_lines(strangers)}, but {source!r} has no such image{_hint(names.values())}"
        )
    dropped = [row for row in file.rows if row.filename not in kept]
    labels = _one_each(file, kept)
    classes = sorted(set(labels.values()))
    reasons = collections.Counter(rejected[row.filename].reason for row in dropped)
    if len(classes) < 2:
        raise _error(
            file,
            f"of {len(file.rows)} labeled images only {len(file.rows) - len(dropped)} can be "
            f"used, of {len(classes)} class(es): {_lines(dropped)}, which the ingestion rejected: "
            f"{rejected[dropped[0].filename].reason}; label other images",
        )
    return ImageLabels(tuple(classes), labels, dict(sorted(reasons.items())))


def _by_known_names(file: LabelsFile, known: Iterable[str]) -> LabelsFile:
    """The labels by names as images have them, where the file spells these in another way.

    What is not UTF-8 in a name is escaped by all that writes names for people, as `tf-scl suggest`
    does; and an accent is a letter of its own or not, as the system has it that wrote the name.
    """
    known = set(known)
    by_spelling = {_spelling(name): name for name in sorted(known)}
    rows = (
        row
        if row.filename in known
        else dataclasses.replace(
            row, filename=by_spelling.get(_spelling(row.filename), row.filename)
        )
        for row in file.rows
    )
    return dataclasses.replace(file, rows=tuple(rows))


def _spelling(name: str) -> str:
    return unicodedata.normalize("NFC", printable(os.fsencode(name)))


def _one_each(file: LabelsFile, kept: Mapping[str, str]) -> dict[str, str]:
    """From the name of an image to its label, where the lines of its duplicates agree."""
    given: dict[str, LabelRow] = {}
    for row in file.rows:
        if row.filename not in kept:
            continue
        first = given.setdefault(kept[row.filename], row)
        if first.label != row.label:
            raise _error(
                file,
                f"line {first.line} gives {first.filename!r} the label {first.label!r} and line "
                f"{row.line} gives {row.filename!r} the label {row.label!r}, and both are the "
                "same image; keep the line that is right",
            )
    return {name: row.label for name, row in given.items()}


def labels_of_records(files: Sequence[str]) -> ImageLabels:
    """The labels that records hold, such as those of class folders.

    Args:
        files: List of TFRecord paths, of all splits.

    Returns:
        `ImageLabels`; an image without the name of its class has the label as one.

    Raises:
        InputError: Images of fewer than two classes.
    """
    labels: dict[str, str] = {}
    for batch in open_records(files).batch(1024):
        _, numbers, names = features.parse_labeled(batch)
        rows = zip(
            features.parse_filenames(batch).numpy(), numbers.numpy(), names.numpy(), strict=True
        )
        labels |= {
            os.fsdecode(filename): printable(name) or str(number)
            for filename, number, name in rows
            if number != features.NO_LABEL
        }
    classes = sorted(set(labels.values()))
    if len(classes) < 2:
        raise InputError(
            f"a classifier needs images of two classes at least, and the source has "
            f"{len(labels):,} labeled images of {len(classes)}: put images into a folder for each "
            "class, or give a file of labels",
            setting="labels",
        )
    return ImageLabels(tuple(classes), labels, {})


def read_labeled_images(
    files: Sequence[str], labels: ImageLabels, size: int, channels: int
) -> tuple[Array, Array]:
    """Reads the images that have a label.

    Args:
        files: List of TFRecord paths.
        labels: `ImageLabels`.
        size: Int, side in pixels that images are brought to.
        channels: 1 or 3.

    Returns:
        (images, numbers): uint8 [N, size, size, channels] and int64 [N], in file order.
    """
    given = labels_in(files, labels)
    numbers = given[given >= 0]
    images, at = np.empty((len(numbers), size, size, channels), np.uint8), 0
    rows = tf.data.Dataset.from_tensor_slices(given >= 0)
    labeled = tf.data.Dataset.zip(open_records(files), rows).filter(lambda _, has_label: has_label)
    for batch, _ in labeled.batch(_DECODED):
        part = decode_batch(features.parse_encoded(batch), size, channels).numpy()
        images[at : at + len(part)] = part
        at += len(part)
    return images, numbers


def labels_in(files: Sequence[str], labels: ImageLabels) -> Array:
    """The labels of the images of record files, int64 [N], `features.NO_LABEL` for none."""
    found = [np.zeros(0, np.int64)]
    for batch in open_records(files).batch(_NAMES):
        found.append(labels.of(features.parse_filenames(batch).numpy()))
    return np.concatenate(found)


def require_per_class(labels: ImageLabels, train_files: Sequence[str], least: int) -> None:
    """Raises InputError for a class with too few labeled images to learn from.

    Args:
        labels: `ImageLabels`.
        train_files: TFRecord paths of the training split.
        least: Int, images that each class must have there.
    """
    given = labels_in(train_files, labels)
    counts = np.bincount(given[given >= 0], minlength=len(labels.classes))
    for name, count in zip(labels.classes, counts.tolist(), strict=True):
        if count < least:
            whole = sum(one == name for one in labels.labels.values())
            raise InputError(
                f"the class {name!r} has {whole} labeled image(s), of which {whole - count} are "
                f"kept for evaluation: {least} are needed to learn from. Label more images of it, "
                "or leave the class out",
                setting="labels",
            )


def describe(labels: ImageLabels) -> str:
    """The counts as one sentence for people."""
    counts = collections.Counter(labels.labels.values())
    shown = ", ".join(f"{counts[name]:,} {name}" for name in labels.classes[:_CLASSES_SHOWN])
    more = len(labels.classes) - _CLASSES_SHOWN
    text = f"{len(labels.labels):,} labeled images of {len(labels.classes)} classes ({shown}"
    text += f" and {more} classes more)" if more > 0 else ")"
    rejected = sum(labels.rejected.values())
    if rejected:
        text += f"; {rejected:,} more were rejected ({describe_reasons(labels.rejected)})"
    return text


def _filenames(files: Sequence[str]) -> dict[str, str]:
    """From the name of an image as `normalized` to its name as it is."""
    found: dict[str, str] = {}
    for batch in open_records(files).batch(1024):
        names = map(os.fsdecode, features.parse_filenames(batch).numpy())
        found |= {normalized(name): name for name in names}
    return found


def _lines(rows: Sequence[LabelRow]) -> str:
    """The first of some lines, as in "line 2 names 'a.png', line 7 names 'b.png'"."""
    shown = ", ".join(f"line {row.line} names {row.filename!r}" for row in rows[:_SHOWN])
    more = len(rows) - _SHOWN
    return shown + (f" and so do {more:,} more lines" if more > 0 else "")


def _hint(names: Iterable[str]) -> str:
    example = min(names, default=None)
    if example is None:
        return ""
    return f"; name images as it does, for example {printable(os.fsencode(example))!r}"


def _error(file: LabelsFile, text: str) -> InputError:
    return InputError(f"labels file {file.path!r}: {text}", setting="labels")
