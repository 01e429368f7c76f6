"""What several commands take and do alike."""

import argparse
import dataclasses
import logging
import os
from typing import TYPE_CHECKING, Any, TypeAlias

from tf_scl.config import IngestConfig
from tf_scl.errors import InputError, file_reason
from tf_scl.flags import FlagFormatter, Parser
from tf_scl.logging_setup import load_tensorflow

if TYPE_CHECKING:
    from tf_scl.search.collection import EmbeddedCollection

    Commands: TypeAlias = "argparse._SubParsersAction[Parser]"

_PAGES = (".html", ".htm")


@dataclasses.dataclass(frozen=True)
class Answer:
    """What a command prints, and the status that it exits with."""

    text: str
    status: int = 0


def add_source(parser: argparse.ArgumentParser) -> None:
    """Adds SOURCE; the parser is one with `tf_scl.flags.SOURCES`."""
    parser.add_argument("source", metavar="SOURCE", help="the images, see below")


def add_model(parser: argparse.ArgumentParser, other: str = "") -> None:
    """Adds MODEL."""
    parser.add_argument(
        "model", metavar="MODEL", help=f"a SavedModel{other}, or a folder of its versions"
    )


def add_out(parser: argparse.ArgumentParser, default: str | None, kind: str) -> None:
    """Adds --out."""
    shown = "" if default is None else " (default: %(default)s)"
    parser.add_argument(
        "--out", metavar="FILE", type=os.path.expanduser, default=default, help=f"{kind}{shown}"
    )


def add_max_megabytes(parser: argparse.ArgumentParser) -> None:
    """Adds --ingest.max_megabytes."""
    parser.add_argument(
        "--ingest.max_megabytes",
        metavar="V",
        type=int,
        default=IngestConfig().max_megabytes,
        help="image files of more bytes are set aside (default: %(default)s)",
    )


def max_megabytes(given: dict[str, Any]) -> int:
    """The value of --ingest.max_megabytes, checked."""
    return IngestConfig(max_megabytes=given["ingest.max_megabytes"]).max_megabytes


def add_embeddings(parser: argparse.ArgumentParser) -> None:
    """Adds EMBEDDINGS."""
    parser.add_argument(
        "embeddings",
        metavar="EMBEDDINGS",
        type=os.path.expanduser,
        help="a Parquet file of tf-scl embed",
    )


def read_embeddings(given: dict[str, Any]) -> "EmbeddedCollection":
    """The file EMBEDDINGS.

    Raises:
        InputError: It cannot be read, or PyArrow is missing.
    """
    load_tensorflow()
    try:
        from tf_scl.search.collection import read_collection
    except ImportError as error:
        if (error.name or "").partition(".")[0] != "pyarrow":
            raise
        raise InputError(
            f"embeddings are read by PyArrow, which cannot be imported ({error}): "
            "pip install 'tf_scl[search]'"
        ) from error
    return read_collection(given["embeddings"])


def require_some(name: str, count: int) -> None:
    """Raises InputError for a number of images below 1, by the name of its flag."""
    if count < 1:
        raise InputError(f"--{name} must be at least 1. Received: {count}")


def suffix(path: str) -> str:
    """As ".html", in small letters."""
    return os.path.splitext(path)[1].lower()


def require_page(out: str, flag: str = "--out") -> None:
    """Raises InputError unless the name of a file is that of a page of HTML."""
    if suffix(out) not in _PAGES:
        raise InputError(f"{flag} must end in .html. Received: {out!r}")


def save(content: bytes | str, out: str, flag: str = "--out") -> None:
    """Writes a file, bytes or str, complete or not at all.

    Args:
        content: Of the file.
        out: Its path.
        flag: The one that gave it.

    Raises:
        InputError: It cannot be written.
    """
    import tensorflow as tf

    from tf_scl.files import write_file

    try:
        write_file(out, content)
    except (OSError, tf.errors.OpError) as error:
        raise InputError(
            f"cannot write {out!r}: {file_reason(error)}; give another place with {flag}"
        ) from error


def log_to_stderr(quiet: bool = False) -> None:
    """How far it is (but not if `quiet`), and of Beam and TensorFlow only errors."""
    logging.captureWarnings(True)
    handler = logging.StreamHandler()
    handler.setFormatter(FlagFormatter("%(message)s"))
    handler.addFilter(
        lambda record: (
            record.levelno >= logging.ERROR or (record.name.startswith("tf_scl") and not quiet)
        )
    )
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
