"""`tf-scl embed`: a collection of images embedded, as one Parquet file."""

import functools
import types
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
)
from tf_scl.data.sources.open_source import absolute, open_source
from tf_scl.errors import InputError
from tf_scl.flags import SOURCES
from tf_scl.logging_setup import warm_up_xla

if TYPE_CHECKING:
    from tf_scl.commands.shared import Commands


def add(commands: "Commands", argv: Sequence[str] | None) -> None:
    """Adds the command to a parser's."""
    embed = commands.add_parser(
        "embed",
        help="embed a collection of images, into one Parquet file; goes on if stopped",
        **SOURCES,
    )
    embed.set_defaults(run=_run)
    add_source(embed)
    add_model(embed, " of tf_scl")
    add_out(embed, "embeddings.parquet", "Parquet")
    embed.add_argument(
        "--beam",
        metavar="FLAG",
        action="append",
        default=[],
        help="a Beam flag, such as --beam=--runner=FlinkRunner; as often as need be (default: "
        "all in this process)",
    )
    add_max_megabytes(embed)


def _run(given: dict[str, Any]) -> Answer:
    megabytes, place = max_megabytes(given), absolute(given["source"])
    require_apart({"SOURCE": place, "MODEL": given["model"]}, {"--out": given["out"]})
    warm_up_xla()
    source = open_source(place)
    log_to_stderr()
    embed = _import_embed()
    pipeline = functools.partial(_beam_pipeline, embed, given["beam"])
    summary = embed.embed(pipeline, source, given["model"], given["out"], megabytes)
    return Answer(embed.describe(summary))


def _beam_pipeline(embed: types.ModuleType, flags: Sequence[str]) -> Any:
    try:
        return embed.local_pipeline(flags)
    except InputError as error:
        raise InputError(f"{error}; write each as --beam=--NAME=VALUE") from error


def _import_embed() -> types.ModuleType:
    try:
        from tf_scl.embedding import embed
    except ImportError as error:
        if (error.name or "").partition(".")[0] not in ("apache_beam", "pyarrow"):
            raise
        raise InputError(
            f"embed needs Apache Beam, which cannot be imported ({error}): pip install tf_scl[beam]"
        ) from error
    return embed
