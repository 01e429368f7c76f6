"""The Beam job: from a source of images to sharded records, with nothing lost on the way.

Every image ends up in exactly one of two places: a record in a split, or a
line in the list of rejected ones. What was written is read again and counted
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
import time
import uuid

import apache_beam as beam
import numpy as np
import tensorflow as tf

from tf_scl.data import features
from tf_scl.data.check_image import RejectedImageError, check_image
from tf_scl.data.input_pipeline import open_records, record_files
from tf_scl.errors import InputError
from tf_scl.write_aside import write_file

SPLITS = ("train", "eval")
REJECTED_FILE = "rejected.jsonl"
SUMMARY_FILE = "summary.json"
MIN_IMAGES_PER_SPLIT = 2
DUPLICATE = "duplicate"  # a reason, as those of `check_image`

_log = logging.getLogger(__name__)
_REJECTED = "rejected"
_PROGRESS_SECONDS = 5
# Of Beam's local runners, which keep what is between two steps in memory, about
# this many times over.
_LOCAL_RUNNERS = ("DirectRunner", "BundleBasedDirectRunner", "FnApiRunner", "SwitchingDirectRunner")
_COPIES_IN_MEMORY = 4
_MEMORY_SHARE = 0.5


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
    """

    source: str
    files: int
    kept: dict
    rejected: dict
    classes: dict


def ingest(make_pipeline, source, config, split_dirs, report_dir):
    """Runs the ingestion of a source of images to its end.

    The outcome is the same, byte for byte, whatever the runner and the number
    of its workers. Beam's local runners hold all that is on its way in memory,
    so that a source too large for this machine's is worked through in several
    passes, of some shards each.

    Args:
        make_pipeline: Called without arguments for a new `beam.Pipeline`, of
            any runner whose workers see the source and the output.
        source: `tf_scl.data.sources.source.Source`.
        config: `tf_scl.config.IngestConfig`.
        split_dirs: Dict from split ("train", "eval") to the folder that its
            shards are written to, `data_tfrecord-KKKKK-of-NNNNN`, with ".gz"
            if they are compressed.
        report_dir: Folder for `summary.json` and `rejected.jsonl` (one object
            a line: "file", "reason", "detail").

    Returns:
        `IngestSummary`.

    Raises:
        InputError: A source that cannot be used, an output folder that is
            not empty, or a split with fewer than two images.
        RuntimeError: The written records do not add up to the listed images.
    """
    units = source.units()
    items = sum(unit.items for unit in units)
    size = sum(unit.size for unit in units)
    shards = _shard_counts(size, config)
    for directory in (*split_dirs.values(), report_dir):
        tf.io.gfile.makedirs(directory)
        if tf.io.gfile.listdir(directory):
            raise InputError(f"{directory!r} is not empty; ingest into a new folder")
    pipeline = make_pipeline()
    passes = _passes(pipeline, size, shards)
    _log.info("checking %s images of %s", f"{items:,}", source.name)
    for number in range(passes):
        if passes > 1:
            _log.info(
                "pass %d of %d, since they do not fit into memory at once", number + 1, passes
            )
        check = _Check(source, items, config, shards, _Pass(number, passes))
        write = _WriteShard(split_dirs, shards, config)
        _run(pipeline if number == 0 else make_pipeline(), units, check, write, report_dir)
    _join_rejected(report_dir, passes)
    summary = _count_written(source.name, items, split_dirs, report_dir)
    write_file(
        os.path.join(report_dir, SUMMARY_FILE),
        json.dumps(dataclasses.asdict(summary), indent=2).encode(),
    )
    _log.info("%s", describe(summary))
    _require_images(summary, config)
    return summary


def _run(pipeline, units, check, write, report_dir):
    with pipeline as p:
        checked = (
            p
            | "Units" >> beam.Create(units)
            | "Spread" >> beam.Reshuffle()
            | "Check" >> beam.ParDo(check).with_outputs(_REJECTED, main="kept")
        )
        duplicates = (
            checked.kept | "ByShard" >> beam.GroupByKey() | "WriteShard" >> beam.ParDo(write)
        )
        (
            (checked[_REJECTED], duplicates)
            | "AllRejected" >> beam.Flatten()
            | "OneList" >> beam.combiners.ToList()
            | "WriteRejected" >> beam.ParDo(_WriteRejected(report_dir, check.part))
        )


