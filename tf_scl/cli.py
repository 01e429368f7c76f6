"""The command `tf-scl`: tools beside the pipeline."""

import argparse
import functools
import json
import logging
import os
import pathlib
import sys
import tempfile

from tf_scl.config import IngestConfig
from tf_scl.errors import InputError
from tf_scl.flags import add_flags, config_from
from tf_scl.quiet import load_tensorflow, set_quiet, start_xla


def main(argv=None):
    """Runs a command.

    Returns:
        Exit status: 0, or 2 where something that the user gave cannot be used.
    """
    set_quiet()
    given = vars(_parser().parse_args(argv))
    try:
        print(given.pop("run")(given))
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def _parser():
    parser = argparse.ArgumentParser(prog="tf-scl", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    views = commands.add_parser("views", help="draw images with their two views")
    views.set_defaults(run=_views)
    views.add_argument(
        "source",
        metavar="SOURCE",
        help="a folder of images, tfds:NAME, tfrecord:PATTERN, webdataset:PATTERN or numpy:FILE",
    )
    views.add_argument("--out", metavar="FILE", default="views.png", help="PNG or JPEG")
    views.add_argument("--count", metavar="N", type=int, default=18, help="number of images")
    add_flags(views, "laptop", ("ingest", "augment", "model", "train"))
    report = commands.add_parser("report", help="draw a run's report again, as one page of HTML")
    report.set_defaults(run=_report)
    report.add_argument(
        "run_folder",
        metavar="RUN",
        help="OUT of a `make run` (its newest report), a folder with report.json, or the file",
    )
    report.add_argument("--out", metavar="FILE", default="report.html", help="HTML")
    _add_embed(commands)
    lineage = commands.add_parser("lineage", help="print what a SavedModel was made from")
    lineage.set_defaults(run=_lineage)
    lineage.add_argument(
        "model", metavar="MODEL", help="a SavedModel, or a folder of its versions (the newest)"
    )
    lineage.add_argument("--json", action="store_true", help="print JSON")
    return parser


def _add_embed(commands):
    embed = commands.add_parser(
        "embed", help="embed a collection of images, into one Parquet file; goes on if stopped"
    )
    embed.set_defaults(run=_embed)
    embed.add_argument("source", metavar="SOURCE", help="as of views")
    embed.add_argument(
        "model", metavar="MODEL", help="a SavedModel of tf_scl, or a folder of its versions"
    )
    embed.add_argument("--out", metavar="FILE", default="embeddings.parquet", help="Parquet")
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


def _views(given):
    source, out, count = given.pop("source"), given.pop("out"), given.pop("count")
    config = config_from(given, "laptop")
    if count < 1:
        raise InputError(f"--count must be at least 1. Received: {count}")
    if os.path.splitext(out)[1].lower() not in (".png", ".jpg", ".jpeg"):
        raise InputError(f"--out must end in .png or .jpg. Received: {out!r}")
    start_xla()
    from tf_scl.data.sources.open_source import open_source
    from tf_scl.views_grid import draw_views

    _save(draw_views(open_source(source), config, count).save, out)
    return f"wrote {out}"


def _report(given):
    run, out = given["run_folder"], given["out"]
    if os.path.splitext(out)[1].lower() not in (".html", ".htm"):
        raise InputError(f"--out must end in .html. Received: {out!r}")
    load_tensorflow()
    from tf_scl.report.files import find_report, read_report
    from tf_scl.report.page import render

    path = find_report(run)
    page = render(read_report(path))
    _save(lambda aside: pathlib.Path(aside).write_text(page, encoding="utf-8"), out)
    return f"wrote {out}, of {path}"


def _embed(given):
    megabytes = IngestConfig(max_megabytes=given["ingest.max_megabytes"]).max_megabytes
    start_xla()
    from tf_scl.data.sources.open_source import absolute, open_source

    source = open_source(absolute(given["source"]))
    _log_to_stderr()
    embed = _import_embed()
    pipeline = functools.partial(embed.local_pipeline, given["beam"])
    try:
        summary = embed.embed(pipeline, source, given["model"], given["out"], megabytes)
    except KeyboardInterrupt:
        print("stopped; run the same command again to go on", file=sys.stderr)
        sys.exit(130)
    return embed.describe(summary)


def _import_embed():
    try:
        from tf_scl.data import embed
    except ImportError as error:
        if (error.name or "").partition(".")[0] not in ("apache_beam", "pyarrow"):
            raise
        raise InputError(
            f"embed needs Apache Beam, which cannot be imported ({error}): pip install tf_scl[beam]"
        ) from error
    return embed


def _log_to_stderr():
    """How far it is, and of Beam and TensorFlow only errors."""
    logging.captureWarnings(True)
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(message)s"))
    handler.addFilter(
        lambda record: record.name.startswith("tf_scl") or record.levelno >= logging.ERROR
    )
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)


def _lineage(given):
    load_tensorflow()
    from tf_scl import lineage

    facts = lineage.read_lineage(given["model"])
    return json.dumps(facts, indent=2) if given["json"] else lineage.render(facts)


def _save(write, out):
    """Writes a file aside by `write`, which is given a path, then under its name."""
    folder, name = os.path.split(out)
    try:
        descriptor, aside = tempfile.mkstemp(dir=folder or ".", suffix=name)
        os.close(descriptor)
        write(aside)
        os.chmod(aside, 0o644)
        os.replace(aside, out)
    except OSError as error:
        raise InputError(
            f"cannot write {out!r}: {error.strerror or error}; give another place with --out"
        ) from error


if __name__ == "__main__":
    sys.exit(main())
