"""A page of thumbnails with their names, in one file that needs no network."""

import dataclasses
import io
from collections.abc import Collection, Sequence

import PIL.Image

from tf_scl.data.sources.source import Source, Unit
from tf_scl.embedding.in_process import read_places
from tf_scl.embedding.rows import check_item
from tf_scl.report.records import thumbnail
from tf_scl.report.templates import environment

_MAX_PIXELS = 10**9  # they have been embedded, and so checked


@dataclasses.dataclass(frozen=True)
class SheetImage:
    """One image of a sheet.

    Attributes:
        uri: Str, the image as data URI (`tf_scl.report.records.thumbnail`).
        name: Str.
        note: Str, shown below the name.
    """

    uri: str
    name: str
    note: str = ""


@dataclasses.dataclass(frozen=True)
class SheetGroup:
    """Images below one heading, which may be ""."""

    heading: str
    images: tuple[SheetImage, ...]


@dataclasses.dataclass(frozen=True)
class Sheet:
    """A page: its title, sentences below it, and groups of images."""

    title: str
    paragraphs: tuple[str, ...]
    groups: tuple[SheetGroup, ...]


def render_sheet(sheet: Sheet) -> str:
    """Renders a sheet as HTML.

    Raises:
        InputError: Jinja2 is missing.
    """
    page: str = environment().get_template("sheet.html").render(sheet=sheet)
    return page


def source_thumbnails(
    source: Source, units: Sequence[Unit], places: Collection[int], max_megabytes: int
) -> dict[int, str]:
    """Reads some images of a source again, as thumbnails.

    Args:
        source: `Source`.
        units: Its listing, in which these are places. What it lists now may be another one, such as
            with a file that has been written into its folder since.
        places: Ints (`EmbeddedImages.places`).
        max_megabytes: Int, as they were embedded with.

    Returns:
        Dict from place to data URI; without those that cannot be read any more.
    """
    found = {}
    for place, item in read_places(source, units, places, max_megabytes * 2**20):
        _, encoded = check_item(item, _MAX_PIXELS)
        if encoded is not None:
            with PIL.Image.open(io.BytesIO(encoded)) as image:
                found[place] = thumbnail(image)
    return found
