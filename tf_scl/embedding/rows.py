"""What of an item of a source is kept beside its embedding, and the check that comes first."""

import dataclasses

from tf_scl.data.sources.source import Item, Problem
from tf_scl.files import printable
from tf_scl.images.check_image import RejectedImageError, check_image
from tf_scl.images.content_hash import content_sha256

REFUSED = "refused by the model"  # a reason, as those of `check_image`


@dataclasses.dataclass(frozen=True)
class Row:
    """An item of a source without its image.

    Attributes:
        id: Str, its name; bytes that are not UTF-8 are written as \\xNN.
        sha256: Str, hex digest of its content, or None where there is none.
        label: Int, or None.
        class_name: Str, or None.
        problem: None; or (reason, detail) if it is rejected.
    """

    id: str
    sha256: str | None
    label: int | None
    class_name: str | None
    problem: Problem | None = None


def check_item(item: Item, max_pixels: int) -> tuple[Row, bytes | None]:
    """Checks an item as ingestion does.

    Args:
        item: `tf_scl.data.sources.source.Item`.
        max_pixels: Int, of the model.

    Returns:
        (row, encoded): `Row`; and bytes of a PNG or JPEG, upright, or None
        where the row has a problem.
    """
    class_name = None if item.class_name is None else printable(item.class_name)
    row = Row(printable(item.name), None, item.label, class_name, item.problem)
    if item.problem:
        return row, None
    row = dataclasses.replace(row, sha256=content_sha256(item.content))
    try:
        return row, check_image(item.content, max_pixels).encoded
    except RejectedImageError as error:
        return dataclasses.replace(row, problem=(error.reason, error.detail)), None
