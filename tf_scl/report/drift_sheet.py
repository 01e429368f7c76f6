"""The strangest of new images, on a page."""

from tf_scl.data.sources.source import Source
from tf_scl.drift.compare import SourceDrift, findings
from tf_scl.report.sheet import Sheet, SheetGroup, SheetImage, render_sheet, source_thumbnails


def drift_page(found: SourceDrift, source: Source, max_megabytes: int) -> str:
    """Renders what `tf_scl.drift.compare.compare` found as HTML.

    Args:
        found: `SourceDrift`.
        source, max_megabytes: As `compare` was given them.
    """
    thumbnails = source_thumbnails(source, source.units(), found.places, max_megabytes)
    rows = zip(found.places, found.strangest, found.drift.distances, strict=True)
    images = tuple(
        SheetImage(thumbnails[place], name, f"{distance:.1f} × the usual distance")
        for place, name, distance in rows
        if place in thumbnails
    )
    title = "Drift" if found.drift.drifted else "No drift is shown"
    return render_sheet(
        Sheet(title, tuple(findings(found)), (SheetGroup("The strangest images", images),))
    )
