"""`tf-scl index`: an index of a collection of embeddings, to search in."""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tf_scl.commands.shared import Answer, add_embeddings, read_embeddings, require_apart
from tf_scl.files import require_new

if TYPE_CHECKING:
    from tf_scl.commands.shared import Commands


def add(commands: "Commands", argv: Sequence[str] | None) -> None:
    """Adds the command to a parser's."""
    index = commands.add_parser("index", help="make an index of embeddings, for tf-scl search")
    index.set_defaults(run=_run)
    add_embeddings(index)
    index.add_argument(
        "--out",
        metavar="FOLDER",
        type=os.path.expanduser,
        default="index",
        help="a new folder (default: %(default)s)",
    )


def _run(given: dict[str, Any]) -> Answer:
    require_apart({"EMBEDDINGS": given["embeddings"]}, {"--out": given["out"]})
    require_new(given["out"], "folder")
    collection = read_embeddings(given)
    from tf_scl.search.index import build_index, describe

    index = build_index(collection)
    index.save(given["out"])
    return Answer(f"wrote {given['out']}: {describe(index.facts)}")
