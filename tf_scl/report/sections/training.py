"""Sections on what was learnt: the curves of the training, the spectrum of the features."""

from tf_scl.report import charts, elements, svg
from tf_scl.report.formats import NOTHING, number, percent

_NAMES = {
    "clipped": "share clipped",
    "learning_rate": "learning rate",
    "scaled_loss": "loss times mu",
}
_TERMS = {
    "attraction": "Attraction falls as the two views of an image come together;",
    "repulsion": "repulsion falls as different images go apart; the loss is their sum.",
    "clipped": "Share clipped: how many embeddings were longer than sqrt(mu), and were cut to it.",
    "negative_cosine": "The negative cosine falls to -1 as views are predicted from one another.",
}
_TERMS_OF_AUTO = (
    "The loss times mu is what training lowers. Loss, attraction and repulsion are -1, -2 and 1 "
    "times the mean cosine of the two views of an image, and say how alike these are."
)
_SPECTRUM = (
    ("effective_rank", "effective rank"),
    ("dimension", "dimension of the features"),
    ("suggested_dimension", "suggested dimension (largest clear gap)"),
    ("eigengap", "the gap"),
    ("loss", "loss of the features as they are scaled"),
    ("optimum", "optimum for this spectrum"),
    ("loss_gap", "loss above the optimum"),
    ("collapsed", "collapsed"),
    ("bound_dimension", "dimension k of the bound"),
    ("mu", "μ = 1 − eigenvalue k + 1"),
    ("label_disagreement", "share of view pairs given two labels"),
    ("probe_error", "error of the labelling"),
    ("bound", "bound on a linear head's error"),
    ("images", "images"),
    ("views", "views of each"),
)


def curves(facts):
    """A chart for each metric over the epochs, and a table of first, last, least and most."""
    history, heading = facts.get("history"), "Training curves"
    if not history or not any(history.values()):
        return elements.absent(facts, "history", heading, "curves")
    # What training lowers first, the learning rate last.
    first = "scaled_loss" if "scaled_loss" in history else "loss"
    order = sorted(history, key=lambda metric: (metric != first, metric == "learning_rate"))
    history = {metric: history[metric] for metric in order}
    epochs = max(map(len, history.values()))
    lost = max(sum(value is None for value in values) for values in history.values())
    lead = f"Means over each of {number(epochs)} epochs; the learning rate at its end."
    if epochs == 1:
        lead = "One epoch only: points, not curves."
    lead += "".join(f" {text}" for text in _about(history))
    parts = [elements.lead(lead)]
    if lost:
        text = f"In {number(lost)} epochs a metric was NaN or infinite; its curve has a gap there."
        parts.append(elements.paragraph(text, "flag"))
    drawn = [
        elements.figure(_curve(metric, values), _name(metric))
        for metric, values in history.items()
        if values
    ]
    rows = [_summary(metric, values) for metric, values in history.items() if values]
    head = ["metric", "first epoch", "last epoch", "lowest", "highest"]
    every = [[number(i + 1), *(_at(values, i) for values in history.values())]
             for i in range(epochs)]  # fmt: skip
    table = elements.table(["epoch", *map(_name, history)], every, text_columns=())
    return elements.section(
        "curves",
        heading,
        *parts,
        elements.columns("three", *drawn),
        elements.table(head, rows),
        elements.folded("Every epoch", table),
        together=len(parts) + 1,
    )


def spectrum(facts):
    """Eigenvalues of the augmentation graph as the features show them, for each kind."""
    known, heading = facts.get("spectrum"), "Spectrum"
    if not known:
        return elements.absent(facts, "spectrum", heading)
    lead = (
        "The augmentation graph joins any two views that augmentation can make of one image. Its "
        "eigenvalues, as far as these features show them, are near 1 for each group of images "
        "that augmentations hardly leave, near 0 for noise. A gap after k of them says that k "
        "dimensions hold what there is to learn."
    )
    blocks = [_spectrum_block(kind, one) for kind, one in known.items()]
    assumptions = dict.fromkeys(one["assumes"] for one in known.values() if one.get("assumes"))
    return elements.section(
        "spectrum",
        heading,
        elements.lead(lead),
        elements.columns("two", *blocks),
        *(elements.paragraph(f"Assumed: {text}") for text in assumptions),
    )


def _spectrum_block(kind, one):
    values = one["eigenvalues"]
    unknown = [None] * len(values)
    low, high = one.get("low") or unknown, one.get("high") or unknown
    level = f", {percent(one['level'], 0)} intervals" if one.get("level") is not None else ""
    chart = charts.spectrum_chart(values, low, high, one.get("suggested_dimension"))
    rows = [[name, number(one[key])] for key, name in _SPECTRUM if one.get(key) is not None]
    numbered = [
        [number(i + 1), number(value), number(low[i]), number(high[i])]
        for i, value in enumerate(values)
    ]
    head = ["number", "eigenvalue", "low", "high"]
    name = kind[:1].upper() + kind[1:]
    return elements.block(
        elements.figure(chart, f"{name}{level}"),
        *(elements.paragraph(flag, "flag") for flag in one.get("flags") or []),
        elements.table(None, rows),
        elements.folded("Every eigenvalue", elements.table(head, numbered, text_columns=())),
    )


def _about(history):
    """Sentences on what the metrics mean."""
    mu = history.get("mu")
    if not mu:
        return [text for metric, text in _TERMS.items() if metric in history]
    return [f"mu was found: {number(mu[-1], 3)} at the end.", _TERMS_OF_AUTO]


def _curve(metric, values):
    epochs = list(range(1, len(values) + 1))
    ticks = [(tick, number(tick)) for tick in svg.whole_ticks(1, len(values), 5)]
    share = metric == "clipped" or metric.endswith("_accuracy")
    series = charts.Series(epochs, values)
    return charts.line_chart(series, "epoch", _name(metric), ticks, share=share)


def _summary(metric, values):
    known = [(value, epoch) for epoch, value in enumerate(values, start=1) if value is not None]
    ends = [NOTHING, NOTHING]
    if known:
        ends = [f"{number(v)} (epoch {number(e)})" for v, e in (min(known), max(known))]
    return [_name(metric), number(values[0]), number(values[-1]), *ends]


def _at(values, place):
    return number(values[place]) if place < len(values) else NOTHING


def _name(metric):
    return _NAMES.get(metric, metric.replace("_", " "))
