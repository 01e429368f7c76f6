"""`tf-scl views`: images with their two views, as a picture."""

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tf_scl.commands.shared import (
    Answer,
    add_out,
    add_source,
    require_apart,
    require_some,
    save,
    suffix,
)
from tf_scl.data.sources.open_source import absolute, open_source
from tf_scl.errors import InputError
from tf_scl.flags import SOURCES, add_flags, config_from
from tf_scl.logging_setup import warm_up_xla

if TYPE_CHECKING:
    from tf_scl.commands.shared import Commands

_PICTURES = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG"}


def add(commands: "Commands", argv: Sequence[str] | None) -> None:
    """Adds the command to a parser's."""
    views = commands.add_parser("views", help="draw images with their two views", **SOURCES)
    views.set_defaults(run=_run)
    add_source(views)
    add_out(views, "views.png", "PNG or JPEG")
    views.add_argument(
        "--count",
        metavar="N",
        type=int,
        default=18,
        help="number of images (default: %(default)s)",
    )
    add_flags(views, argv, "laptop", ("ingest", "augment", "model", "train"))


def _run(given: dict[str, Any]) -> Answer:
    source, out, count = given.pop("source"), given.pop("out"), given.pop("count")
    config = config_from(given, "laptop")
    require_some("count", count)
    kind = _PICTURES.get(suffix(out))
    if kind is None:
        raise InputError(f"--out must end in .png or .jpg. Received: {out!r}")
    require_apart({"SOURCE": absolute(source)}, {"--out": out})
    warm_up_xla()
    from tf_scl.report.views_grid import draw_views

    picture = io.BytesIO()
    draw_views(open_source(source), config, count).save(picture, kind)
    save(picture.getvalue(), out)
    return Answer(f"wrote {out}")
