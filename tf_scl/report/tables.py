"""Rows and sentences that the page shows, made from the facts."""

import itertools
import json
import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from tf_scl.evaluation.gate import PIXELS, PRETRAINED, UNTRAINED
from tf_scl.evaluation.results import (
    BLESSED,
    FAILED,
    NOT_SHOWN,
    PASSED,
    REFUSED,
    Check,
    Confusion,
    Difference,
    DrawnProbeScore,
    Evaluation,
    FewShotProbeScore,
    LinearProbeScore,
    Representation,
    Score,
    Verdict,
)
from tf_scl.evaluation.spectrum import SpectrumEstimate
from tf_scl.report.charts import Row
from tf_scl.report.facts import Ingestion, ReportFacts
from tf_scl.report.formats import NOTHING, number, percent, percent_interval, shorten

VIEW_MATCHING = "View matching"
_HEADLINES = {
    BLESSED: ("yes", "Blessed"),
    REFUSED: ("no", "Not blessed"),
    NOT_SHOWN: ("unsure", "Not shown to be of use, not blessed"),
}
_ORDER = {FAILED: 0, NOT_SHOWN: 1, PASSED: 2}
_NOTES = {"labels": "labels", "k": "neighbors", "epochs": "epochs"}
_DETAILS = {
    "l2": "L2 strength",
    "best_accuracy": "best accuracy, picked with hindsight",
    "best_epoch": "epoch of the best accuracy",
}
_METRICS = {
    "clipped": "share clipped",
    "learning_rate": "learning rate",
    "scaled_loss": "loss times mu",
}
_SPECTRUM = {
    "effective_rank": "effective rank",
    "dimension": "dimension of the features",
    "suggested_dimension": "suggested dimension (largest clear gap)",
    "eigengap": "the gap",
    "loss": "loss of the features as they are scaled",
    "optimum": "optimum for this spectrum",
    "loss_gap": "loss above the optimum",
    "collapsed": "collapsed",
    "bound_dimension": "dimension k of the bound",
    "mu": "μ = 1 − eigenvalue k + 1",
    "label_disagreement": "share of view pairs given two labels",
    "probe_error": "error of the labeling",
    "bound": "bound on a linear head's error",
    "images": "images",
    "views": "views of each",
}


class Card(NamedTuple):
    """A number that matters most, in large print."""

    heading: str
    value: str
    about: str


class TableRow(NamedTuple):
    """A row of the accuracy table: name, a note on it, and pairs of text and small print."""

    name: str
    note: str
    cells: list[tuple[str, str]]


def headline(verdict: Verdict) -> tuple[str, str]:
    """Returns the kind of a verdict ("yes", "no" or "unsure"), and a few words."""
    if verdict.blessed and verdict.doubts:
        return "unsure", f"Blessed, without a gain over the {' and the '.join(verdict.doubts)}"
    return _HEADLINES[verdict.state]


def sorted_checks(evaluation: Evaluation) -> list[Check]:
    """Returns the checks, what failed first."""
    return sorted(evaluation.checks, key=lambda check: _ORDER[check.state])


def cards(facts: ReportFacts) -> list[Card]:
    """Returns the three most important numbers that there are."""
    return [card for _, card in zip(range(3), _cards(facts), strict=False)]


def _cards(facts: ReportFacts) -> Iterator[Card]:
    results = facts.evaluation.representations if facts.evaluation else {}
    encoder = results.get(PRETRAINED)
    if facts.evaluation and encoder:
        for heading, scores in measures(results).items():
            own = scores.get(PRETRAINED)
            if isinstance(own, (FewShotProbeScore, LinearProbeScore)):
                confidence = percent(facts.evaluation.level, 0)
                about = [f"{confidence} interval {percent_interval(own.interval)}"]
                about += [f"{name} {percent(scores[name].accuracy)}" for name in (PIXELS, UNTRAINED)
                          if name in scores]  # fmt: skip
                yield Card(heading, percent(own.accuracy), "; ".join(about))
        if encoder.effective_rank is not None:
            yield Card(
                "Effective rank of the features",
                number(encoder.effective_rank, 3),
                f"of {number(encoder.dimension)} dimensions; below about 2 an encoder tells "
                "nothing apart",
            )
        if not encoder.finite:
            about_it = "NaN or infinite: nothing could be measured"
            yield Card("Features of the encoder", "not finite", about_it)
    for kind, spectrum in list((facts.spectrum or {}).items())[-1:]:
        about_it = f"loss {number(spectrum.loss)}, optimum {number(spectrum.optimum)}"
        yield Card(f"Loss above its optimum, {kind}", number(spectrum.loss_gap, 3), about_it)
    loss = (facts.history or {}).get("loss")
    if loss:
        about_it = f"{number(loss[0])} after the first of {number(len(loss))} epochs"
        yield Card("Training loss at the end", number(loss[-1]), about_it)
    if facts.ingestion:
        summary = facts.ingestion.summary
        kept = number(sum(summary.kept.values()))
        yield Card("Images kept", kept, f"of {number(summary.files)} files")