def split_of(sha256, eval_fraction):
    """The split of an image, from nothing but the hash of its content.

    The same image is never in two splits, and new images move no old one.
    """
    return "eval" if int(sha256[:16], 16) < eval_fraction * 2**64 else "train"


def describe(summary):
    """The counts as one sentence for people."""
    kept = sum(summary.kept.values())
    splits = ", ".join(f"{summary.kept[split]:,} {split}" for split in SPLITS)
    text = f"{summary.files:,} found: {kept:,} kept ({splits})"
    rejected = sum(summary.rejected.values())
    reasons = "; ".join(f"{n:,} {reason}" for reason, n in sorted(summary.rejected.items()))
    return f"{text}, {rejected:,} rejected" + (f" ({reasons})" if reasons else "")


def _shard_counts(size, config):
    share = {"train": 1 - config.eval_fraction, "eval": config.eval_fraction}
    target = config.shard_megabytes * 2**20
    return {split: max(1, math.ceil(size * share[split] / target)) for split in SPLITS}


def _passes(pipeline, size, shards):
    if type(pipeline.runner).__name__ not in _LOCAL_RUNNERS:
        return 1
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    needed = math.ceil(size * _COPIES_IN_MEMORY / (memory * _MEMORY_SHARE))
    return max(1, min(needed, sum(shards.values())))


@dataclasses.dataclass(frozen=True)
class _Pass:
    """One of several runs over the whole source, each for some of the shards."""

    number: int
    passes: int

    def holds(self, split, shard):
        return (2 * shard + SPLITS.index(split)) % self.passes == self.number


class _Check(beam.DoFn):
    """Unit -> ((split, shard), (sha256, name, class name, example)), or rejections."""

    def __init__(self, source, items, config, shards, part):
        self._source = source
        self._items = items
        self._config = config
        self._shards = shards
        self.part = part
        self._kept = beam.metrics.Metrics.counter("ingest", "checked and kept")

    def setup(self):
        self._checked, self._told = 0, time.monotonic()

    def process(self, unit):
        for item in self._source.read(unit, self._config.max_megabytes * 2**20):
            yield from self._process(item)
            self._checked += 1
            if time.monotonic() - self._told > _PROGRESS_SECONDS:
                self._told = time.monotonic()
                _log.info("%s of %s images checked", f"{self._checked:,}", f"{self._items:,}")

    def _process(self, item):
        if item.problem:
            if self.part.number == 0:
                yield _rejection(item.name, *item.problem)
            return
        sha256 = _sha256(item.data)
        split = split_of(sha256, self._config.eval_fraction)
        shard = int(sha256[16:32], 16) % self._shards[split]
        if not self.part.holds(split, shard):
            return
        try:
            image = check_image(item.data, self._config.max_pixels, self._config.short_side or None)
        except RejectedImageError as error:
            yield _rejection(item.name, error.reason, error.detail)
            return
        self._kept.inc()
        example = features.encode_example(image, item.name, sha256, item.label, item.class_name)
        yield (split, shard), (sha256, item.name, item.class_name or b"", example)


def _rejection(name, reason, detail):
    beam.metrics.Metrics.counter("ingest", f"rejected: {reason}").inc()
    return beam.pvalue.TaggedOutput(_REJECTED, (name, reason, detail))


def _sha256(data):
    """Hex digest of a file's bytes, or of pixels and their shape."""
    if isinstance(data, np.ndarray):
        data = repr(data.shape).encode() + data.tobytes()
    return hashlib.sha256(data).hexdigest()


