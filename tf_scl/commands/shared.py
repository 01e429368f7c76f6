"""What several commands take and do alike."""

import argparse
import dataclasses
import logging
import os
from collections.abc import Mapping
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


def require_apart(inputs: Mapping[str, str | None], outputs: Mapping[str, str | None]) -> None:
    """Checks that no output replaces an input, or another output.

    Args:
        inputs: Dict from the name of each, such as "SOURCE" or "--labels", to its path, or None. In
            a folder no output may take the place of a file that is there. What is no path, such as
            "tfds:mnist", is in nobody's way.
        outputs: Dict from the flag of each to its path, or None.

    Raises:
        InputError: Two are at one place, also by way of links.
    """
    taken = [(name, _real(path)) for name, path in inputs.items() if path]
    for flag, out in outputs.items():
        if not out:
            continue
        real = _real(out)
        for name, place in taken:
            inside = os.path.isfile(real) and real.startswith(os.path.join(place, ""))
            if inside or real == place:
                what = f"a file of {name}" if inside else name
                raise InputError(f"{flag} would replace {what}, {out!r}; give another place")
        taken.append((flag, real))


def _real(path: str) -> str:
    return os.path.realpath(os.path.expanduser(path))


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
