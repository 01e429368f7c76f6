"""The page: one string of HTML that needs no network, no script and no other file."""

from collections.abc import Mapping

from tf_scl.evaluation.gate import PRETRAINED, why_not_probed
from tf_scl.flags import with_flags
from tf_scl.report import formats
from tf_scl.report.facts import ReportFacts
from tf_scl.report.templates import environment, not_installed

# What is said of a section that is missing, where the facts give no reason.
REASONS = {
    "history": "the training left no metrics of its epochs",
    "evaluation": "the encoder has not been evaluated",
    "spectrum": "it was not estimated in this evaluation",
    "map": "it was not drawn in this evaluation",
    "neighbors": "they were not looked for in this evaluation",
    "ingestion": "the ingestion's list was not given to the evaluation",
    "settings": "the run did not keep its settings",
    "versions": "the run did not note them",
    "comparison": "there is no earlier blessed encoder, or no label to judge by",
    "confusion": "there are no labels to judge by",
}
_FILTERS = (
    *(formats.number, formats.percent, formats.percent_interval),
    *(formats.points, formats.points_interval, formats.shorten, with_flags),
)


def render(facts: ReportFacts) -> str:
    """Renders the whole page as HTML.

    Raises:
        InputError: Jinja2 or matplotlib is missing.
    """
    templates = environment()
    try:
        from tf_scl.report import charts, tables
    except ImportError as error:
        raise not_installed(error) from error
    templates.filters |= {filter.__name__: filter for filter in _FILTERS}
    templates.filters["metric_name"] = tables.metric_name
    return templates.get_template("page.html").render(
        facts=facts,
        reasons={name: _reason(facts.missing, name) for name in REASONS},
        charts=charts,
        tables=tables,
        encoder=facts.evaluation and facts.evaluation.representations.get(PRETRAINED),
        why_not_probed=why_not_probed,
    )


def _reason(missing: Mapping[str, str], name: str) -> str:
    return str(missing.get(name) or REASONS[name]).rstrip(". ")
