"""`tf-scl lineage`: what a SavedModel was made from."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tf_scl.commands.shared import Answer
from tf_scl.logging_setup import load_tensorflow

if TYPE_CHECKING:
    from tf_scl.commands.shared import Commands


def add(commands: "Commands", argv: Sequence[str] | None) -> None:
    """Adds the command to a parser's."""
    lineage = commands.add_parser("lineage", help="print what a SavedModel was made from")
    lineage.set_defaults(run=_run)
    lineage.add_argument(
        "model", metavar="MODEL", help="a SavedModel, or a folder of its versions (the newest)"
    )
    lineage.add_argument("--json", action="store_true", help="print JSON")


def _run(given: dict[str, Any]) -> Answer:
    load_tensorflow()
    from tf_scl.dataclass_json import to_plain
    from tf_scl.serving import lineage

    facts = lineage.read_lineage(given["model"])
    return Answer(json.dumps(to_plain(facts), indent=2) if given["json"] else lineage.render(facts))
