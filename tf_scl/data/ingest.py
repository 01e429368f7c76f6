"""The Beam job: from image files to sharded records, with nothing lost on the way.

Every file ends up in exactly one of two places: a record in a split, or a
line in the list of rejected files. What was written is read again and counted
against what was listed.

The only module of the library that needs Apache Beam
(`pip install tf_scl[beam]`).
"""

import collections
import dataclasses
import hashlib
import json
import logging
import math
import os
import stat
import time
import uuid

import apache_beam as beam
import tensorflow as tf

from tf_scl.data import features, image_folder
from tf_scl.data.check_image import UNREADABLE, RejectedImageError, check_image
from tf_scl.data.input_pipeline import record_files
from tf_scl.errors import InputError

SPLITS = ("train", "eval")
REJECTED_FILE = "rejected.jsonl"
SUMMARY_FILE = "summary.json"
MIN_IMAGES_PER_SPLIT = 2

_log = logging.getLogger(__name__)
_REJECTED = "rejected"
_PROGRESS_SECONDS = 5


@dataclasses.dataclass(frozen=True)
class IngestSummary:
    """What became of the files.

    Attributes:
        files: Number of files listed.
        kept: Dict from split to number of records.
        rejected: Dict from reason to number of files.
        classes: Dict from class name to number of records, over both splits.
            Empty for an unlabelled folder.
    """

    files: int
    kept: dict
    rejected: dict
    classes: dict


def ingest_folder(pipeline, folder, config, split_dirs, report_dir):
    """Runs the ingestion of a local image folder to its end.

    Args:
        pipeline: `beam.Pipeline` that has not been entered; any runner whose
            workers see the folder.
        folder: Path of the image folder.
        config: `tf_scl.config.IngestConfig`.
        split_dirs: Dict from split ("train", "eval") to the folder that its
            shards are written to, `data_tfrecord-KKKKK-of-NNNNN`.
        report_dir: Folder for `summary.json` and `rejected.jsonl` (one object
            a line: "file", "reason", "detail").

    Returns:
        `IngestSummary`.

    Raises:
        InputError: A folder that cannot be used, an output folder that is
            not empty, or a split with fewer than two images.
        RuntimeError: The written records do not add up to the listed files.
    """
    files = image_folder.list_images(folder)
    labels = image_folder.class_labels(files)
    _log.info("checking %s files in %s", f"{len(files):,}", folder)
    shards = _shard_counts(files, config)
    for directory in (*split_dirs.values(), report_dir):
        tf.io.gfile.makedirs(directory)
        if tf.io.gfile.listdir(directory):
            raise InputError(f"{directory!r} is not empty; ingest into a new folder")
    with pipeline as p:
        checked = (
            p
            | "Files" >> beam.Create([(file.path, file.class_name) for file in files])
            | "Spread" >> beam.Reshuffle()
            | "Check"
            >> beam.ParDo(
                _Check(os.fsencode(folder), len(files), labels, config, shards)
            ).with_outputs(_REJECTED, main="kept")
        )
        (
            checked.kept
            | "ByShard" >> beam.GroupByKey()
            | "WriteShard" >> beam.ParDo(_WriteShard(split_dirs, shards))
        )
        (
            checked[_REJECTED]
            | "OneList" >> beam.combiners.ToList()
            | "WriteRejected" >> beam.ParDo(_WriteRejected(report_dir))
        )
    summary = _count_written(len(files), split_dirs, report_dir)
    _write_aside(
        os.path.join(report_dir, SUMMARY_FILE),
        json.dumps(dataclasses.asdict(summary), indent=2).encode(),
    )
    _log.info("%s", describe(summary))
    _require_images(summary, folder, config)
    return summary


def split_of(sha256, eval_fraction):
    """The split of an image, from nothing but the hash of its bytes.

    The same image is never in two splits, and new images move no old one.
    """
    return "eval" if int(sha256[:16], 16) < eval_fraction * 2**64 else "train"


def describe(summary):
    """The counts as one sentence for people."""
    kept = sum(summary.kept.values())
    splits = ", ".join(f"{summary.kept[split]:,} {split}" for split in SPLITS)
    text = f"{summary.files:,} files: {kept:,} kept ({splits})"
    rejected = sum(summary.rejected.values())
    reasons = "; ".join(f"{n:,} {reason}" for reason, n in sorted(summary.rejected.items()))
    return f"{text}, {rejected:,} rejected" + (f" ({reasons})" if reasons else "")


