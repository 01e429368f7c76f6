"""What several commands take and do alike."""

import argparse
import dataclasses
import logging
import os
from typing import TYPE_CHECKING, Any, TypeAlias

from tf_scl.config import IngestConfig
from tf_scl.errors import InputError, file_reason
from tf_scl.flags import FlagFormatter, Parser

if TYPE_CHECKING:
    Commands: TypeAlias = "argparse._SubParsersAction[Parser]"

PAGES = (".html", ".htm")


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


def suffix(path: str) -> str:
    """As ".html", in small letters."""
    return os.path.splitext(path)[1].lower()


def require_page(out: str) -> None:
    """Raises InputError unless the name of a file is that of a page of HTML."""
    if suffix(out) not in PAGES:
        raise InputError(f"--out must end in .html. Received: {out!r}")


def save(content: bytes | str, out: str) -> None:
    """Writes a file, bytes or str, complete or not at all.

    Raises:
        InputError: It cannot be written.
    """
    import tensorflow as tf

    from tf_scl.files import write_file

    try:
        write_file(out, content)
    except (OSError, tf.errors.OpError) as error:
        raise InputError(
            f"cannot write {out!r}: {file_reason(error)}; give another place with --out"
        ) from error


def log_to_stderr() -> None:
    """How far it is, and of Beam and TensorFlow only errors."""
    logging.captureWarnings(True)
    handler = logging.StreamHandler()
    handler.setFormatter(FlagFormatter("%(message)s"))
    handler.addFilter(
        lambda record: record.name.startswith("tf_scl") or record.levelno >= logging.ERROR
    )
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
