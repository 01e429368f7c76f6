"""The images to label next, on a page."""

from tf_scl.data.sources.source import Source
from tf_scl.report.sheet import Sheet, SheetGroup, SheetImage, render_sheet, source_thumbnails
from tf_scl.suggestion.suggest import Suggestions, describe


def suggestion_page(found: Suggestions, source: Source, max_megabytes: int) -> str:
    """Renders what `tf_scl.suggestion.suggest.suggest` chose as HTML.

    Args:
        found: `Suggestions`.
        source, max_megabytes: As `suggest` was given them.
    """
    thumbnails = source_thumbnails(source, found.units, found.places, max_megabytes)
    images = []
    for place, name, one in zip(found.places, found.names, found.suggestions, strict=True):
        note = f"stands for {100 * one.share:.1f} %"
        if one.doubt is not None:
            note += f", doubt {one.doubt:.2f}"
        if place in thumbnails:
            images.append(SheetImage(thumbnails[place], name, note))
    text = (
        describe(found),
        "The first one is the one to label first. An image stands for the share of all images "
        "that are in its cluster; doubt is 1 where two classes are equally likely by the labels "
        "so far, and 0 where one is certain.",
    )
    return render_sheet(Sheet("Images to label next", text, (SheetGroup("", tuple(images)),)))
