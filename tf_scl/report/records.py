"""What a report shows of record files: names of classes, and images small enough for a page."""

import base64
import io
import os
from collections.abc import Iterable, Sequence

import numpy as np
import PIL.Image
import tensorflow as tf

from tf_scl.data import features
from tf_scl.data.input_pipeline import open_records
from tf_scl.errors import InputError
from tf_scl.files import printable
from tf_scl.labels.joined import ImageLabels
from tf_scl.report.facts import Thumbnail
from tf_scl.typing import Array

_SIDE = 72  # pixels, the largest of a thumbnail


def read_class_names(files: Sequence[str]) -> list[str]:
    """Reads the names of the classes in record files; their index is the label.

    Args:
        files: List of TFRecord paths (`tf_scl.data.features`), of all splits.

    Returns:
        List of str, empty where no image has a label. A label below the
        largest that no record has is called "class 7".
    """
    names: dict[int, bytes] = {}
    for batch in open_records(files).batch(1024):
        _, labels, texts = features.parse_labeled(batch)
        names.update(zip(labels.numpy().tolist(), texts.numpy().tolist(), strict=True))
    names.pop(features.NO_LABEL, None)
    return [
        printable(names[label]) if label in names else f"class {label}"
        for label in range(max(names, default=-1) + 1)
    ]


def median_short_side(files: Sequence[str]) -> int:
    """The median of the shorter side of the images in record files, int, pixels."""
    spec = {name: tf.io.FixedLenFeature([], tf.int64) for name in (features.HEIGHT, features.WIDTH)}
    sides = []
    for batch in open_records(files).batch(1024):
        parsed = tf.io.parse_example(batch, spec)
        sides.append(tf.minimum(*parsed.values()).numpy())
    return int(np.median(np.concatenate(sides)))


def read_thumbnails(
    files: Sequence[str], rows: Iterable[int], given: ImageLabels | None = None
) -> dict[int, Thumbnail]:
    """Reads some images of record files.

    Args:
        files: List of TFRecord paths.
        rows: Iterable of ints, places in the order of files and records.
        given: `ImageLabels` that take the place of those in the records, or None.

    Returns:
        Dict from row to its image.

    Raises:
        InputError: A row that the files do not have.
    """
    wanted = {int(row) for row in rows}
    spec = {
        features.ENCODED: tf.io.FixedLenFeature([], tf.string),
        features.FILENAME: tf.io.FixedLenFeature([], tf.string, ""),
        features.CLASS: tf.io.FixedLenFeature([], tf.string, ""),
    }
    found = {}
    records = open_records(files).take(max(wanted, default=-1) + 1)
    for row, record in enumerate(records.as_numpy_iterator()):
        if row in wanted:
            parsed = tf.io.parse_single_example(record, spec)
            with PIL.Image.open(io.BytesIO(parsed[features.ENCODED].numpy())) as image:
                shown = thumbnail(image)
            name, label = (
                printable(parsed[key].numpy()) for key in (features.FILENAME, features.CLASS)
            )
            if given is not None:
                label = given.labels.get(os.fsdecode(parsed[features.FILENAME].numpy()), "")
            found[row] = Thumbnail(shown, name, label or None)
    if len(found) < len(wanted):
        raise InputError(
            f"record {max(wanted)} is asked for, but {files[:1]} and the other files of it hold "
            "fewer; give the files that the features are of"
        )
    return found


def thumbnail(image: PIL.Image.Image | Array) -> str:
    """Makes a small copy of an image.

    Args:
        image: `PIL.Image.Image`, or uint8 [H, W], [H, W, 1] or [H, W, 3].

    Returns:
        Str, a PNG of at most 72 x 72 pixels as data URI.
    """
    if not isinstance(image, PIL.Image.Image):
        pixels = np.asarray(image, np.uint8)
        image = PIL.Image.fromarray(pixels[..., 0] if pixels.shape[2:] == (1,) else pixels)
    small = image.convert("L" if image.mode in ("1", "L") else "RGB")
    small.thumbnail((_SIDE, _SIDE))
    buffer = io.BytesIO()
    small.save(buffer, "PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"
