"""The Beam job that embeds a collection: from a source of images and a model to one Parquet file.

Every image ends up in exactly one of two places: a row of the file, or a line
in the list of rejected ones. Parts that are done are on disk, so that the same
call goes on after a crash.

Needs Apache Beam, as `tf_scl.ingestion.ingest` does (`pip install tf_scl[beam]`).
"""

import dataclasses
import hashlib
import itertools
import json
import logging
import os
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import apache_beam as beam
import numpy as np
import numpy.typing as npt
import tensorflow as tf
from apache_beam.ml.inference.base import KeyedModelHandler, ModelHandler, RunInference
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.typehints.decorators import no_annotations

from tf_scl import __version__
from tf_scl.config import IngestConfig
from tf_scl.data.sources.source import Source
from tf_scl.embedding import parts as embed_parts
from tf_scl.embedding.plan import WorkItem, plan_work
from tf_scl.embedding.rows import REFUSED, Row, check_item
from tf_scl.embedding.served_model import ServedModel, embed_or_refuse, find_model
from tf_scl.errors import InputError
from tf_scl.files import require_new
from tf_scl.ingestion.summary import describe_reasons
from tf_scl.typing import PathLike

MAX_MEGABYTES = IngestConfig().max_megabytes

_log = logging.getLogger(__name__)
_PROGRESS_SECONDS = 5
# Named, for by default Beam may take a runner that it downloads first.
_HERE = "--runner=apache_beam.runners.portability.fn_api_runner.FnApiRunner"
_FLAGS = (
    "the names are those of Beam's documentation, such as --runner=FlinkRunner or "
    "--direct_num_workers=2"
)


@dataclasses.dataclass(frozen=True)
class EmbedSummary:
    """What became of the images.

    Attributes:
        out: Str, path of the Parquet file.
        rejected_out: Str, path of the list of rejected images.
        dimension: Int, numbers in an embedding.
        listed: Number of images (files, records, rows, ...) in the source.
        embedded: Number of rows in the file.
        rejected: Dict from reason to number of images.
    """

    out: str
    rejected_out: str
    dimension: int
    listed: int
    embedded: int
    rejected: dict[str, int]


def embed(
    make_pipeline: Callable[[], beam.Pipeline],
    source: Source,
    model: PathLike,
    out: PathLike,
    max_megabytes: int = MAX_MEGABYTES,
) -> EmbedSummary:
    """Embeds a source of images, from its first unit or from where a call before was stopped.

    Rows are in the order in which the source lists its images, whatever the
    runner and the number of its workers: "id" (string), "sha256" (string, of
    the content, as in ingestion), "label" (int64 or null), "class" (string or
    null) and "embedding" (fixed_size_list of D float32). The schema's metadata
    "tf_scl" is a JSON object of the model, the source and the version. While it
    runs, finished parts are in `OUT.parts`.

    Images are checked and turned upright as in ingestion; nothing is shrunk and
    no duplicate is dropped.

    Args:
        make_pipeline: Called without arguments for a new `beam.Pipeline`, of
            any runner whose workers see the source, the model and the output.
        source: `tf_scl.data.sources.source.Source`.
        model: Path of a SavedModel by `tf_scl.export_saved_model`, or of a
            folder of its versions, of which the newest is taken.
        out: Path of the Parquet file. It must not exist, but its folder must.
        max_megabytes: Int, larger files are set aside.

    Returns:
        `EmbedSummary`.

    Raises:
        InputError: A source, a model or an output that cannot be used; parts
            that belong to another call; a source that changed meanwhile; or no
            image that can be embedded.
        RuntimeError: What was written does not add up to the listed images.
    """
    out = os.fspath(out)
    out = out if "://" in out else os.path.abspath(os.path.expanduser(out))
    folder = out + ".parts"
    _require_place(out, folder)
    served = find_model(model)
    work = plan_work(source.units())
    served.load()  # one that cannot embed is found before the parts are
    key = _key(source, served, work, max_megabytes)
    pipeline = make_pipeline()
    embed_parts.open_folder(folder, key)
    parts = {number: items for one in work for number, items in one.parts().items()}
    listed = sum(parts.values())
    if tf.io.gfile.exists(out):  # stopped while the parts were being deleted
        _require_ours(out, key)
        summary = _summary(out, served, listed, *embed_parts.count_file(out))
    else:
        _embed_parts(pipeline, source, served, work, parts, folder, max_megabytes)
        if source.fingerprint() != key["images"]:
            raise InputError(
                f"the images of {source.name!r} changed while they were being embedded; delete "
                f"{folder!r} and run the same command again"
            )
        summary = _join(source, served, parts, listed, key, folder, out)
    tf.io.gfile.rmtree(folder)
    return summary


