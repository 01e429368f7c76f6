"""Labels that are text: the classes of a whole source, in sorted order, as class folders are.

A worker sees a unit only, so what a text means there is in the unit's locator.
Where any label of a source is a number, numbers are what its labels are.
"""

import dataclasses
from collections.abc import Iterable, Sequence
from typing import TypeAlias

TextLabels: TypeAlias = tuple[tuple[bytes, int], ...]  # (text, label) pairs, which `dict` takes


@dataclasses.dataclass(frozen=True)
class Seen:
    """The labels of a unit.

    Attributes:
        numbers: Whether any is a number.
        texts: frozenset of bytes, those that are text.
    """

    numbers: bool
    texts: frozenset[bytes]


def class_labels(names: Iterable[bytes]) -> dict[bytes, int]:
    """Dict from class name (bytes) to label 0, 1, ... in sorted order of the bytes."""
    return {name: label for label, name in enumerate(sorted(set(names)))}


def labels_of_units(seen: Sequence[Seen]) -> list[TextLabels | None]:
    """What the texts of each unit mean.

    Args:
        seen: List of `Seen`, of all units.

    Returns:
        List, for each unit, of a tuple of (text, label) that `dict` takes, or
        of None where the labels of the source are numbers, or there are none.
    """
    if any(one.numbers for one in seen) or not any(one.texts for one in seen):
        return [None] * len(seen)
    labels = class_labels(text for one in seen for text in one.texts)
    return [tuple((text, labels[text]) for text in sorted(one.texts)) for one in seen]
