"""`tf-scl duplicates`: images of a collection that hardly differ, in groups."""

import csv
import io
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tf_scl.commands.shared import (
    Answer,
    add_embeddings,
    add_out,
    read_embeddings,
    require_apart,
    save,
)

if TYPE_CHECKING:
    from tf_scl.commands.shared import Commands
    from tf_scl.search.collection import EmbeddedCollection
    from tf_scl.search.duplicates import Duplicates


def add(commands: "Commands", argv: Sequence[str] | None) -> None:
    """Adds the command to a parser's."""
    duplicates = commands.add_parser(
        "duplicates", help="find groups of images that hardly differ, among embeddings"
    )
    duplicates.set_defaults(run=_run)
    add_embeddings(duplicates)
    duplicates.add_argument(
        "--threshold",
        metavar="COSINE",
        type=float,
        help="from which on images count as duplicates (default: what the model notes, from "
        "copies of evaluation images)",
    )
    add_out(duplicates, "duplicates.csv", "CSV of the groups: group, keep, cosine, id")
    duplicates.add_argument(
        "--keep",
        metavar="FILE",
        type=os.path.expanduser,
        help="a list of all images that remain if of each group one is kept, a line each",
    )


def _run(given: dict[str, Any]) -> Answer:
    outputs = {"--out": given["out"], "--keep": given["keep"]}
    require_apart({"EMBEDDINGS": given["embeddings"]}, outputs)
    collection = read_embeddings(given)
    from tf_scl.search.duplicates import describe, describe_chance, find_duplicates

    found = find_duplicates(collection, given["threshold"])
    save(_table(collection, found), given["out"])
    wrote = f"wrote {given['out']}"
    if given["keep"]:
        kept = (one for place, one in enumerate(collection.ids) if place not in found.dropped)
        save("".join(f"{one}\n" for one in kept), given["keep"], "--keep")
        wrote += f" and {given['keep']}"
    chance = describe_chance(collection, found.threshold)
    return Answer("\n".join(filter(None, (describe(collection, found), chance, wrote))))


def _table(collection: "EmbeddedCollection", found: "Duplicates") -> str:
    """A line for each image of a group; the cosine is that with the image that is kept."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["group", "keep", "cosine", "id"])
    for number, group in enumerate(found.groups, start=1):
        cosines = collection.vectors[group] @ collection.vectors[group[0]]
        for place, cosine in zip(group, cosines.tolist(), strict=True):
            kept = "yes" if place == group[0] else "no"
            rows.writerow([number, kept, f"{cosine:.6f}", collection.ids[place]])
    return text.getvalue()
