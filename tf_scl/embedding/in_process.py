"""Images of a source embedded here and now, for commands that look at some thousands of them."""

import collections
import dataclasses
import itertools
import logging
import time
from collections.abc import Collection, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from tf_scl.data.sources.source import Item, Source, Unit
from tf_scl.embedding.rows import REFUSED, check_item
from tf_scl.embedding.served_model import ServedModel, embed_or_refuse
from tf_scl.errors import InputError
from tf_scl.ingestion.summary import describe_reasons

_BATCH = 64
_PROGRESS_SECONDS = 5

_log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class EmbeddedImages:
    """Some images of a source, and their embeddings.

    Attributes:
        ids: Names of the N images.
        places: Their places in the order in which the source lists its images, from 0.
        embeddings: float32 [N, D].
        units: Of the source, as it was listed.
        listed: Number of images of the source.
        rejected: Dict from reason to number of images that could not be embedded.
    """

    ids: tuple[str, ...]
    places: tuple[int, ...]
    embeddings: npt.NDArray[np.float32]
    units: tuple[Unit, ...]
    listed: int
    rejected: dict[str, int]


def embed_source(
    source: Source, model: ServedModel, max_megabytes: int, most: int | None = None, seed: int = 0
) -> EmbeddedImages:
    """Embeds the images of a source, or some of them that are drawn at random.

    Args:
        source: `tf_scl.data.sources.source.Source`.
        model: `ServedModel`.
        max_megabytes: Int, larger files are set aside.
        most: Int, how many images at most; None for all.
        seed: Int, of the draw.

    Returns:
        `EmbeddedImages`.

    Raises:
        InputError: A source or a model that cannot be used, or no image that can be embedded.
    """
    units = source.units()
    loaded = model.load()
    listed = sum(unit.items for unit in units)
    wanted: Sequence[int] = range(listed)
    if most is not None and listed > most:
        wanted = np.sort(np.random.default_rng(seed).choice(listed, most, replace=False)).tolist()
    _log.info("embedding %s of %s images by %s", f"{len(wanted):,}", f"{listed:,}", model.path)
    ids: list[str] = []
    places: list[int] = []
    embeddings: list[npt.NDArray[np.float32]] = []
    rejected: collections.Counter[str] = collections.Counter()
    items, told = read_places(source, units, wanted, max_megabytes * 2**20), time.monotonic()
    while batch := list(itertools.islice(items, _BATCH)):
        checked = [(place, *check_item(item, model.max_pixels)) for place, item in batch]
        rejected.update(row.problem[0] for _, row, _ in checked if row.problem)
        taken = [(place, row.id, data) for place, row, data in checked if data is not None]
        embedded, refused = embed_or_refuse(loaded, [data for _, _, data in taken])
        rejected[REFUSED] += len(refused)
        embeddings.append(embedded)
        kept = [one for number, one in enumerate(taken) if number not in refused]
        places += [place for place, _, _ in kept]
        ids += [name for _, name, _ in kept]
        if time.monotonic() - told > _PROGRESS_SECONDS:
            told = time.monotonic()
            done = f"{len(ids) + rejected.total():,}"
            _log.info("%s of %s images embedded", done, f"{len(wanted):,}")
    rejected = +rejected  # without the reasons of none
    if not ids:
        raise InputError(
            f"none of the {len(wanted):,} images of {source.name!r} can be embedded "
            f"({describe_reasons(rejected)})"
        )
    joined = np.concatenate(embeddings)
    return EmbeddedImages(tuple(ids), tuple(places), joined, tuple(units), listed, dict(rejected))


def read_places(
    source: Source, units: Sequence[Unit], wanted: Collection[int], max_bytes: int
) -> Iterator[tuple[int, Item]]:
    """Reads the items of a source at some places of its listing, in their order.

    Args:
        source: `Source`.
        units: What its `units` returned.
        wanted: Ints, places from 0.
        max_bytes: Int, of an item's file.

    Yields:
        (place, `Item`).
    """
    chosen, first = set(wanted), 0
    for unit in units:
        here = chosen.intersection(range(first, first + unit.items))
        if here:
            for place, item in enumerate(source.read(unit, max_bytes), start=first):
                if place in here:
                    yield place, item
        first += unit.items
