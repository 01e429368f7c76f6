"""`tf-scl drift`: are new images still of the kind that an encoder was made for?"""

import json
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
    save,
)
from tf_scl.data.sources.open_source import absolute, open_source
from tf_scl.drift.detect import LEVEL, require_level
from tf_scl.errors import InputError
from tf_scl.flags import SOURCES
from tf_scl.logging_setup import warm_up_xla
from tf_scl.serving.reference_size import LEAST_IMAGES

if TYPE_CHECKING:
    from tf_scl.commands.shared import Commands
    from tf_scl.drift.compare import SourceDrift

DRIFTED = 3  # exit status, which no crash gives: 1 is a traceback, 2 a mistake of the user's
_MOST = 2000


def add(commands: "Commands", argv: Sequence[str] | None) -> None:
    """Adds the command to a parser's."""
    drift = commands.add_parser(
        "drift",
        help="compare new images with those that a model was made for; exit status 3 if they are "
        "of another kind",
        **SOURCES,
    )
    drift.set_defaults(run=_run)
    add_source(drift)
    add_model(drift, " of `make run`")
    drift.add_argument(
        "--level",
        metavar="P",
        type=float,
        default=LEVEL,
        help="how often a comparison without drift may be taken for one: the largest p-value that "
        "counts, at least 0.0001 (default: %(default)s)",
    )
    drift.add_argument(
        "--most",
        metavar="N",
        type=int,
        default=_MOST,
        help="images that are looked at; of more so many are drawn, at least "
        f"{LEAST_IMAGES} (default: %(default)s)",
    )
    drift.add_argument("--json", action="store_true", help="print JSON")
    add_out(drift, None, "a page of HTML with the strangest images")
    add_max_megabytes(drift)


def _run(given: dict[str, Any]) -> Answer:
    megabytes, out = max_megabytes(given), given["out"]
    require_level(given["level"], "--level")
    _require_most(given["most"])
    if out:
        require_page(out)
    place = absolute(given["source"])
    require_apart({"SOURCE": place, "MODEL": given["model"]}, {"--out": out})
    warm_up_xla()
    from tf_scl.drift.compare import compare, describe
    from tf_scl.report.drift_sheet import drift_page

    source = open_source(place)
    log_to_stderr()
    found = compare(source, given["model"], given["level"], given["most"], megabytes)
    if out:
        save(drift_page(found, source, megabytes), out)
    text = _json(found) if given["json"] else describe(found)
    return Answer(text, DRIFTED if found.drift.drifted else 0)


def _require_most(most: int) -> None:
    if most < LEAST_IMAGES:
        raise InputError(
            f"--most must be at least {LEAST_IMAGES}: drift is not seen in fewer images. "
            f"Received: {most}"
        )


def _json(found: "SourceDrift") -> str:
    from tf_scl.dataclass_json import to_plain

    plain = to_plain(found)
    plain["drift"]["drifted"] = found.drift.drifted
    return json.dumps(plain, indent=2)
