"""Where a SavedModel comes from: which images, settings and code made it."""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import tensorflow as tf

from tf_scl.data import features
from tf_scl.data.input_pipeline import open_records
from tf_scl.errors import InputError, file_reason
from tf_scl.ingestion.summary import SUMMARY_FILE, describe_reasons
from tf_scl.serving.export import METADATA_FILE, read_metadata
from tf_scl.serving.model_folder import find_saved_model
from tf_scl.typing import PathLike
from tf_scl.versions import installed_versions, now

KEY = "lineage"  # of the dict in `METADATA_FILE`


def image_facts(
    splits: Mapping[str, Sequence[str]], report_dir: str | None = None
) -> dict[str, Any]:
    """Facts of the images that a model is made from, read back from their records.

    Args:
        splits: Dict from split to the list of its record files.
        report_dir: Folder with the `summary.json` of the ingestion, or None.

    Returns:
        Dict: "kept" (number of records by split) and "digest"; of the
        ingestion "source", "files" and "rejected" (number by reason). The
        digest is the SHA-256 of the SHA-256s of all images of all splits, hex,
        sorted, a line each: where nothing was rejected, what
        `sha256sum FILES | cut -c1-64 | sort | sha256sum` prints.
    """
    hashes = {split: _image_hashes(files) for split, files in splits.items()}
    lines = sorted(one for of_split in hashes.values() for one in of_split)
    facts = {
        "kept": {split: len(of_split) for split, of_split in hashes.items()},
        "digest": hashlib.sha256(b"".join(line + b"\n" for line in lines)).hexdigest(),
    }
    if report_dir:
        with tf.io.gfile.GFile(os.path.join(report_dir, SUMMARY_FILE)) as file:
            summary = json.loads(file.read())
        facts |= {name: summary[name] for name in ("source", "files", "rejected")}
    return facts


def facts_of_run(
    images: dict[str, Any],
    code_digest: str,
    commit: str | None = None,
    run: dict[str, Any] | None = None,
    model_files: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """What `export_saved_model` is to note under `KEY`, a dict.

    Args:
        images: `image_facts`.
        code_digest: Str that stands for the code.
        commit: Str, of git, or None.
        run: Dict, what names the run of a pipeline, or None.
        model_files: Dict from path to SHA-256, of the files that the encoder
            began with, or None.
    """
    code: dict[str, Any] = {"digest": code_digest, **({"commit": commit} if commit else {})}
    code["versions"] = installed_versions()
    facts = {"images": images, "code": code, "run": run or {}, "began": now()}
    return {**facts, **({"model_files": model_files} if model_files else {})}


def read_lineage(path: PathLike) -> dict[str, Any]:
    """What is noted in a SavedModel about where it comes from.

    Args:
        path: Folder of a SavedModel, local or remote; or one of versions, as a
            model server watches it: the newest counts.

    Returns:
        Dict: "model" (path of the SavedModel), "settings" (by section),
        "images" (`image_facts`), "code" ("digest", "commit" if it is known,
        "versions"), "run" ("pipeline", "run", "execution": what is known of
        them), "began" (when, ISO 8601, UTC) and, if the encoder began with
        files, "model_files" (from path to SHA-256).

    Raises:
        InputError: No such folder, not a SavedModel, or one without such a note.
    """
    model = find_saved_model(path)
    note = os.path.join(model, METADATA_FILE)
    try:
        facts = read_metadata(model)
        lineage = facts[KEY]
        return {"model": model, "settings": facts["settings"], **lineage}
    except (OSError, tf.errors.OpError, ValueError, TypeError, KeyError) as error:
        raise InputError(
            f"{note!r} does not say where the model comes from ({_reason(error)}); the note is "
            "made where the pipeline trains a model (make run), not by an export alone"
        ) from error


def render(facts: dict[str, Any]) -> str:
    """What `read_lineage` gave, as text for people."""
    parts = {
        "model": [facts["model"]],
        "images": _images(facts["images"]),
        "config": [
            f"{section}.{name} = {json.dumps(value)}"
            for section, settings in facts["settings"].items()
            for name, value in settings.items()
        ],
        **_model_files(facts),
        "code": _code(facts["code"]),
        "run": [f"{name} {value}" for name, value in facts["run"].items()],
        "began": [facts["began"]],
    }
    lines = [
        f"{title if number == 0 else '':<10}{text}"
        for title, texts in parts.items()
        for number, text in enumerate(texts)
    ]
    return "\n".join(lines).encode(errors="backslashreplace").decode()  # names need not be text


def _images(images: dict[str, Any]) -> Iterator[str]:
    kept = ", ".join(f"{count:,} {split}" for split, count in images["kept"].items())
    if "source" in images:
        reasons = describe_reasons(images["rejected"])
        rejected = f"{sum(images['rejected'].values()):,} rejected"
        yield images["source"]
        yield f"{images['files']:,} found, {rejected}" + (f" ({reasons})" if reasons else "")
    yield f"kept: {kept}"
    yield f"sha256 of their sorted sha256s: {images['digest']}"


def _model_files(facts: dict[str, Any]) -> dict[str, list[str]]:
    files = facts.get("model_files", {})
    lines = [f"{path}: sha256 {digest}" for path, digest in files.items()]
    return {"files": lines} if lines else {}


def _code(code: dict[str, Any]) -> Iterator[str]:
    yield f"digest {code['digest']}"
    if "commit" in code:
        yield f"git commit {code['commit']}"
    yield ", ".join(f"{name} {version}" for name, version in code["versions"].items())


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
