"""`tf-scl suggest`: which images to label next."""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tf_scl.commands.shared import (
    Answer,
    add_max_megabytes,
    add_model,
    add_out,
    add_source,
    log_to_stderr,
    max_megabytes,
    require_apart,
    require_page,
    require_some,
    save,
    suffix,
)
from tf_scl.data.sources.open_source import absolute, open_source
from tf_scl.errors import InputError
from tf_scl.files import require_new
from tf_scl.flags import SOURCES
from tf_scl.labels.labels_file import read_labels_file
from tf_scl.logging_setup import warm_up_xla

if TYPE_CHECKING:
    from tf_scl.commands.shared import Commands


def add(commands: "Commands", argv: Sequence[str] | None) -> None:
    """Adds the command to a parser's."""
    suggest = commands.add_parser(
        "suggest", help="choose the images whose labels would tell most", **SOURCES
    )
    suggest.set_defaults(run=_run)
    add_source(suggest)
    add_model(suggest, " of tf_scl")
    suggest.add_argument(
        "--count",
        metavar="N",
        type=int,
        default=100,
        help="number of images (default: %(default)s)",
    )
    suggest.add_argument(
        "--labels",
        metavar="FILE",
        type=os.path.expanduser,
        help="the labels so far, a CSV file filename,label",
    )
    add_out(suggest, "suggest.csv", "a new CSV file filename,label to fill in")
    suggest.add_argument(
        "--sheet",
        metavar="FILE",
        type=os.path.expanduser,
        help="a page of HTML with the images",
    )
    add_max_megabytes(suggest)


def _run(given: dict[str, Any]) -> Answer:
    megabytes, out, sheet = max_megabytes(given), given["out"], given["sheet"]
    require_some("count", given["count"])
    if suffix(out) != ".csv":
        raise InputError(f"--out must end in .csv. Received: {out!r}")
    if sheet:
        require_page(sheet, "--sheet")
    place = absolute(given["source"])
    inputs = {"SOURCE": place, "MODEL": given["model"], "--labels": given["labels"]}
    require_apart(inputs, {"--out": out, "--sheet": sheet})
    require_new(out)  # it may hold labels that someone has filled in
    labels = read_labels_file(given["labels"], classes=1) if given["labels"] else None
    warm_up_xla()
    from tf_scl.report.suggestion_sheet import suggestion_page
    from tf_scl.suggestion.suggest import describe, labels_table, suggest

    source = open_source(place)
    log_to_stderr()
    found = suggest(source, given["model"], given["count"], labels, megabytes)
    save(labels_table(found), out)
    wrote = f"wrote {out}: fill in its labels"
    if sheet:
        save(suggestion_page(found, source, megabytes), sheet, "--sheet")
        wrote += f", with the images in {sheet} before you"
    return Answer(f"{describe(found)}\n{wrote}")
