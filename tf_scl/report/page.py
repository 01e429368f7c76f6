"""The page: one string of HTML that needs no network, no script and no other file."""

from tf_scl.report.formats import escape
from tf_scl.report.sections.accuracy import accuracy, comparison
from tf_scl.report.sections.confusion import confusion
from tf_scl.report.sections.images import embedding_map, neighbours
from tf_scl.report.sections.provenance import dead_letters, settings, versions
from tf_scl.report.sections.training import curves, spectrum
from tf_scl.report.sections.verdict import next_steps, top
from tf_scl.report.style import CSS

_SECTIONS = (
    ("next", "What to do next", next_steps),
    ("accuracy", "Accuracy", accuracy),
    ("comparison", "Last blessed", comparison),
    ("confusion", "Confusions", confusion),
    ("curves", "Training curves", curves),
    ("spectrum", "Spectrum", spectrum),
    ("map", "Map", embedding_map),
    ("neighbours", "Neighbours", neighbours),
    ("dead_letters", "Dead letters", dead_letters),
    ("config", "Settings", settings),
    ("versions", "Versions", versions),
)


def render(facts):
    """The whole page.

    Args:
        facts: Dict that `tf_scl.report.facts.check_facts` lets pass.

    Returns:
        Str, HTML.
    """
    title = escape(facts.get("title") or "Report of a training run")
    links = " ".join(f'<a href="#{name}">{text}</a>' for name, text, _ in _SECTIONS)
    return "\n".join(
        [
            "<!DOCTYPE html>",
            '<html lang="en">',
            "<head>",
            '<meta charset="utf-8"/>',
            '<meta name="viewport" content="width=device-width, initial-scale=1"/>',
            f"<title>{title}</title>",
            f"<style>{CSS}</style>",
            "</head>",
            "<body>",
            "<main>",
            top(facts),
            f'<nav aria-label="Sections">{links}</nav>',
            *(draw(facts) for _, _, draw in _SECTIONS),
            "<footer>The numbers of this page are those of report.json beside it, rounded. "
            "– stands for a number that was not measured, NaN or infinite.</footer>",
            "</main>",
            "</body>",
            "</html>",
            "",
        ]
    )