class _WriteShard(beam.DoFn):
    """Writes one shard, in an order that no runner and no worker count changes.

    Images of the same bytes are in the same shard. The one whose name comes
    first is written, and the others are yielded as rejections.
    """

    def __init__(self, split_dirs, shards, config):
        self._split_dirs = split_dirs
        self._shards = shards
        self._compressed = config.compression == "gzip"

    def process(self, element):
        (split, shard), records = element
        suffix = ".gz" if self._compressed else ""
        name = f"data_tfrecord-{shard:05d}-of-{self._shards[split]:05d}{suffix}"
        final = os.path.join(self._split_dirs[split], name)
        # Aside is outside the split's folder, whose every file is read as records.
        aside = f"{self._split_dirs[split].rstrip('/')}-{uuid.uuid4().hex}.partial"
        duplicates, first = [], (None, None, None)
        with tf.io.TFRecordWriter(aside, "GZIP" if self._compressed else "") as writer:
            for sha256, item, class_name, example in sorted(records):
                if sha256 == first[0]:
                    duplicates.append((item, DUPLICATE, _same_as(first, class_name)))
                    continue
                first = sha256, item, class_name
                writer.write(example)
        tf.io.gfile.rename(aside, final, overwrite=True)
        beam.metrics.Metrics.counter("ingest", f"rejected: {DUPLICATE}").inc(len(duplicates))
        yield from duplicates


def _same_as(first, class_name):
    _, name, first_class = first
    text = f"same content as {_printable(name)}"
    if class_name != first_class:
        there, here = (_printable(one) or "no class" for one in (first_class, class_name))
        text += f", but in another class: {here}, not {there}"
    return text


def _printable(name):
    return name.decode(errors="backslashreplace")


class _WriteRejected(beam.DoFn):
    def __init__(self, report_dir, part):
        self._path = _rejected_part(report_dir, part.number)

    def process(self, rejected):
        lines = [
            json.dumps({"file": os.fsdecode(path), "reason": reason, "detail": detail}) + "\n"
            for path, reason, detail in sorted(rejected)
        ]
        write_file(self._path, "".join(lines).encode())


def _rejected_part(report_dir, number):
    return os.path.join(report_dir, f"{REJECTED_FILE}-{number:05d}")


def _join_rejected(report_dir, passes):
    """One sorted list from those of the passes, which are deleted."""
    lines = []
    for number in range(passes):
        with tf.io.gfile.GFile(_rejected_part(report_dir, number)) as file:
            lines += file.read().splitlines(keepends=True)
    lines.sort(key=lambda line: os.fsencode(json.loads(line)["file"]))
    write_file(os.path.join(report_dir, REJECTED_FILE), "".join(lines).encode())
    for number in range(passes):
        tf.io.gfile.remove(_rejected_part(report_dir, number))


def _count_written(source, items, split_dirs, report_dir):
    """Reads everything back, and compares it with what was listed."""
    kept, classes = {}, collections.Counter()
    for split, directory in split_dirs.items():
        kept[split] = 0
        for batch in open_records(record_files(directory)).batch(1024):
            kept[split] += len(batch)
            _, labels, names = features.parse_labelled(batch)
            labelled = zip(labels.numpy().tolist(), names.numpy(), strict=True)
            classes.update(pair for pair in labelled if pair[0] != features.NO_LABEL)
    with tf.io.gfile.GFile(os.path.join(report_dir, REJECTED_FILE)) as lines:
        rejected = collections.Counter(json.loads(line)["reason"] for line in lines)
    accounted = sum(kept.values()) + sum(rejected.values())
    if accounted != items:
        raise RuntimeError(
            f"{items} images were listed but {accounted} were written or rejected: the Beam "
            "runner lost or repeated some, or the source changed meanwhile. Run it again, or use "
            "another runner (beam_pipeline_args)"
        )
    by_class = {os.fsdecode(name): count for (_, name), count in sorted(classes.items())}
    return IngestSummary(source, items, kept, dict(sorted(rejected.items())), by_class)


def _require_images(summary, config):
    for split, count in summary.kept.items():
        if count < MIN_IMAGES_PER_SPLIT:
            raise InputError(
                f"split '{split}' holds {count} of the {sum(summary.kept.values())} usable images "
                f"in {summary.source!r}; at least {MIN_IMAGES_PER_SPLIT} are needed. Add images, "
                f"or change ingest.eval_fraction (now {config.eval_fraction}). What was found: "
                f"{describe(summary)}"
            )