def _shard_counts(files, config):
    size = sum(max(file.size, 0) for file in files)
    share = {"train": 1 - config.eval_fraction, "eval": config.eval_fraction}
    target = config.shard_megabytes * 2**20
    return {split: max(1, math.ceil(size * share[split] / target)) for split in SPLITS}


class _Check(beam.DoFn):
    """(path, class name) -> ((split, shard), (sha256, path, example)), or a rejection."""

    def __init__(self, root, files, labels, config, shards):
        self._root = root
        self._files = files
        self._labels = labels
        self._config = config
        self._shards = shards

    def setup(self):
        self._checked, self._told = 0, time.monotonic()

    def process(self, element):
        self._checked += 1
        if time.monotonic() - self._told > _PROGRESS_SECONDS:
            self._told = time.monotonic()
            _log.info("%s of %s files checked", f"{self._checked:,}", f"{self._files:,}")
        path, class_name = element
        try:
            data = _read(os.path.join(self._root, path))
            image = check_image(data, self._config.max_pixels)
        except RejectedImageError as error:
            yield beam.pvalue.TaggedOutput(_REJECTED, (path, error.reason, error.detail))
            return
        sha256 = hashlib.sha256(data).hexdigest()
        split = split_of(sha256, self._config.eval_fraction)
        shard = int(sha256[16:32], 16) % self._shards[split]
        label = self._labels.get(class_name)
        example = features.encode_example(image, path, sha256, label, class_name)
        yield (split, shard), (sha256, path, example)


def _read(path):
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise RejectedImageError(UNREADABLE, "not a regular file")
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise RejectedImageError(UNREADABLE, error.strerror) from error


class _WriteShard(beam.DoFn):
    """Writes one shard, in an order that no runner and no worker count changes."""

    def __init__(self, split_dirs, shards):
        self._split_dirs = split_dirs
        self._shards = shards

    def process(self, element):
        (split, shard), records = element
        name = f"data_tfrecord-{shard:05d}-of-{self._shards[split]:05d}"
        final = os.path.join(self._split_dirs[split], name)
        # Aside is outside the split's folder, whose every file is read as records.
        aside = f"{self._split_dirs[split].rstrip('/')}-{uuid.uuid4().hex}.partial"
        with tf.io.TFRecordWriter(aside) as writer:
            for _, _, example in sorted(records):
                writer.write(example)
        tf.io.gfile.rename(aside, final, overwrite=True)


class _WriteRejected(beam.DoFn):
    def __init__(self, report_dir):
        self._report_dir = report_dir

    def process(self, rejected):
        lines = [
            json.dumps({"file": os.fsdecode(path), "reason": reason, "detail": detail}) + "\n"
            for path, reason, detail in sorted(rejected)
        ]
        _write_aside(os.path.join(self._report_dir, REJECTED_FILE), "".join(lines).encode())


def _write_aside(path, data):
    aside = f"{path}-{uuid.uuid4().hex}.partial"
    with tf.io.gfile.GFile(aside, "wb") as file:
        file.write(data)
    tf.io.gfile.rename(aside, path, overwrite=True)


def _count_written(files, split_dirs, report_dir):
    """Reads everything back, and compares it with what was listed."""
    kept, classes = {}, collections.Counter()
    for split, directory in split_dirs.items():
        kept[split] = 0
        for batch in tf.data.TFRecordDataset(record_files(directory)).batch(1024):
            kept[split] += len(batch)
            _, _, names = features.parse_labelled(batch)
            classes.update(os.fsdecode(name) for name in names.numpy() if name)
    with tf.io.gfile.GFile(os.path.join(report_dir, REJECTED_FILE)) as lines:
        rejected = collections.Counter(json.loads(line)["reason"] for line in lines)
    accounted = sum(kept.values()) + sum(rejected.values())
    if accounted != files:
        raise RuntimeError(
            f"{files} files were listed but {accounted} were written or rejected: the Beam "
            "runner lost or repeated some. Use another runner (beam_pipeline_args)"
        )
    return IngestSummary(files, kept, dict(sorted(rejected.items())), dict(sorted(classes.items())))


def _require_images(summary, folder, config):
    for split, count in summary.kept.items():
        if count < MIN_IMAGES_PER_SPLIT:
            raise InputError(
                f"split '{split}' holds {count} of the {sum(summary.kept.values())} usable images "
                f"in {folder!r}; at least {MIN_IMAGES_PER_SPLIT} are needed. Add images, or change "
                f"ingest.eval_fraction (now {config.eval_fraction}). What was found: "
                f"{describe(summary)}"
            )
