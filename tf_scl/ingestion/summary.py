"""What an ingestion leaves behind: the names of its splits and files, and the counts of all images.

Needs no Beam, unlike `tf_scl.ingestion.ingest`.
"""

import collections
import dataclasses
import itertools
import json
import os
from collections.abc import Mapping

import tensorflow as tf

from tf_scl.data import features
from tf_scl.data.input_pipeline import open_records, record_files
from tf_scl.dataclass_json import from_plain
from tf_scl.files import printable

SPLITS = ("train", "eval")
REJECTED_FILE = "rejected.jsonl"
SUMMARY_FILE = "summary.json"
DUPLICATE = "duplicate"  # a reason, as those of `check_image`


@dataclasses.dataclass(frozen=True)
class IngestSummary:
    """What became of the images.

    Attributes:
        source: Str, the source as the user gave it.
        files: Number of images (files, records, rows, ...) in it.
        kept: Dict from split to number of records.
        rejected: Dict from reason to number of images.
        classes: Dict from class name to number of records, over both splits,
            in the order of the labels. Empty where there are no labels.
        gray: Number of records of gray files (one channel).
    """

    source: str
    files: int
    kept: dict[str, int]
    rejected: dict[str, int]
    classes: dict[str, int]
    gray: int = 0


@dataclasses.dataclass(frozen=True)
class RejectedImage:
    """An image that could not be used, a line of `rejected.jsonl`.

    Attributes:
        file: Str, its name by `os.fsdecode`.
        reason: Str.
        detail: Str, for people.
        same_as: Of a duplicate, the name of the image of the same content that was kept; else
            None.
    """

    file: str
    reason: str
    detail: str
    same_as: str | None = None


def read_rejected(folder: str | os.PathLike[str], first: int | None = None) -> list[RejectedImage]:
    """Reads which images of an ingestion were rejected.

    Args:
        folder: `report_dir` of `tf_scl.ingestion.ingest.ingest`, local or remote.
        first: How many at most; None for all.

    Raises:
        InputError: A line that is damaged.
    """
    path = os.path.join(folder, REJECTED_FILE)
    with tf.io.gfile.GFile(path) as lines:
        found = [json.loads(line) for line in itertools.islice(lines, first)]
    return list(from_plain(tuple[RejectedImage, ...], found, path))


def describe(summary: IngestSummary) -> str:
    """The counts as one sentence for people."""
    kept = sum(summary.kept.values())
    splits = ", ".join(f"{summary.kept[split]:,} {split}" for split in SPLITS)
    text = f"{summary.files:,} found: {kept:,} kept ({splits})"
    rejected = sum(summary.rejected.values())
    reasons = describe_reasons(summary.rejected)
    return f"{text}, {rejected:,} rejected" + (f" ({reasons})" if reasons else "")


def describe_gray(summary: IngestSummary) -> str | None:
    """That all images are gray, and what to do about it, as a sentence; or None."""
    kept = sum(summary.kept.values())
    if not kept or summary.gray < kept:
        return None
    return f"all {kept:,} images are gray, for which model.channels 1 is enough"


def describe_reasons(rejected: Mapping[str, int]) -> str:
    """A dict from reason to number of images as text, "4 duplicate; 30 not an image"."""
    return "; ".join(f"{count:,} {reason}" for reason, count in sorted(rejected.items()))


def count_reasons(path: str) -> dict[str, int]:
    """Dict from reason to number of images, sorted, of a list of rejected images, JSON lines."""
    with tf.io.gfile.GFile(path) as lines:
        reasons = collections.Counter(json.loads(line)["reason"] for line in lines)
    return dict(sorted(reasons.items()))


def count_written(
    source: str, files: int, split_dirs: Mapping[str, str], report_dir: str
) -> IngestSummary:
    """Reads all that was written again, and compares it with what was listed.

    Args:
        source: Str, the source as the user gave it.
        files: Int, number of images in it.
        split_dirs: Dict from split to the folder of its record files.
        report_dir: Folder of `REJECTED_FILE`.

    Returns:
        `IngestSummary`.

    Raises:
        RuntimeError: The records and the rejected images are not `files` together.
    """
    kept: dict[str, int] = {}
    classes: collections.Counter[tuple[int, bytes]] = collections.Counter()
    gray = 0
    for split, directory in split_dirs.items():
        kept[split] = 0
        for batch in open_records(record_files(directory)).batch(1024):
            kept[split] += len(batch)
            gray += int((features.parse_channels(batch).numpy() == 1).sum())
            _, labels, names = features.parse_labeled(batch)
            labeled = zip(labels.numpy().tolist(), names.numpy(), strict=True)
            classes.update(pair for pair in labeled if pair[0] != features.NO_LABEL)
    rejected = count_reasons(os.path.join(report_dir, REJECTED_FILE))
    accounted = sum(kept.values()) + sum(rejected.values())
    if accounted != files:
        raise RuntimeError(
            f"{files} images were listed but {accounted} were written or rejected: the Beam "
            "runner lost or repeated some, or the source changed meanwhile. Run it again, or use "
            "another runner (beam_pipeline_args)"
        )
    by_class: collections.Counter[str] = collections.Counter()
    for (_, name), count in sorted(classes.items()):
        by_class[printable(name)] += count
    return IngestSummary(source, files, kept, rejected, dict(by_class), gray)