def local_pipeline(flags: Sequence[str] = ()) -> beam.Pipeline:
    """A `beam.Pipeline` from Beam's flags; on this machine, if they name no runner.

    Args:
        flags: List of str, such as "--runner=FlinkRunner" or
            "--direct_running_mode=multi_processing".

    Raises:
        InputError: A runner that does not exist or is not installed; or without
            one, a flag that Beam does not know.
    """
    local = not any(flag.startswith("--runner") for flag in flags)
    try:
        options = PipelineOptions([_HERE, *flags] if local else list(flags))
        pipeline = beam.Pipeline(options=options)
    except (ValueError, ImportError, AttributeError) as error:
        raise InputError(f"Beam cannot use the flags {list(flags)}: {error}; {_FLAGS}") from error
    if local:  # other runners have flags of their own
        known = options.get_all_options()
        unknown = set(options.get_all_options(retain_unknown_options=True)) - set(known)
        if unknown:
            raise InputError(f"Beam knows no flag --{min(unknown)}; {_FLAGS}")
    return pipeline


def describe(summary: EmbedSummary) -> str:
    """What came of it, in one line or two for people."""
    text = (
        f"wrote {summary.out}: {summary.listed:,} found, {summary.embedded:,} embedded "
        f"({summary.dimension} numbers each), {sum(summary.rejected.values()):,} rejected"
    )
    if not summary.rejected:
        return text
    return f"{text}\n{describe_reasons(summary.rejected)}: see {summary.rejected_out}"


def _require_place(out: str, folder: str) -> None:
    try:
        out.encode()
    except UnicodeEncodeError as error:
        raise InputError(
            f"{out!r} is not UTF-8, and TensorFlow writes no other names; give another file",
            setting="out",
        ) from error
    if os.path.splitext(out)[1] != ".parquet":
        raise InputError(f"the output must end in .parquet. Received: {out!r}", setting="out")
    if not tf.io.gfile.exists(folder):
        require_new(out)
    parent = os.path.dirname(out)
    if "://" not in out and not tf.io.gfile.isdir(parent):
        raise InputError(
            f"the folder of the output {out!r} does not exist; make it (mkdir -p {parent!r}), or "
            "give another file",
            setting="out",
        )


def _require_ours(out: str, key: dict[str, str]) -> None:
    if embed_parts.read_file_metadata(out).get("key") != _digest(key):
        require_new(out)


def _key(
    source: Source, model: ServedModel, work: list[WorkItem], max_megabytes: int
) -> dict[str, str]:
    """What the parts depend on, by the names that a message can use."""
    return {
        "model": model.fingerprint(),
        "source": source.name,
        "images": source.fingerprint(),
        "listing": hashlib.sha256(repr(work).encode()).hexdigest(),
        "setting (ingest.max_megabytes)": str(max_megabytes),
        "version (tf_scl)": __version__,
    }


def _digest(key: dict[str, str]) -> str:
    return hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()


def _embed_parts(
    pipeline: beam.Pipeline,
    source: Source,
    model: ServedModel,
    work: list[WorkItem],
    parts: dict[int, int],
    folder: str,
    max_megabytes: int,
) -> None:
    done = embed_parts.parts_done(folder) & set(parts)
    listed, already = sum(parts.values()), sum(parts[number] for number in done)
    if done:
        _log.info("going on: %s of %s images are done already", f"{already:,}", f"{listed:,}")
    waiting = [work_item for work_item in work if not set(work_item.parts()) <= done]
    if not waiting:
        return
    _log.info("embedding images of %s by %s", source.name, model.path)
    with pipeline as p:
        (
            p
            | "Work" >> beam.Create(waiting)
            | "Spread" >> beam.Reshuffle()
            | "Read" >> beam.ParDo(_Read(source, folder, max_megabytes * 2**20, model.max_pixels))
            | "Embed" >> RunInference(KeyedModelHandler(_SavedModelHandler(model.path)))
            | "Write" >> beam.ParDo(_Write(folder, listed))
        )


