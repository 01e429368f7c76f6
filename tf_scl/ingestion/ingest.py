"""The Beam job: from a source of images to sharded records, with nothing lost on the way.

Every image ends up in exactly one of two places: a record in a split, or a
line in the list of rejected ones. What was written is read again and counted
against what was listed.

Needs Apache Beam (`pip install tf_scl[beam]`); what reads its outcome does not
(`tf_scl.ingestion.summary`).
"""

import collections
import dataclasses
import json
import logging
import math
import os
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import apache_beam as beam
import tensorflow as tf
from apache_beam.transforms.window import GlobalWindows
from apache_beam.typehints.decorators import no_annotations

from tf_scl.config import IngestConfig
from tf_scl.data import features
from tf_scl.data.sources.source import Item, Source, Unit
from tf_scl.dataclass_json import to_plain
from tf_scl.errors import InputError
from tf_scl.files import printable, write_file
from tf_scl.images.check_image import RejectedImageError, check_image
from tf_scl.images.content_hash import content_sha256, split_of
from tf_scl.ingestion import parts as ingest_parts
from tf_scl.ingestion.summary import (
    DUPLICATE,
    REJECTED_FILE,
    SPLITS,
    SUMMARY_FILE,
    IngestSummary,
    RejectedImage,
    count_written,
    describe,
    describe_gray,
)

MIN_IMAGES_PER_SPLIT = 2

_log = logging.getLogger(__name__)
_REJECTED = "rejected"
_PROGRESS_SECONDS = 5
_PART_BYTES = 2**27  # of records that a worker gathers before it writes them
# Name, reason, detail, and the name of the image of the same content that was kept.
_Rejection = tuple[bytes, str, str, bytes | None]


def ingest(
    make_pipeline: Callable[[], beam.Pipeline],
    source: Source,
    config: IngestConfig,
    split_dirs: Mapping[str, str],
    report_dir: str,
) -> IngestSummary:
    """Runs the ingestion of a source of images to its end.

    The outcome is the same, byte for byte, whatever the runner and the number
    of its workers. On their way the records are in a folder beside that of the
    first split (`tf_scl.ingestion.parts`), so that there must be room for
    them twice; it is gone at the end. In memory a worker holds what one shard
    holds.

    Args:
        make_pipeline: Called without arguments for a new `beam.Pipeline`, of
            any runner whose workers see the source and the output.
        source: `tf_scl.data.sources.source.Source`.
        config: `tf_scl.config.IngestConfig`.
        split_dirs: Dict from split ("train", "eval") to the folder that its
            shards are written to, `data_tfrecord-KKKKK-of-NNNNN`, with ".gz"
            if they are compressed.
        report_dir: Folder for `summary.json` and `rejected.jsonl` (a
            `tf_scl.ingestion.summary.RejectedImage` a line).

    Returns:
        `IngestSummary`.

    Raises:
        InputError: A source that cannot be used, an output folder that is
            not empty, or a split with fewer than two images.
        RuntimeError: The written records do not add up to the listed images.
    """
    units = source.units()
    source.require_trainable(units)
    items = sum(unit.items for unit in units)
    size = sum(unit.size for unit in units)
    shards = _shard_counts(size, config)
    for directory in (*split_dirs.values(), report_dir):
        tf.io.gfile.makedirs(directory)
        if tf.io.gfile.listdir(directory):
            raise InputError(f"{directory!r} is not empty; ingest into a new folder")
    _log.info("checking %s images of %s", f"{items:,}", source.name)
    with ingest_parts.parts_folder(split_dirs[SPLITS[0]]) as parts:
        check = _Check(source, items, config, shards, parts)
        write = _WriteShard(split_dirs, shards, config, parts)
        _run(make_pipeline(), units, check, write, report_dir)
    summary = count_written(source.name, items, split_dirs, report_dir)
    write_file(
        os.path.join(report_dir, SUMMARY_FILE),
        json.dumps(dataclasses.asdict(summary), indent=2).encode(),
    )
    for sentence in filter(None, (describe(summary), describe_gray(summary))):
        _log.info("%s", sentence)
    _require_images(summary, config)
    return summary


def _run(
    pipeline: beam.Pipeline,
    units: list[Unit],
    check: "_Check",
    write: "_WriteShard",
    report_dir: str,
) -> None:
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
            | "WriteRejected" >> beam.ParDo(_WriteRejected(report_dir))
        )


def _shard_counts(size: int, config: IngestConfig) -> dict[str, int]:
    share = {"train": 1 - config.eval_fraction, "eval": config.eval_fraction}
    target = config.shard_megabytes * 2**20
    return {split: max(1, math.ceil(size * share[split] / target)) for split in SPLITS}


