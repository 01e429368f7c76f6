"""The page: one string of HTML that needs no network, no script and no other file."""

from collections.abc import Mapping
from typing import Any

from tf_scl.errors import InputError
from tf_scl.evaluation.gate import PRETRAINED, why_not_probed
from tf_scl.flags import with_flags
from tf_scl.report import formats
from tf_scl.report.facts import ReportFacts

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
    try:
        import jinja2
        import markupsafe

        from tf_scl.report import charts, tables
    except ImportError as error:
        raise InputError(
            f"a report needs Jinja2 and matplotlib, which cannot be imported ({error}): "
            "pip install 'tf_scl[report]'"
        ) from error

    def finalize(value: Any) -> Any:
        return value if isinstance(value, markupsafe.Markup) else formats.clean(value)

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("tf_scl.report", "."),
        autoescape=True,
        finalize=finalize,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {filter.__name__: filter for filter in _FILTERS}
    environment.filters["metric_name"] = tables.metric_name
    return environment.get_template("page.html").render(
        facts=facts,
        reasons={name: _reason(facts.missing, name) for name in REASONS},
        charts=charts,
        tables=tables,
        encoder=facts.evaluation and facts.evaluation.representations.get(PRETRAINED),
        why_not_probed=why_not_probed,
    )


def _reason(missing: Mapping[str, str], name: str) -> str:
    return str(missing.get(name) or REASONS[name]).rstrip(". ")
