"""How a collection is divided into parts, each of which is embedded and stored as a whole."""

import dataclasses
import math
from collections.abc import Sequence

from tf_scl.data.sources.source import Unit

MAX_IMAGES = 256  # in a part
MAX_BYTES = 64 * 2**20  # of a part's images, about: a worker has a part or two in memory


@dataclasses.dataclass(frozen=True)
class WorkItem:
    """Successive units of a source, read by one worker, and the parts they make.

    Attributes:
        first: Number of its first part; parts are numbered through.
        units: Tuple of `tf_scl.data.sources.source.Unit`.
        items: Number of items in them.
        per_part: Number of items in each part but the last.
    """

    first: int
    units: tuple[Unit, ...]
    items: int
    per_part: int

    def parts(self) -> dict[int, int]:
        """Dict from the number of each part to how many items it holds, in order."""
        starts = range(0, self.items, self.per_part)
        return {
            self.first + number: min(self.per_part, self.items - start)
            for number, start in enumerate(starts)
        }


def plan_work(units: Sequence[Unit]) -> list[WorkItem]:
    """Pieces of work on a source, whose parts follow the order of its listing.

    Small units, such as 32 files, are put together, and large ones, such as a
    tar, make several parts.

    Args:
        units: List of `Unit`.

    Returns:
        List of `WorkItem`, the same for the same units.
    """
    work, together, first = [], [], 0
    for number, unit in enumerate(units):
        together.append(unit)
        items, size = sum(u.items for u in together), sum(u.size for u in together)
        if items < MAX_IMAGES and size < MAX_BYTES and number + 1 < len(units):
            continue
        count = max(1, math.ceil(items / MAX_IMAGES), math.ceil(size / MAX_BYTES))
        work.append(WorkItem(first, tuple(together), items, max(1, math.ceil(items / count))))
        first += len(work[-1].parts())
        together = []
    return work
