"""A source of images compared with the images that a model was made for."""

import dataclasses

from tf_scl.data.sources.source import Source
from tf_scl.drift.detect import LEVEL, Drift, detect_drift
from tf_scl.embedding.in_process import embed_source
from tf_scl.embedding.served_model import find_model
from tf_scl.errors import InputError
from tf_scl.ingestion.summary import describe_reasons
from tf_scl.serving.reference import read_reference
from tf_scl.serving.reference_size import LEAST_IMAGES
from tf_scl.typing import PathLike


@dataclasses.dataclass(frozen=True)
class SourceDrift:
    """What was found of a source.

    Attributes:
        source: Str, as the user gave it.
        model: Path of the SavedModel.
        listed: Number of images of the source.
        rejected: Dict from reason to number of images that could not be embedded.
        strangest: Names of the strangest images, as many as `drift.strangest`.
        places: Their places in the order in which the source lists its images, from 0.
        drift: `Drift`.
    """

    source: str
    model: str
    listed: int
    rejected: dict[str, int]
    strangest: tuple[str, ...]
    places: tuple[int, ...]
    drift: Drift


def compare(
    source: Source,
    model: PathLike,
    level: float = LEVEL,
    most: int | None = 2000,
    max_megabytes: int = 100,
    seed: int = 0,
) -> SourceDrift:
    """Embeds images of a source and compares them with those that the model keeps.

    Args:
        source: `tf_scl.data.sources.source.Source`.
        model: Path of a SavedModel with a reference (`tf_scl.export_saved_model`), or of a
            folder of versions.
        level: As of `tf_scl.drift.detect.detect_drift`.
        most: Int >= 20, so many images at most are looked at; of more, so many are drawn. None
            for all.
        max_megabytes: Int, larger files are set aside.
        seed: Int, of the draw.

    Returns:
        `SourceDrift`.

    Raises:
        InputError: A source or a model that cannot be used, a model that keeps no reference, or
            too few images.
    """
    served = find_model(model)
    reference = read_reference(served.path)
    found = embed_source(source, served, max_megabytes, most, seed)
    if len(found.ids) < LEAST_IMAGES:
        raise InputError(
            f"drift is seen in {LEAST_IMAGES} images and more; of the {found.listed:,} images of "
            f"{source.name!r} {len(found.ids):,} could be embedded"
        )
    drift = detect_drift(reference, found.embeddings, level, seed=seed)
    return SourceDrift(
        source.name,
        served.path,
        found.listed,
        found.rejected,
        tuple(found.ids[number] for number in drift.strangest),
        tuple(found.places[number] for number in drift.strangest),
        drift,
    )


def findings(found: SourceDrift) -> list[str]:
    """What was found of the images as a whole, as lines for people."""
    drift = found.drift
    rejected = sum(found.rejected.values())
    few = drift.images + rejected < found.listed
    images = f"{found.listed:,} found, {drift.images:,} looked at"
    images += " (drawn at random)" if few else ""
    if rejected:
        images += f", {rejected:,} rejected ({describe_reasons(found.rejected)})"
    if drift.copies:
        images += f", {drift.copies:,} are copies of others and not counted again"
    verdict = (
        "yes, they are of another kind than those that the model was made for"
        if drift.drifted
        else "none is shown"
    )
    return [
        f"images     {images}",
        f"drift      {verdict}",
        f"           p = {drift.p_value:.3g} ({drift.level:g} or less counts), from "
        f"{drift.tested:,} of them and {drift.reference_images:,} images that the model keeps",
        f"outside    {100 * drift.outside:.1f} % are farther from these than "
        f"{100 * (1 - drift.expected_outside):.1f} % of them are from each other; "
        f"{100 * drift.expected_outside:.1f} % is usual",
    ]


def describe(found: SourceDrift) -> str:
    """What was found, the strangest images too, as lines for people."""
    lines = findings(found)
    strangest = zip(found.strangest, found.drift.distances, strict=True)
    for number, (name, distance) in enumerate(strangest):
        head = "strangest" if number == 0 else ""
        lines.append(f"{head:<11}{distance:.1f} x the usual distance: {name}")
    return "\n".join(lines)