def _join(
    source: Source,
    model: ServedModel,
    parts: dict[int, int],
    listed: int,
    key: dict[str, str],
    folder: str,
    out: str,
) -> EmbedSummary:
    metadata = {
        "model": model.path,
        "model_fingerprint": key["model"],
        "model_metadata": model.metadata,
        "source": source.name,
        "version": __version__,
        "listed": listed,
        "key": _digest(key),
    }
    embed_parts.join_parts(folder, parts, model.dimension, metadata)
    summary = _summary(out, model, listed, *embed_parts.count_joined(folder))
    if summary.embedded == 0:
        embed_parts.put_rejected_in_place(folder, out)
        tf.io.gfile.rmtree(folder)
        raise InputError(
            f"none of the {listed:,} images of {source.name!r} can be embedded "
            f"({describe_reasons(summary.rejected)}); see {summary.rejected_out!r}"
        )
    embed_parts.put_in_place(folder, out)
    return summary


def _summary(
    out: str, model: ServedModel, listed: int, embedded: int, rejected: dict[str, int]
) -> EmbedSummary:
    accounted = embedded + sum(rejected.values())
    if accounted != listed:
        raise RuntimeError(
            f"{listed} images were listed but {accounted} were embedded or rejected: the Beam "
            "runner lost or repeated some. Run it again, or use another runner"
        )
    return EmbedSummary(
        out, embed_parts.rejected_path(out), model.dimension, listed, embedded, rejected
    )


class _Read(beam.DoFn):
    """WorkItem -> ((part, rows), encoded images of the rows without a problem), for each part."""

    def __init__(self, source: Source, folder: str, max_bytes: int, max_pixels: int) -> None:
        self._source = source
        self._folder = folder
        self._max_bytes = max_bytes
        self._max_pixels = max_pixels

    @no_annotations  # else Beam chooses coders by them
    def process(self, work_item: WorkItem) -> Iterator[tuple[tuple[int, list[Row]], list[bytes]]]:
        items = itertools.chain.from_iterable(
            self._source.read(unit, self._max_bytes) for unit in work_item.units
        )
        for part, count in work_item.parts().items():
            of_part = itertools.islice(items, count)
            if embed_parts.is_done(self._folder, part):
                for _ in of_part:  # read past it
                    pass
                continue
            rows, images = [], []
            for item in of_part:
                row, encoded = check_item(item, self._max_pixels)
                rows.append(row)
                images += [] if encoded is None else [encoded]
            yield (part, rows), images


class _SavedModelHandler(ModelHandler):
    """List of encoded images -> (float32 [N, D] of those taken, {index: why} of those refused).

    An example of Beam is a whole part: so what the model sees together does not
    depend on the runner, and a part is stored as soon as it is done.
    """

    def __init__(self, path: str) -> None:
        super().__init__()
        self._path = path

    def load_model(self) -> Any:
        return tf.saved_model.load(self._path)

    def run_inference(
        self, batch: Sequence[list[bytes]], model: Any, inference_args: dict[str, Any] | None = None
    ) -> list[tuple[npt.NDArray[np.float32], dict[int, str]]]:
        return [embed_or_refuse(model, images) for images in batch]

    def batch_elements_kwargs(self) -> dict[str, int]:
        return {"min_batch_size": 1, "max_batch_size": 1}

    def get_num_bytes(self, batch: Sequence[list[bytes]]) -> int:
        return sum(len(image) for images in batch for image in images)

    def get_metrics_namespace(self) -> str:
        return "embed"


class _Write(beam.DoFn):
    """Writes a part that is embedded; yields nothing."""

    def __init__(self, folder: str, listed: int) -> None:
        self._folder = folder
        self._listed = listed
        self._embedded = beam.metrics.Metrics.counter("embed", "embedded")

    def setup(self) -> None:
        self._done, self._told = 0, time.monotonic()

    @no_annotations
    def process(
        self, element: tuple[tuple[int, list[Row]], tuple[npt.NDArray[np.float32], dict[int, str]]]
    ) -> None:
        (part, rows), (embeddings, refused) = element
        rows = list(rows)
        taken = [index for index, row in enumerate(rows) if row.problem is None]
        for index, detail in refused.items():
            rows[taken[index]] = dataclasses.replace(rows[taken[index]], problem=(REFUSED, detail))
        embed_parts.write_part(self._folder, part, rows, embeddings)
        self._count(rows, len(embeddings))

    def _count(self, rows: list[Row], embedded: int) -> None:
        self._embedded.inc(embedded)
        for row in rows:
            if row.problem is not None:
                beam.metrics.Metrics.counter("embed", f"rejected: {row.problem[0]}").inc()
        self._done += len(rows)
        if time.monotonic() - self._told > _PROGRESS_SECONDS:
            self._told = time.monotonic()
            _log.info("%s of %s images embedded", f"{self._done:,}", f"{self._listed:,}")
