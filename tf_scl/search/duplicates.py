"""Near-duplicates of a collection: pairs of images whose embeddings hardly differ, in groups."""

import dataclasses
import math

import numpy as np
import numpy.typing as npt

from tf_scl.errors import InputError
from tf_scl.search.collection import EmbeddedCollection
from tf_scl.search.index import build_index

_CHUNK = 1024  # images at a time
_MOST_PAIRS = 100  # for each image on average: more are no duplicates but a threshold too low


@dataclasses.dataclass(frozen=True)
class Duplicates:
    """What was found.

    Attributes:
        threshold: Cosine from which on two images count as duplicates.
        pairs: int64 [P, 2], places in the collection, the lower one first.
        cosines: float32 [P].
        groups: Lists of places. The first of each is the image that is kept, the others are
            duplicates of it, in order. Sorted by the first; no image is in two.
    """

    threshold: float
    pairs: npt.NDArray[np.int64]
    cosines: npt.NDArray[np.float32]
    groups: list[list[int]]

    @property
    def dropped(self) -> set[int]:
        """Places of the images that are left out: all of each group but its first."""
        return {place for group in self.groups for place in group[1:]}


def find_duplicates(collection: EmbeddedCollection, threshold: float | None = None) -> Duplicates:
    """Finds the near-duplicates of a collection.

    Images are gone through in their order. One that has duplicates which are in no group yet is
    kept, and these form its group. So every image that is left out is a duplicate of one that is
    kept, and not only of another that is left out too.

    Args:
        collection: `EmbeddedCollection`. Up to 100,000 images all pairs are compared, exactly; of
            more, those that an index finds (`tf_scl.search.index`).
        threshold: Float -1..1; None for that of the model
            (`tf_scl.serving.reference.duplicate_cosine`).

    Returns:
        `Duplicates`.

    Raises:
        InputError: A threshold out of range, or so low that the images have 100 duplicates each
            on average; or none is given and the model notes none.
    """
    threshold = _threshold(collection, threshold)
    pairs, cosines = _pairs(collection, threshold)
    return Duplicates(threshold, pairs, cosines, _groups(pairs))


def _pairs(
    collection: EmbeddedCollection, threshold: float
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    """All pairs at the threshold or above, and their cosines, sorted by their places."""
    index = build_index(collection)
    count = len(collection.ids)
    pairs, cosines, total = [], [], 0
    for start in range(0, count, _CHUNK):
        queries, rows, found = index.within(collection.vectors[start : start + _CHUNK], threshold)
        queries = queries + start
        once = queries < rows
        pairs.append(np.stack([queries[once], rows[once]], axis=1))
        cosines.append(found[once])
        total += int(once.sum())
        if total > _MOST_PAIRS * count:
            raise InputError(
                f"with a threshold of {threshold:g} more than {total:,} pairs of {count:,} images "
                "are duplicates, which is no use; give a higher one",
                setting="threshold",
            )
    joined = np.concatenate(pairs)
    order = np.lexsort((joined[:, 1], joined[:, 0]))
    return joined[order], np.concatenate(cosines)[order]


def _groups(pairs: npt.NDArray[np.int64]) -> list[list[int]]:
    """See `find_duplicates`; pairs are sorted."""
    groups: dict[int, list[int]] = {}
    taken: set[int] = set()
    for kept, other in pairs.tolist():
        if kept not in taken and other not in taken:  # all pairs that could take `kept` came before
            groups.setdefault(kept, [kept]).append(other)
            taken.add(other)
    return list(groups.values())


def _threshold(collection: EmbeddedCollection, given: float | None) -> float:
    if given is None:
        given = collection.metadata.get("duplicate_cosine")
        if given is None:
            raise InputError(
                f"the model {collection.model!r} notes no cosine from which on images count as "
                "duplicates, as models of `make run` do; give one",
                setting="threshold",
            )
    if not -1 <= given <= 1:
        raise InputError(f"a cosine is between -1 and 1. Received: {given}", setting="threshold")
    return float(given)


def describe(collection: EmbeddedCollection, found: Duplicates) -> str:
    """What was found, as a sentence for people."""
    count = len(collection.ids)
    if not found.groups:
        return f"no duplicates among {count:,} images (cosine {found.threshold:.4f} and above)"
    inside = sum(map(len, found.groups))
    return (
        f"{len(found.pairs):,} pairs among {count:,} images (cosine {found.threshold:.4f} and "
        f"above): {inside:,} images in {len(found.groups):,} groups; with one of each kept, "
        f"{count - len(found.dropped):,} images remain"
    )


def pairs_by_chance(images: int, reference_images: int, reference_pairs: int) -> float:
    """How many pairs of different images are to be expected at the cosine of a model or above.

    As large a share of all pairs as of those of the model's reference. Where there is none among
    these, the upper bound of 95 % for that share, 3 / pairs (the rule of three). It takes the pairs
    for independent; they are not quite, for each image is in many.

    Args:
        images: Number of images in the collection.
        reference_images: Number of images in the reference, N >= 2.
        reference_pairs: Number of pairs of these at the cosine or above.
    """
    return (reference_pairs or 3) / math.comb(reference_images, 2) * math.comb(images, 2)


def describe_chance(collection: EmbeddedCollection, threshold: float) -> str:
    """What `pairs_by_chance` says, as a sentence for people.

    Returns:
        Str; "" where the model notes nothing of its reference, or another cosine.
    """
    noted = collection.metadata
    if "reference_images" not in noted or noted["duplicate_cosine"] != threshold:
        return ""
    kept, above = noted["reference_images"], noted["reference_pairs_above"]
    expected = pairs_by_chance(len(collection.ids), kept, above)
    return (
        f"by chance {'about' if above else 'at most'} "
        f"{expected:{',.0f' if expected >= 10 else '.2g'}} pairs of different images are to be "
        f"expected among so many{'' if above else ' (at 95 %)'}: {above or 'none'} of the "
        f"{math.comb(kept, 2):,} pairs of the model's reference images are this close"
    )
