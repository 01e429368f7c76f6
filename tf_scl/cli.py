"""The command `tf-scl`: tools beside the pipeline."""

import argparse
import functools
import io
import json
import logging
import os
import sys
import types
from collections.abc import Sequence
from typing import Any

from tf_scl.config import IngestConfig
from tf_scl.errors import InputError, file_reason
from tf_scl.flags import SOURCES, FlagFormatter, Parser, add_flags, config_from
from tf_scl.logging_setup import load_tensorflow, warm_up_xla
from tf_scl.run_command import run_command

_PICTURES = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG"}
_PAGES = (".html", ".htm")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command.

    Returns:
        Exit status: 0; 2 where something that the user gave cannot be used;
        130 where the user stopped it.
    """
    return run_command(lambda: _run(argv))


def _run(argv: Sequence[str] | None) -> None:
    given = vars(build_parser(argv).parse_args(argv))
    print(given.pop("run")(given), flush=True)


def build_parser(argv: Sequence[str] | None = None) -> Parser:
    """The parser of `tf-scl`, an `argparse.ArgumentParser`.

    Args:
        argv: List of str, or None for the arguments of the program: --help shows the
            values of the preset that is named there.
    """
    parser = Parser(prog="tf-scl", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_views(commands, argv)
    _add_report(commands)
    _add_embed(commands)
    _add_lineage(commands)
    return parser


def _add_views(commands: "argparse._SubParsersAction[Parser]", argv: Sequence[str] | None) -> None:
    views = commands.add_parser("views", help="draw images with their two views", **SOURCES)
    views.set_defaults(run=_views)
    views.add_argument("source", metavar="SOURCE", help="the images, see below")
    _add_out(views, "views.png", "PNG or JPEG")
    views.add_argument(
        "--count",
        metavar="N",
        type=int,
        default=18,
        help="number of images (default: %(default)s)",
    )
    add_flags(views, argv, "laptop", ("ingest", "augment", "model", "train"))


def _add_report(commands: "argparse._SubParsersAction[Parser]") -> None:
    report = commands.add_parser("report", help="draw a run's report again, as one page of HTML")
    report.set_defaults(run=_report)
    report.add_argument(
        "run_folder",
        metavar="RUN",
        type=os.path.expanduser,
        help="OUT of a `make run` (its newest report), a folder with report.json, or the file",
    )
    _add_out(report, "report.html", "HTML")


def _add_lineage(commands: "argparse._SubParsersAction[Parser]") -> None:
    lineage = commands.add_parser("lineage", help="print what a SavedModel was made from")
    lineage.set_defaults(run=_lineage)
    lineage.add_argument(
        "model", metavar="MODEL", help="a SavedModel, or a folder of its versions (the newest)"
    )
    lineage.add_argument("--json", action="store_true", help="print JSON")


def _add_out(parser: argparse.ArgumentParser, default: str, kind: str) -> None:
    parser.add_argument(
        "--out",
        metavar="FILE",
        type=os.path.expanduser,
        default=default,
        help=f"{kind} (default: %(default)s)",
    )


def _add_embed(commands: "argparse._SubParsersAction[Parser]") -> None:
    embed = commands.add_parser(
        "embed",
        help="embed a collection of images, into one Parquet file; goes on if stopped",
        **SOURCES,
    )
    embed.set_defaults(run=_embed)
    embed.add_argument("source", metavar="SOURCE", help="the images, see below")
    embed.add_argument(
        "model", metavar="MODEL", help="a SavedModel of tf_scl, or a folder of its versions"
    )
    _add_out(embed, "embeddings.parquet", "Parquet")
    embed.add_argument(
        "--beam",
        metavar="FLAG",
        action="append",
        default=[],
        help="a Beam flag, such as --beam=--runner=FlinkRunner; as often as need be (default: "
        "all in this process)",
    )
    embed.add_argument(
        "--ingest.max_megabytes",
        metavar="V",
        type=int,
        default=IngestConfig().max_megabytes,
        help="image files of more bytes are set aside (default: %(default)s)",
    )


def _views(given: dict[str, Any]) -> str:
    source, out, count = given.pop("source"), given.pop("out"), given.pop("count")
    config = config_from(given, "laptop")
    if count < 1:
        raise InputError(f"--count must be at least 1. Received: {count}")
    kind = _PICTURES.get(_suffix(out))
    if kind is None:
        raise InputError(f"--out must end in .png or .jpg. Received: {out!r}")
    warm_up_xla()
    from tf_scl.data.sources.open_source import open_source
    from tf_scl.report.views_grid import draw_views

    picture = io.BytesIO()
    draw_views(open_source(source), config, count).save(picture, kind)
    _save(picture.getvalue(), out)
    return f"wrote {out}"


def _report(given: dict[str, Any]) -> str:
    run, out = given["run_folder"], given["out"]
    if _suffix(out) not in _PAGES:
        raise InputError(f"--out must end in .html. Received: {out!r}")
    load_tensorflow()
    from tf_scl.report.files import find_report, read_report
    from tf_scl.report.page import render

    path = find_report(run)
    _save(render(read_report(path)), out)
    return f"wrote {out}, of {path}"


def _embed(given: dict[str, Any]) -> str:
    megabytes = IngestConfig(max_megabytes=given["ingest.max_megabytes"]).max_megabytes
    warm_up_xla()
    from tf_scl.data.sources.open_source import absolute, open_source

    source = open_source(absolute(given["source"]))
    _log_to_stderr()
    embed = _import_embed()
    pipeline = functools.partial(_beam_pipeline, embed, given["beam"])
    return embed.describe(embed.embed(pipeline, source, given["model"], given["out"], megabytes))


def _beam_pipeline(embed: types.ModuleType, flags: Sequence[str]) -> Any:
    try:
        return embed.local_pipeline(flags)
    except InputError as error:
        raise InputError(f"{error}; write each as --beam=--NAME=VALUE") from error


def _import_embed() -> types.ModuleType:
    try:
        from tf_scl.embedding import embed
    except ImportError as error:
        if (error.name or "").partition(".")[0] not in ("apache_beam", "pyarrow"):
            raise
        raise InputError(
            f"embed needs Apache Beam, which cannot be imported ({error}): pip install tf_scl[beam]"
        ) from error
    return embed


def _log_to_stderr() -> None:
    """How far it is, and of Beam and TensorFlow only errors."""
    logging.captureWarnings(True)
    handler = logging.StreamHandler()
    handler.setFormatter(FlagFormatter("%(message)s"))
    handler.addFilter(
        lambda record: record.name.startswith("tf_scl") or record.levelno >= logging.ERROR
    )
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)


def _lineage(given: dict[str, Any]) -> str:
    load_tensorflow()
    from tf_scl.dataclass_json import to_plain
    from tf_scl.serving import lineage

    facts = lineage.read_lineage(given["model"])
    return json.dumps(to_plain(facts), indent=2) if given["json"] else lineage.render(facts)


def _suffix(path: str) -> str:
    return os.path.splitext(path)[1].lower()


def _save(content: bytes | str, out: str) -> None:
    """Writes a file, bytes or str, complete or not at all."""
    import tensorflow as tf

    from tf_scl.files import write_file

    try:
        write_file(out, content)
    except (OSError, tf.errors.OpError) as error:
        raise InputError(
            f"cannot write {out!r}: {file_reason(error)}; give another place with --out"
        ) from error


if __name__ == "__main__":
    sys.exit(main())
