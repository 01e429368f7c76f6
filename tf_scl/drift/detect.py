"""New embeddings beside those of a reference: is it the same kind of images, and which are not?"""

import dataclasses

import numpy as np

from tf_scl import validation
from tf_scl.drift.two_sample import mmd_test, squared_distances
from tf_scl.errors import InputError
from tf_scl.typing import Array

LEVEL = 0.01  # a check each day would be wrong three or four times a year
LEAST = 20  # images, of the reference and of the new ones
OUTSIDE = 0.01  # share of the reference's own images that count as outside
_TESTED = 1000  # of each at most: the test takes the square of it
_NEIGHBOR = 5  # which nearest image of the reference tells how far an image is
_CHUNK = 1024


@dataclasses.dataclass(frozen=True)
class Drift:
    """What a comparison found.

    Attributes:
        p_value: Of the two-sample test (`tf_scl.drift.two_sample`), of at most 1,000 images of
            each: how likely so large a difference is where there is none.
        statistic: Of the same test, the squared maximum mean discrepancy.
        level: Below it a p-value counts as drift.
        images: Number of new images.
        reference_images: Number of images that they were compared with.
        outside: Share of the new images that are farther from the reference than all but
            `expected_outside` of its own images.
        expected_outside: Share.
        strangest: Numbers of the new images, the farthest first.
        distances: How far each of these is, in distances that are usual: the median of the
            reference's own images.
    """

    p_value: float
    statistic: float
    level: float
    images: int
    reference_images: int
    outside: float
    expected_outside: float
    strangest: tuple[int, ...]
    distances: tuple[float, ...]

    @property
    def drifted(self) -> bool:
        """Whether the new images are of another kind, beyond chance."""
        return self.p_value < self.level


def detect_drift(
    reference: Array, new: Array, level: float = LEVEL, shown: int = 10, seed: int = 0
) -> Drift:
    """Compares embeddings of new images with those of a reference.

    Args:
        reference: Float array [N, D], of images that the encoder was not trained on: it is more
            sure of those that it was, so that all others would seem to have drifted.
        new: Float array [M, D], likewise.
        level: Float between 0 and 1.
        shown: Int, how many of the strangest images are named.
        seed: Int, of the permutations, and of the images that are tested where there are more
            than 1,000.

    Returns:
        `Drift`.

    Raises:
        InputError: Fewer than 20 images of either, values that are not finite, or embeddings of
            two lengths.
    """
    level = validation.positive("level", level, high=1)
    for name, rows in (("reference", reference), ("new", new)):
        if len(rows) < LEAST:
            raise InputError(
                f"drift is seen in {LEAST} images and more; the {name} ones are {len(rows)}"
            )
    rng = np.random.default_rng(seed)
    test = mmd_test(_some(reference, rng), _some(new, rng), seed=seed)
    usual = _distances(reference, reference, itself=True)
    found = _distances(new, reference, itself=False)
    farthest = np.argsort(-found, kind="stable")[:shown]
    unit = float(np.median(usual)) or 1.0
    return Drift(
        p_value=test.p_value,
        statistic=test.statistic,
        level=level,
        images=len(new),
        reference_images=len(reference),
        outside=float(np.mean(found > np.quantile(usual, 1 - OUTSIDE))),
        expected_outside=OUTSIDE,
        strangest=tuple(farthest.tolist()),
        distances=tuple((found[farthest] / unit).tolist()),
    )


def _some(rows: Array, rng: np.random.Generator) -> Array:
    if len(rows) <= _TESTED:
        return rows
    return rows[np.sort(rng.choice(len(rows), _TESTED, replace=False))]


def _distances(rows: Array, reference: Array, itself: bool) -> Array:
    """Distance of each row to the fifth nearest of the reference, float64 [N].

    Args:
        rows: [N, D].
        reference: [M, D], M > 5.
        itself: Whether the rows are those of the reference, and none is its own neighbor.
    """
    center = np.mean(reference, axis=0, dtype=np.float64)
    reference = reference - center
    found = []
    for start in range(0, len(rows), _CHUNK):
        part = rows[start : start + _CHUNK] - center
        squared = squared_distances(part, reference)
        if itself:
            np.fill_diagonal(squared[:, start:], np.inf)
        found.append(np.partition(squared, _NEIGHBOR - 1, axis=1)[:, _NEIGHBOR - 1])
    return np.sqrt(np.concatenate(found))
