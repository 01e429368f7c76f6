"""New embeddings beside those of a reference: is it the same kind of images, and which are not?"""

import dataclasses

import numpy as np

from tf_scl.drift.two_sample import mmd_test, permutations_for, squared_distances
from tf_scl.errors import InputError
from tf_scl.serving.reference_size import LEAST_IMAGES
from tf_scl.typing import Array

LEVEL = 0.01
_LEAST_LEVEL = 1e-4  # takes 99,999 permutations
_OUTSIDE = 0.01  # share of the reference's own images that count as outside
_TESTED = 1000  # of each at most: the test takes the square of it
_NEIGHBOR = 5  # which nearest image of the reference tells how far an image is
_CHUNK = 1024


@dataclasses.dataclass(frozen=True)
class Drift:
    """What a comparison found.

    Attributes:
        p_value: Of the two-sample test (`tf_scl.drift.two_sample`): how likely so large a
            difference is where there is none.
        statistic: Of the same test, the squared maximum mean discrepancy.
        level: A p-value of at most this counts as drift.
        images: Number of new images.
        copies: Number of those whose embedding another one has too, beyond the first of each:
            they are counted once.
        tested: Number of new images in the two-sample test.
        reference_images: Number of images that they were compared with.
        outside: Share of the new images that are farther from the reference than all but
            `expected_outside` of its own images.
        expected_outside: Share that `outside` has on average where both are of one kind.
        strangest: Numbers of the new images, the farthest first.
        distances: How far each of these is, in distances that are usual: the median of the
            reference's own images.
    """

    p_value: float
    statistic: float
    level: float
    images: int
    copies: int
    tested: int
    reference_images: int
    outside: float
    expected_outside: float
    strangest: tuple[int, ...]
    distances: tuple[float, ...]

    @property
    def drifted(self) -> bool:
        """Whether the new images are of another kind, beyond chance."""
        return self.p_value <= self.level


def detect_drift(
    reference: Array, new: Array, level: float = LEVEL, shown: int = 10, seed: int = 0
) -> Drift:
    """Compares embeddings of new images with those of a reference.

    Rows that are equal are counted once. The two-sample test takes at most 1,000 of the
    reference, and half as many new ones (but 20 at least): with more it would depend ever more on
    the one reference, by its own chance, whether there are false alarms.

    Args:
        reference: Float array [N, D], of images that the encoder was not trained on: it is more
            sure of those that it was, so that all others would seem to have drifted.
        new: Float array [M, D], likewise.
        level: Float, at least 0.0001 and below 1.
        shown: Int, how many of the strangest images are named.
        seed: Int, of the permutations, and of the images that are tested where there are more.

    Returns:
        `Drift`.

    Raises:
        InputError: Another level, fewer than 20 different rows of either, values that are not
            finite, or embeddings of two lengths.
    """
    require_level(level)
    kept, first = (_distinct(*both) for both in (("reference", reference), ("new", new)))
    reference, once = reference[kept], new[first]
    both = tested(reference, once, np.random.default_rng(seed))
    test = mmd_test(*both, permutations_for(level), seed)
    usual, found, outside = _distances(once, reference)
    farthest = np.argsort(-found, kind="stable")[:shown]
    unit = float(np.median(usual)) or 1.0
    return Drift(
        p_value=test.p_value,
        statistic=test.statistic,
        level=level,
        images=len(new),
        copies=len(new) - len(once),
        tested=len(both[1]),
        reference_images=len(reference),
        outside=float(np.mean(outside)),
        expected_outside=_outer(len(reference)) / (len(reference) + 1),
        strangest=tuple(first[farthest].tolist()),
        distances=tuple((found[farthest] / unit).tolist()),
    )


def tested(reference: Array, new: Array, rng: np.random.Generator) -> tuple[Array, Array]:
    """The rows of both that the two-sample test takes, drawn where there are more."""
    first = _some(reference, _TESTED, rng)
    return first, _some(new, max(LEAST_IMAGES, len(first) // 2), rng)


def require_level(level: float, name: str = "`level`") -> None:
    """Raises InputError for a level that no test can have, or that takes too many permutations.

    Args:
        level: Float.
        name: What the message calls it.
    """
    if not _LEAST_LEVEL <= level < 1:
        raise InputError(
            f"{name} must be at least {_LEAST_LEVEL} and below 1: fewer false alarms than one in "
            f"{1 / _LEAST_LEVEL:,.0f} cannot be promised. Received: {level}"
        )


def _distinct(name: str, rows: Array) -> Array:
    """Where each row is for the first time, int [K], in order; at least 20."""
    places = np.sort(np.unique(rows, axis=0, return_index=True)[1])
    if len(places) < LEAST_IMAGES:
        raise InputError(
            f"drift is seen in {LEAST_IMAGES} images and more that differ; of the {len(rows)} "
            f"{name} ones {len(places)} do"
        )
    return places


def _some(rows: Array, most: int, rng: np.random.Generator) -> Array:
    if len(rows) <= most:
        return rows
    return rows[np.sort(rng.choice(len(rows), most, replace=False))]


def _outer(count: int) -> int:
    """How many of `count` rows and a new one are outside: 1 in 100, and 1 at least."""
    return max(1, round(_OUTSIDE * (count + 1)))


def _distances(rows: Array, reference: Array) -> tuple[Array, Array, Array]:
    """How far rows are from a reference: from the fifth nearest of it.

    Whether a row is outside is a rank among all others (full conformal prediction: Vovk et al.,
    "Algorithmic Learning in a Random World", 2005): it joins the reference, each of the rows
    then has its distance to the fifth nearest *other* one, and the k largest of these N + 1 are
    outside. Of one distribution each place is as likely, so that k / (N + 1) are, for every N.

    Args:
        rows: [M, D].
        reference: [N, D], N > 5.

    Returns:
        (distances of the reference's rows [N] among themselves, those of the rows [M], whether
        each of the rows is outside [M]).
    """
    center = np.mean(reference, axis=0, dtype=np.float64)
    reference, rows = reference - center, rows - center
    fourth, fifth = _nearest(reference)
    found, outside = [], []
    for start in range(0, len(rows), _CHUNK):
        squared = squared_distances(rows[start : start + _CHUNK], reference)
        own = np.partition(squared, _NEIGHBOR - 1, axis=1)[:, _NEIGHBOR - 1]
        # What the fifth nearest of each row of the reference is with the new one beside it.
        others = np.clip(squared, fourth, fifth)
        found.append(own)
        outside.append(np.sum(others >= own[:, None], axis=1) < _outer(len(reference)))
    return np.sqrt(fifth), np.sqrt(np.concatenate(found)), np.concatenate(outside)


def _nearest(rows: Array) -> tuple[Array, Array]:
    """Squared distances of each row to the fourth and the fifth nearest other one, [N] each."""
    found = []
    for start in range(0, len(rows), _CHUNK):
        squared = squared_distances(rows[start : start + _CHUNK], rows)
        np.fill_diagonal(squared[:, start:], np.inf)
        places = np.arange(_NEIGHBOR - 2, _NEIGHBOR)
        found.append(np.partition(squared, places, axis=1)[:, places])
    fourth, fifth = np.concatenate(found).T
    return fourth, fifth
