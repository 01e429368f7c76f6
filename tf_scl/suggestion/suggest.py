"""From a source of images and the labels so far to a list of images to be labeled."""

import collections
import csv
import dataclasses
import io

from tf_scl.data.sources.source import Source, Unit
from tf_scl.embedding.in_process import embed_source
from tf_scl.embedding.served_model import find_model
from tf_scl.errors import InputError
from tf_scl.labels.labels_file import COLUMNS, LabelsFile, normalized
from tf_scl.suggestion.choose import Suggestion, choose_images
from tf_scl.typing import PathLike


@dataclasses.dataclass(frozen=True)
class Suggestions:
    """Images to be labeled.

    Attributes:
        names: Of the images, the one to label first first.
        places: Their places in the order in which the source lists its images, from 0.
        units: Of the source, as it was listed.
        suggestions: `tf_scl.suggestion.choose.Suggestion`s, whose places are rows of those that
            could be embedded.
        images: Number of images that could be embedded.
        rejected: Dict from reason to number of the others.
        labeled: Dict from class to number of labels so far, those of other images left out.
    """

    names: tuple[str, ...]
    places: tuple[int, ...]
    units: tuple[Unit, ...]
    suggestions: tuple[Suggestion, ...]
    images: int
    rejected: dict[str, int]
    labeled: dict[str, int]


def suggest(
    source: Source,
    model: PathLike,
    count: int,
    labels: LabelsFile | None = None,
    max_megabytes: int = 100,
    seed: int = 0,
) -> Suggestions:
    """Suggests images to be labeled.

    Args:
        source: `tf_scl.data.sources.source.Source`.
        model: Path of a SavedModel, or of a folder of versions.
        count: Int >= 1.
        labels: `LabelsFile`, of those that have a label; or None.
        max_megabytes: Int, larger files are set aside.
        seed: Int, of the clusters.

    Returns:
        `Suggestions`.

    Raises:
        InputError: A source or a model that cannot be used, a label of an image that is not
            there, or no image left without a label.
    """
    found = embed_source(source, find_model(model), max_megabytes)
    rows = {normalized(name): row for row, name in enumerate(found.ids)}
    given = {} if labels is None else {row.filename: row for row in labels.rows}
    known = {rows[name]: row.label for name, row in given.items() if name in rows}
    if given and not known:
        first = next(iter(given.values()))
        raise InputError(
            f"labels file {labels and labels.path!r}: no line names an image of {source.name!r} "
            f"(line {first.line} names {first.filename!r}); name images as it does, for example "
            f"{found.ids[0]!r}",
            setting="labels",
        )
    chosen = choose_images(found.embeddings, count, known, seed)
    return Suggestions(
        tuple(found.ids[one.place] for one in chosen),
        tuple(found.places[one.place] for one in chosen),
        found.units,
        tuple(chosen),
        len(found.ids),
        found.rejected,
        dict(sorted(collections.Counter(known.values()).items())),
    )


def labels_table(found: Suggestions) -> str:
    """A file of labels with the labels left empty, to be filled in."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(COLUMNS)
    rows.writerows([name, ""] for name in found.names)
    return text.getvalue()


def describe(found: Suggestions) -> str:
    """What was chosen, as a sentence for people."""
    share = sum(one.share for one in found.suggestions)
    labeled = sum(found.labeled.values())
    text = f"{len(found.names):,} of {found.images:,} images are suggested"
    if labeled:
        return f"{text}, beside {labeled:,} that have a label"
    return f"{text}, each for a cluster; together these hold {100 * share:.0f} % of the images"
