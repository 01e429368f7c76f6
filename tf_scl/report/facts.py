"""The facts of a report, as `report.json` holds them (`tf_scl.dataclass_json`).

A section that is None is missing; `ReportFacts.missing` says why, or `page.REASONS` does.
"""

import dataclasses
from typing import Any

from tf_scl.evaluation.results import Evaluation
from tf_scl.evaluation.spectrum import SpectrumEstimate
from tf_scl.ingestion.summary import IngestSummary, RejectedImage


@dataclasses.dataclass(frozen=True)
class EmbeddingMap:
    """A point in the plane for each image.

    Attributes:
        points: N points (x, y).
        labels: N indices of `classes`, or None where an image has no label.
        classes: Names.
        method: How the points came about, in words.
    """

    points: tuple[tuple[float, float], ...]
    labels: tuple[int | None, ...]
    classes: tuple[str, ...]
    method: str

    def __post_init__(self) -> None:
        if len(self.labels) != len(self.points):
            raise ValueError(
                "a map has as many labels as points. "
                f"Received: {len(self.labels)} and {len(self.points)}"
            )
        wrong = {one for one in self.labels if one is not None} - set(range(len(self.classes)))
        if wrong:
            raise ValueError(
                f"labels are indices of the {len(self.classes)} classes, or null. "
                f"Received: {min(wrong)}"
            )


@dataclasses.dataclass(frozen=True)
class Thumbnail:
    """A small copy of an image.

    Attributes:
        image: Data URI of a PNG.
        name: Path below the image folder.
        label: Name of its class, or None.
    """

    image: str
    name: str
    label: str | None


@dataclasses.dataclass(frozen=True)
class Neighbor(Thumbnail):
    """A training image, and the cosine of its features with those of the query."""

    similarity: float


@dataclasses.dataclass(frozen=True)
class Query:
    """An evaluation image, and the training images nearest to it, the nearest first."""

    image: Thumbnail
    neighbors: tuple[Neighbor, ...]


@dataclasses.dataclass(frozen=True)
class Ingestion:
    """What became of the images of a source.

    Attributes:
        summary: Counts.
        first_rejected: The first images that were rejected.
        rejected_list: Path of the list of all of them.
    """

    summary: IngestSummary
    first_rejected: tuple[RejectedImage, ...]
    rejected_list: str


@dataclasses.dataclass(frozen=True)
class ReportFacts:
    """Everything that a report shows.

    Attributes:
        made: Time, ISO 8601.
        versions: From package to version.
        title: Headline.
        data: Where the images came from.
        model: Folder of the SavedModel that was evaluated.
        short_side: Median over the evaluation images of their shorter side, pixels.
        next_steps: What to do next (`tf_scl.report.next_steps`).
        history: From metric to its value at the end of each epoch.
        evaluation: Scores, checks and verdict.
        spectrum: From kind of features to the spectrum of their augmentation graph.
        map: The map of embeddings.
        neighbors: Nearest neighbors of some images.
        near_copies: Evaluation images and their near copies among the training images, some.
        ingestion: What became of the images of the source.
        settings: From section to setting to value.
        missing: From a section, or "confusion" or "comparison", to why it is missing.
    """

    made: str
    versions: dict[str, str]
    title: str = "Report of a training run"
    data: str | None = None
    model: str | None = None
    short_side: int | None = None
    next_steps: tuple[str, ...] = ()
    history: dict[str, tuple[float, ...]] | None = None
    evaluation: Evaluation | None = None
    spectrum: dict[str, SpectrumEstimate] | None = None
    map: EmbeddingMap | None = None
    neighbors: tuple[Query, ...] | None = None
    near_copies: tuple[Query, ...] = ()
    ingestion: Ingestion | None = None
    settings: dict[str, dict[str, Any]] | None = None
    missing: dict[str, str] = dataclasses.field(default_factory=dict)
