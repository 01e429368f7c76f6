"""`tf-scl search`: the images of a collection that are most like one."""

import json
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tf_scl.commands.shared import Answer, log_to_stderr, require_some
from tf_scl.errors import InputError
from tf_scl.logging_setup import warm_up_xla

if TYPE_CHECKING:
    from tf_scl.commands.shared import Commands


def add(commands: "Commands", argv: Sequence[str] | None) -> None:
    """Adds the command to a parser's."""
    search = commands.add_parser("search", help="find the images of an index most like one")
    search.set_defaults(run=_run)
    search.add_argument("image", metavar="IMAGE", type=os.path.expanduser, help="an image file")
    search.add_argument(
        "index", metavar="INDEX", type=os.path.expanduser, help="a folder of tf-scl index"
    )
    search.add_argument(
        "--model",
        metavar="MODEL",
        help="the SavedModel that made the embeddings (default: where it was then)",
    )
    search.add_argument(
        "--count",
        metavar="N",
        type=int,
        default=10,
        help="number of images (default: %(default)s)",
    )
    search.add_argument("--json", action="store_true", help="print JSON")


def _run(given: dict[str, Any]) -> Answer:
    require_some("count", given["count"])
    warm_up_xla()
    from tf_scl.config import IngestConfig
    from tf_scl.data.sources.open_source import open_source
    from tf_scl.embedding.in_process import embed_source
    from tf_scl.embedding.served_model import find_model
    from tf_scl.search.index import read_index

    index = read_index(given["index"])
    if not os.path.isfile(given["image"]):
        raise InputError(f"{given['image']!r} is no file; give one image")
    model = find_model(given["model"] or index.facts.model)
    index.require_model(model)
    log_to_stderr(quiet=True)
    source = open_source(given["image"])
    found = embed_source(source, model, IngestConfig().max_megabytes)
    cosines, rows = index.nearest(found.embeddings, given["count"])
    hits = [
        {"id": index.ids[row], "cosine": round(float(cosine), 6)}
        for cosine, row in zip(cosines[0], rows[0], strict=True)
        if row >= 0
    ]
    if given["json"]:
        return Answer(json.dumps(hits, indent=2))
    return Answer("\n".join(f"{hit['cosine']:.4f}  {hit['id']}" for hit in hits))