def measures(results: Mapping[str, Representation]) -> dict[str, dict[str, Score]]:
    """Returns from the heading of a measure to the scores of the representations that have it."""
    found: dict[str, dict[str, Score]] = {}
    for name, one in results.items():
        by_heading: list[tuple[str, Score | None]] = []
        if one.few_shot_probe:
            per_class = number(one.few_shot_probe.labels_per_class)
            by_heading.append((f"Linear probe, {per_class} labels per class", one.few_shot_probe))
        by_heading += [
            (f"Linear probe, {100 * score.fraction:.6g} % of the labels", score)
            for score in one.fraction_probes
        ]
        by_heading += [
            ("Linear probe, all labels", one.linear_probe),
            ("Linear probe by SGD", one.sgd_probe),
            ("k nearest neighbors", one.knn),
            (VIEW_MATCHING, one.view_matching),
        ]
        for heading, score in by_heading:
            if score is not None:
                found.setdefault(heading, {})[name] = score
    return found


def accuracy_rows(results: Mapping[str, Representation]) -> list[tuple[str, list[Row]]]:
    """Returns headings and rows of the accuracy chart."""
    kinds = {name: kind for kind, name in enumerate(results)}
    return [
        (heading, [Row(name, *_pair(score), kinds[name]) for name, score in scores.items()])
        for heading, scores in measures(results).items()
        if heading != VIEW_MATCHING
    ]


def _pair(score: Score) -> tuple[float, tuple[float, float]]:
    return score.accuracy, score.interval


def difference_rows(named: Mapping[str, Difference]) -> list[tuple[str, list[Row]]]:
    """Returns heading and rows of a chart of differences."""
    rows = enumerate(named.items())
    return [("Linear probe", [Row(name, one.value, one.interval, i) for i, (name, one) in rows])]


def accuracy_table(results: Mapping[str, Representation]) -> Iterator[TableRow]:
    """Yields every number of every representation; what is equal for all is a note."""
    ranks = [(number(one.effective_rank), "") for one in results.values()]
    yield TableRow("dimension", "", [(number(one.dimension), "") for one in results.values()])
    yield TableRow(
        "features are finite", "", [(number(one.finite), "") for one in results.values()]
    )
    yield TableRow("effective rank", "how many directions the features use", ranks)
    for heading, scores in measures(results).items():
        note, rows = [], []
        for field, name in (_NOTES | _DETAILS).items():
            found = [getattr(scores.get(who), field, None) for who in results]
            known = set(found) - {None}
            if len(known) == 1 and field in _NOTES:
                note.append(f"{number(known.pop())} {name}")
            elif known:
                show = percent if field == "best_accuracy" else number
                rows.append(TableRow(f"– {name}", "", [(show(value), "") for value in found]))
        if heading == VIEW_MATCHING:
            note.append("how often two views of an image are found to be of one image")
        yield TableRow(heading, ", ".join(note), [_cell(scores.get(name)) for name in results])
        yield from rows


def _cell(score: Score | None) -> tuple[str, str]:
    if score is None:
        return NOTHING, ""
    text = percent(score.accuracy)
    if isinstance(score, DrawnProbeScore):
        text = f"{100 * score.accuracy:.1f} ± {percent(score.std)}"
    return text, percent_interval(score.interval)


