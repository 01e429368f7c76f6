"""`tf-scl report`: a run's report drawn again."""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tf_scl.commands.shared import Answer, add_out, require_apart, require_page, save
from tf_scl.logging_setup import load_tensorflow

if TYPE_CHECKING:
    from tf_scl.commands.shared import Commands


def add(commands: "Commands", argv: Sequence[str] | None) -> None:
    """Adds the command to a parser's."""
    report = commands.add_parser("report", help="draw a run's report again, as one page of HTML")
    report.set_defaults(run=_run)
    report.add_argument(
        "run_folder",
        metavar="RUN",
        type=os.path.expanduser,
        help="OUT of a `make run` (its newest report), a folder with report.json, or the file",
    )
    add_out(report, "report.html", "HTML")


def _run(given: dict[str, Any]) -> Answer:
    run, out = given["run_folder"], given["out"]
    require_page(out)
    load_tensorflow()
    from tf_scl.report.files import find_report, read_report
    from tf_scl.report.page import render

    path = find_report(run)
    require_apart({"RUN": path}, {"--out": out})
    save(render(read_report(path)), out)
    return Answer(f"wrote {out}, of {path}")
