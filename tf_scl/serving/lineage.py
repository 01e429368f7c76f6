"""Where a SavedModel comes from: which images, settings and code made it."""

import dataclasses
import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import tensorflow as tf

from tf_scl.data import features
from tf_scl.data.input_pipeline import open_records
from tf_scl.dataclass_json import from_plain, read_json
from tf_scl.errors import InputError, file_reason
from tf_scl.ingestion.summary import SUMMARY_FILE, IngestSummary, describe_reasons
from tf_scl.serving.export import LINEAGE, METADATA_FILE, read_metadata
from tf_scl.serving.model_folder import find_saved_model
from tf_scl.typing import PathLike
from tf_scl.versions import installed_versions, now


@dataclasses.dataclass(frozen=True)
class ImageLineage:
    """The images that a model is made from.

    Attributes:
        kept: Number of records by split.
        digest: SHA-256 of the SHA-256s of all images of all splits, hex, sorted,
            a line each: where nothing was rejected, what
            `sha256sum FILES | cut -c1-64 | sort | sha256sum` prints.
        source: The source as the user gave it, or None where the ingestion is not known.
        files: Number of images that were found, or None, likewise.
        rejected: Number of images by the reason that they were rejected for.
    """

    kept: dict[str, int]
    digest: str
    source: str | None
    files: int | None
    rejected: dict[str, int]


@dataclasses.dataclass(frozen=True)
class CodeLineage:
    """The code that made a model.

    Attributes:
        digest: Stands for the code.
        commit: Of git, or None.
        versions: Version by package.
    """

    digest: str
    commit: str | None
    versions: dict[str, str]


@dataclasses.dataclass(frozen=True)
class Lineage:
    """What is noted in a SavedModel about where it comes from.

    Attributes:
        images: `ImageLineage`.
        code: `CodeLineage`.
        run: What names the run of a pipeline: "pipeline", "run", "execution", if known.
        began: When the training began, ISO 8601, UTC.
        model_files: SHA-256 by path, of the files that the encoder began with.
    """

    images: ImageLineage
    code: CodeLineage
    run: dict[str, str]
    began: str
    model_files: dict[str, str]


@dataclasses.dataclass(frozen=True)
class ModelLineage:
    """What was read from a SavedModel.

    Attributes:
        model: Path of the SavedModel.
        settings: By section.
        lineage: `Lineage`.
    """

    model: str
    settings: dict[str, Any]
    lineage: Lineage


def image_lineage(
    splits: Mapping[str, Sequence[str]], report_dir: str | None = None
) -> ImageLineage:
    """Reads the lineage of images back from their records.

    Args:
        splits: Dict from split to the list of its record files.
        report_dir: Folder with the `summary.json` of the ingestion, or None.

    Raises:
        InputError: A `summary.json` that cannot be read.
    """
    hashes = {split: _image_hashes(files) for split, files in splits.items()}
    lines = sorted(one for of_split in hashes.values() for one in of_split)
    digest = hashlib.sha256(b"".join(line + b"\n" for line in lines)).hexdigest()
    kept = {split: len(of_split) for split, of_split in hashes.items()}
    if report_dir is None:
        return ImageLineage(kept, digest, source=None, files=None, rejected={})
    summary = read_json(IngestSummary, os.path.join(report_dir, SUMMARY_FILE))
    return ImageLineage(kept, digest, summary.source, summary.files, summary.rejected)


def make_lineage(
    images: ImageLineage,
    code_digest: str,
    commit: str | None = None,
    run: Mapping[str, str] | None = None,
    model_files: Mapping[str, str] | None = None,
) -> Lineage:
    """The lineage of a training that begins now, with the installed versions.

    Args:
        images, commit, run, model_files: As in `Lineage` and `CodeLineage`.
        code_digest: Str that stands for the code.
    """
    code = CodeLineage(code_digest, commit, installed_versions())
    return Lineage(images, code, dict(run or {}), now(), dict(model_files or {}))


def read_lineage(path: PathLike) -> ModelLineage:
    """Reads what is noted in a SavedModel about where it comes from.

    Args:
        path: Folder of a SavedModel, local or remote; or one of versions, as a
            model server watches it: the newest counts.

    Raises:
        InputError: No such folder, not a SavedModel, or one without such a note.
    """
    model = find_saved_model(path)
    note = os.path.join(model, METADATA_FILE)
    try:
        facts = read_metadata(model)
        lineage = from_plain(Lineage, facts[LINEAGE], note)
        return ModelLineage(model, facts["settings"], lineage)
    except (OSError, tf.errors.OpError, ValueError, TypeError, KeyError) as error:
        raise InputError(
            f"{note!r} does not say where the model comes from ({_reason(error)}); the note is "
            "made where the pipeline trains a model (make run), not by an export alone"
        ) from error


def render(facts: ModelLineage) -> str:
    """What `read_lineage` gave, as text for people."""
    lineage = facts.lineage
    files = [f"{path}: sha256 {digest}" for path, digest in lineage.model_files.items()]
    parts = {
        "model": [facts.model],
        "images": _images(lineage.images),
        "config": [
            f"{section}.{name} = {json.dumps(value)}"
            for section, settings in facts.settings.items()
            for name, value in settings.items()
        ],
        "files": files,
        "code": _code(lineage.code),
        "run": [f"{name} {value}" for name, value in lineage.run.items()],
        "began": [lineage.began],
    }
    lines = [
        f"{title if number == 0 else '':<10}{text}"
        for title, texts in parts.items()
        for number, text in enumerate(texts)
    ]
    return "\n".join(lines).encode(errors="backslashreplace").decode()  # names need not be text


def _images(images: ImageLineage) -> Iterator[str]:
    kept = ", ".join(f"{count:,} {split}" for split, count in images.kept.items())
    if images.source is not None:
        reasons = describe_reasons(images.rejected)
        rejected = f"{sum(images.rejected.values()):,} rejected"
        yield images.source
        yield f"{images.files:,} found, {rejected}" + (f" ({reasons})" if reasons else "")
    yield f"kept: {kept}"
    yield f"sha256 of their sorted sha256s: {images.digest}"


def _code(code: CodeLineage) -> Iterator[str]:
    yield f"digest {code.digest}"
    if code.commit:
        yield f"git commit {code.commit}"
    yield ", ".join(f"{name} {version}" for name, version in code.versions.items())


def _reason(error: BaseException) -> str:
    if isinstance(error, tf.errors.NotFoundError):
        return "it does not exist"
    if isinstance(error, KeyError):
        return f"it has no {error}"
    return file_reason(error)


def _image_hashes(files: Sequence[str]) -> list[bytes]:
    """List of the hex digests (bytes) in record files."""
    spec = {features.SHA256: tf.io.FixedLenFeature([], tf.string)}
    hashes = []
    for batch in open_records(files).batch(1024):
        hashes += tf.io.parse_example(batch, spec)[features.SHA256].numpy().tolist()
    return hashes