class _Check(beam.DoFn):
    """Unit -> ((split, shard), `PartSlice`), or rejections.

    A chunk is passed on once its part file is complete. If the runner repeats
    a bundle, that writes parts of its own.
    """

    def __init__(
        self, source: Source, items: int, config: IngestConfig, shards: dict[str, int], parts: str
    ) -> None:
        self._source = source
        self._items = items
        self._config = config
        self._shards = shards
        self._parts = parts
        self._kept = beam.metrics.Metrics.counter("ingest", "checked and kept")

    def setup(self) -> None:
        self._checked, self._told = 0, time.monotonic()

    def start_bundle(self) -> None:
        self._records: dict[tuple[str, int], list[ingest_parts.Record]]
        self._records = collections.defaultdict(list)
        self._size = 0

    @no_annotations  # else Beam chooses coders by them
    def process(self, unit: Unit) -> Iterator[Any]:
        for item in self._source.read(unit, self._config.max_megabytes * 2**20):
            yield from self._process(item)
            if self._size >= _PART_BYTES:
                yield from self._write_part()
            self._checked += 1
            if time.monotonic() - self._told > _PROGRESS_SECONDS:
                self._told = time.monotonic()
                _log.info("%s of %s images checked", f"{self._checked:,}", f"{self._items:,}")

    def finish_bundle(self) -> Iterator[Any]:
        for chunk in self._write_part():
            yield GlobalWindows.windowed_value(chunk)

    def _process(self, item: Item) -> Iterator[beam.pvalue.TaggedOutput]:
        """Keeps the item for the next part, or yields its rejection."""
        if item.problem:
            yield _rejection(item.name, *item.problem)
            return
        sha256 = content_sha256(item.content)
        try:
            image = check_image(
                item.content, self._config.max_pixels, self._config.short_side or None
            )
        except RejectedImageError as error:
            yield _rejection(item.name, error.reason, error.detail)
            return
        self._kept.inc()
        example = features.encode_example(image, item.name, sha256, item.label, item.class_name)
        split = split_of(sha256, self._config.eval_fraction)
        shard = int(sha256[16:32], 16) % self._shards[split]
        record = ingest_parts.Record(sha256.encode(), item.name, item.class_name or b"", example)
        self._records[split, shard].append(record)
        self._size += len(example)

    def _write_part(self) -> list[tuple[Any, ingest_parts.PartSlice]]:
        chunks = ingest_parts.write_part(self._parts, self._records) if self._records else []
        self.start_bundle()
        return chunks


def _rejection(name: bytes, reason: str, detail: str) -> beam.pvalue.TaggedOutput:
    beam.metrics.Metrics.counter("ingest", f"rejected: {reason}").inc()
    return beam.pvalue.TaggedOutput(_REJECTED, (name, reason, detail, None))


class _WriteShard(beam.DoFn):
    """Writes one shard, in an order that no runner and no worker count changes.

    Images of the same bytes are in the same shard. The one whose name comes
    first is written, and the others are yielded as rejections.
    """

    def __init__(
        self,
        split_dirs: Mapping[str, str],
        shards: dict[str, int],
        config: IngestConfig,
        parts: str,
    ) -> None:
        self._parts = parts
        self._split_dirs = split_dirs
        self._shards = shards
        self._compressed = config.compression == "gzip"

    @no_annotations
    def process(
        self, element: tuple[tuple[str, int], Iterable[ingest_parts.PartSlice]]
    ) -> Iterator[_Rejection]:
        (split, shard), chunks = element
        suffix = ".gz" if self._compressed else ""
        name = f"data_tfrecord-{shard:05d}-of-{self._shards[split]:05d}{suffix}"
        final = os.path.join(self._split_dirs[split], name)
        # Every file in the split's folder is read as records.
        partial = os.path.join(self._parts, f"{split}-{name}-{uuid.uuid4().hex}")
        duplicates: list[_Rejection] = []
        first = ingest_parts.Record(b"", b"", b"", b"")  # no image has this digest
        with tf.io.TFRecordWriter(partial, "GZIP" if self._compressed else "") as writer:
            for record in sorted(ingest_parts.read_chunks(chunks)):
                if record.sha256 == first.sha256:
                    detail = _same_as(first, record.class_name)
                    duplicates.append((record.name, DUPLICATE, detail, first.name))
                    continue
                first = record
                writer.write(record.example)
        tf.io.gfile.rename(partial, final, overwrite=True)
        beam.metrics.Metrics.counter("ingest", f"rejected: {DUPLICATE}").inc(len(duplicates))
        yield from duplicates


def _same_as(first: ingest_parts.Record, class_name: bytes) -> str:
    text = f"same content as {printable(first.name)}"
    if class_name != first.class_name:
        there, here = (printable(one) or "no class" for one in (first.class_name, class_name))
        text += f", but in another class: {here}, not {there}"
    return text


class _WriteRejected(beam.DoFn):
    def __init__(self, report_dir: str) -> None:
        self._path = os.path.join(report_dir, REJECTED_FILE)

    @no_annotations
    def process(self, rejected: list[_Rejection]) -> None:
        images = [
            RejectedImage(
                os.fsdecode(name), reason, detail, None if kept is None else os.fsdecode(kept)
            )
            for name, reason, detail, kept in sorted(rejected)
        ]
        lines = [json.dumps(to_plain(image)) + "\n" for image in images]
        write_file(self._path, "".join(lines).encode())


def _require_images(summary: IngestSummary, config: IngestConfig) -> None:
    for split, count in summary.kept.items():
        if count < MIN_IMAGES_PER_SPLIT:
            raise InputError(
                f"split '{split}' holds {count} of the {sum(summary.kept.values())} usable images "
                f"in {summary.source!r}; at least {MIN_IMAGES_PER_SPLIT} are needed. Add images, "
                f"or change ingest.eval_fraction (now {config.eval_fraction}). What was found: "
                f"{describe(summary)}"
            )
