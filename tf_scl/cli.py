"""The command `tf-scl`: tools beside the pipeline."""

import argparse
import os
import pathlib
import sys
import tempfile

from tf_scl.errors import InputError
from tf_scl.flags import add_flags, config_from
from tf_scl.quiet import set_quiet, start_xla


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
    return parser


def _views(given):
    source, out, count = given.pop("source"), given.pop("out"), given.pop("count")
    config = config_from(given, "laptop")
    if count < 1:
        raise InputError(f"--count must be at least 1. Received: {count}")
    if os.path.splitext(out)[1].lower() not in (".png", ".jpg", ".jpeg"):
        raise InputError(f"--out must end in .png or .jpg. Received: {out!r}")
    from tf_scl.data.sources.open_source import open_source
    from tf_scl.views_grid import draw_views

    start_xla()
    _save(draw_views(open_source(source), config, count).save, out)
    return f"wrote {out}"


def _report(given):
    run, out = given["run_folder"], given["out"]
    if os.path.splitext(out)[1].lower() not in (".html", ".htm"):
        raise InputError(f"--out must end in .html. Received: {out!r}")
    from tf_scl.report.files import find_report, read_report
    from tf_scl.report.page import render

    path = find_report(run)
    page = render(read_report(path))
    _save(lambda aside: pathlib.Path(aside).write_text(page, encoding="utf-8"), out)
    return f"wrote {out}, of {path}"


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