def most_confused(confusion: Confusion) -> list[tuple[str, str, int, str]]:
    """Returns true class, predicted class, count and share of the true class, most first."""
    names = [shorten(name, 40) for name in confusion.classes]
    found = [
        (count, row, column)
        for row, line in enumerate(confusion.counts)
        for column, count in enumerate(line)
        if count and row != column
    ]
    found.sort(key=lambda one: (-one[0], one[1:]))
    return [
        (names[row], names[column], count, percent(count / sum(confusion.counts[row])))
        for count, row, column in found
    ]


def worst_classes(confusion: Confusion) -> list[tuple[str, int, str]]:
    """Returns class, number of its images and share that is right, the least first."""
    found = [
        (line[row] / sum(line), row, sum(line))
        for row, line in enumerate(confusion.counts)
        if sum(line)
    ]
    return [
        (shorten(confusion.classes[row], 40), count, percent(share))
        for share, row, count in sorted(found)
    ]


def curves(history: Mapping[str, tuple[float, ...]]) -> dict[str, tuple[float, ...]]:
    """Returns the metrics that have values: what training lowers first, learning rate last."""
    first = "scaled_loss" if "scaled_loss" in history else "loss"
    order = sorted(history, key=lambda metric: (metric != first, metric == "learning_rate"))
    return {metric: history[metric] for metric in order if history[metric]}


def lost_epochs(history: Mapping[str, tuple[float, ...]]) -> int:
    """Returns in how many epochs a metric was NaN or infinite, of the metric that lost most."""
    lost = [sum(not math.isfinite(value) for value in values) for values in history.values()]
    return max(lost, default=0)


def metric_name(metric: str) -> str:
    """Returns a metric's name for people."""
    return _METRICS.get(metric, metric.replace("_", " "))


def is_share(metric: str) -> bool:
    """Whether a metric's values are shares, 0..1."""
    return metric == "clipped" or metric.endswith("_accuracy")


def extremes(history: Mapping[str, tuple[float, ...]]) -> Iterator[list[str]]:
    """Yields name, first, last, lowest and highest value of each metric, as text."""
    for metric, values in history.items():
        known = [(value, epoch) for epoch, value in enumerate(values, 1) if math.isfinite(value)]
        ends = (min(known), max(known)) if known else ()
        shown = [f"{number(value)} (epoch {number(epoch)})" for value, epoch in ends]
        name = metric_name(metric)
        yield [name, number(values[0]), number(values[-1]), *(shown or [NOTHING, NOTHING])]


def epochs(history: Mapping[str, tuple[float, ...]]) -> Iterator[tuple[float | None, ...]]:
    """Yields the number of each epoch and the values of all metrics at its end."""
    for epoch, values in enumerate(itertools.zip_longest(*history.values()), 1):
        yield epoch, *values


def spectrum_numbers(estimate: SpectrumEstimate) -> list[tuple[str, float]]:
    """Returns names and values of what a spectrum says besides its eigenvalues."""
    values = [(name, getattr(estimate, field)) for field, name in _SPECTRUM.items()]
    return [(name, value) for name, value in values if value is not None]


def eigenvalues(estimate: SpectrumEstimate) -> Iterator[tuple[float, ...]]:
    """Yields number, value and interval of each eigenvalue."""
    rows = zip(estimate.eigenvalues, estimate.low, estimate.high, strict=True)
    return ((place, *row) for place, row in enumerate(rows, 1))


def rejected(ingestion: Ingestion) -> list[tuple[str, str, str]]:
    """Returns file, reason and detail of the first images that were rejected."""
    return [
        (shorten(one.file, 120), one.reason, shorten(one.detail, 200))
        for one in ingestion.first_rejected
    ]


def settings(section: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yields the names and values of a section of the settings, as text."""
    for name, value in section.items():
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        yield name, shorten(text, 400)


def same_class(facts: ReportFacts) -> tuple[int, int]:
    """Returns how many neighbors are of the class of their query, and how many have a class."""
    pairs = [
        (query.image.label, near.label)
        for query in facts.neighbors or ()
        for near in query.neighbors
        if query.image.label is not None and near.label is not None
    ]
    return sum(one == other for one, other in pairs), len(pairs)
