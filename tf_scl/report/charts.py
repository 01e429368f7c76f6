"""Charts as inline SVG, drawn by matplotlib. Every axis is named and ticked."""

import io
import re
import warnings
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple
from xml.etree import ElementTree

import matplotlib
import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from tf_scl.evaluation.results import Confusion, Interval
from tf_scl.evaluation.spectrum import SpectrumEstimate
from tf_scl.report.facts import EmbeddingMap
from tf_scl.report.formats import clean, percent, points, points_interval, shorten
from tf_scl.typing import Array

# Paul Tol's "muted" and black: color-blind people tell them apart. Markers differ too.
COLORS = (
    *("#332288", "#cc6677", "#117733", "#4aa5d4", "#882255"),
    *("#b59a2b", "#44aa99", "#aa4499", "#6b6b00", "#000000"),
)
MARKERS = "os^DvPX*<>"
LEGEND_CLASSES = 20  # of more classes a map shows numbers, and a list beside it the names
_INK, _GRAY, _GRID = "#1a1a1a", "#555555", "#e3e3e3"
_BARS = 60  # eigenvalues that are drawn one by one; of more the intervals become a band
_SETTINGS: dict[Any, Any] = {
    **{"svg.fonttype": "none", "svg.hashsalt": "tf_scl", "text.parse_math": False},
    **{"font.family": "DejaVu Sans", "font.size": 12, "text.color": _INK},
    **{"axes.edgecolor": _GRAY, "axes.labelcolor": _INK, "axes.labelweight": "bold"},
    **{"axes.spines.top": False, "axes.spines.right": False, "axes.axisbelow": True},
    **{"axes.grid": True, "grid.color": _GRID, "axes.formatter.useoffset": False},
    **{"xtick.color": _GRAY, "ytick.color": _GRAY, "legend.frameon": False},
    **{"xtick.labelcolor": _INK, "ytick.labelcolor": _INK},
}
_TITLE = "title: "  # begins the gid of a group that is given a <title>


class Row(NamedTuple):
    """A row of an interval chart: what it is of, and the number of its color and marker."""

    name: str
    value: float
    interval: Interval
    kind: int


def line_chart(name: str, values: Sequence[float], y_label: str, share: bool = False) -> Markup:
    """Draws a metric over the epochs; NaN leaves a gap.

    Args:
        name: Begins the ids inside the chart; unique on the page, as in all charts here.
        values: One number for each epoch.
        y_label: Name of the metric.
        share: Whether values are shares, so that the axis ends at 0 and 1.
    """

    def draw(axes: Axes) -> None:
        known = np.isfinite(np.array([np.nan, *values, np.nan]))
        alone = np.flatnonzero(known[1:-1] & ~known[:-2] & ~known[2:]).tolist()
        every = None if len(values) <= 12 else alone
        epochs = np.arange(1, len(values) + 1)
        axes.plot(epochs, values, color=COLORS[0], marker="o", markersize=5, markevery=every)
        axes.set(xlabel="epoch", ylabel=y_label)
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        if share:
            _keep_in_unit(axes.get_ylim, axes.set_ylim)
        if not known.any():
            axes.text(
                0.5, 0.5, "no finite value", color=_GRAY, ha="center", transform=axes.transAxes
            )

    return _svg(name, f"{y_label} over the epochs", 360, 240, draw)


def interval_chart(
    name: str, groups: Sequence[tuple[str, Sequence[Row]]], x_label: str, differences: bool = False
) -> Markup:
    """Draws accuracies, or differences of them, with their intervals, a row each.

    Args:
        name: As in `line_chart`.
        groups: Pairs of a heading and its rows.
        x_label: Name of the axis, with its unit.
        differences: Whether values are differences; they have signs and a line at 0.
    """
    lines: list[str | Row] = []
    for heading, rows in groups:
        lines.append(heading)
        lines.extend(rows)

    def draw(axes: Axes) -> None:
        beside = axes.get_yaxis_transform()
        for y, line in enumerate(lines):
            if isinstance(line, str):
                axes.text(0, y + 0.15, f" {line}", weight="bold", va="center", transform=beside)
                continue
            color, marker = _look(line.kind)
            face = color if line.kind % 2 == 0 else "white"
            axes.plot(line.interval, [y, y], color=color, marker="|", markersize=10, linewidth=2)
            axes.plot(line.value, y, color=color, marker=marker, markersize=9, mfc=face)
            axes.text(1.02, y, _described(line, differences), va="center", transform=beside)
        rows = {y: line.name for y, line in enumerate(lines) if isinstance(line, Row)}
        axes.set_yticks(list(rows), [shorten(one, 36) for one in rows.values()])
        axes.set(xlabel=x_label, ylim=(len(lines) - 0.4, -0.6))
        axes.grid(axis="y", visible=False)
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.xaxis.set_major_formatter(
            FuncFormatter(lambda x, _: f"{100 * x:.6g}".replace("-", "−"))
        )
        if differences:
            axes.axvline(0, color=_INK, linestyle="--", linewidth=1.5)
        else:
            _keep_in_unit(axes.get_xlim, axes.set_xlim)

    return _svg(name, f"{x_label}, with intervals", 860, 64 + 24 * len(lines), draw)


def spectrum_chart(name: str, estimate: SpectrumEstimate) -> Markup:
    """Draws eigenvalues in falling order with their intervals."""

    def draw(axes: Axes) -> None:
        values, count = estimate.eigenvalues, len(estimate.eigenvalues)
        places = np.arange(1, count + 1)
        if count > _BARS:
            axes.fill_between(places, estimate.low, estimate.high, color=COLORS[0], alpha=0.22)
            axes.plot(places, values, color=COLORS[0])
        else:
            axes.vlines(places, estimate.low, estimate.high, color=COLORS[0], linewidth=1.2)
            axes.plot(places, values, color=COLORS[0], marker="o", markersize=4, linestyle="none")
        axes.set(xlabel="number of the eigenvalue", ylabel="eigenvalue", ylim=(-0.02, 1.02))
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        gap = estimate.suggested_dimension
        if gap is not None:
            axes.axvline(gap + 0.5, color=_INK, linestyle="--", linewidth=1)
            right = gap > count / 2
            text = f"  largest gap after {gap}  "
            axes.text(gap + 0.5, 0.97, text, ha="right" if right else "left", va="center")

    return _svg(name, "eigenvalues with intervals", 500, 300, draw)


def confusion_chart(name: str, confusion: Confusion) -> Markup:
    """Draws a confusion matrix; a cell is the darker, the larger its share of its row."""
    names, count = [shorten(one, 18) for one in confusion.classes], len(confusion.classes)
    counts = np.array(confusion.counts)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    cell = min(44, max(27, 500 // max(count, 1)))
    widest = max(map(len, names), default=0)

    def draw(axes: Axes) -> None:
        axes.pcolormesh(shares**0.6, cmap="Blues", vmin=0, vmax=1, edgecolors="white", linewidth=1)
        for (row, column), value in np.ndenumerate(counts):
            color = "white" if shares[row, column] > 0.3 else _INK if value else "#8a8a8a"
            size = min(12.0, 1.5 * cell / max(len(str(value)), 3))
            text = axes.text(column + 0.5, row + 0.5, f"{value:,}", color=color, size=size)
            text.set(ha="center", va="center")
        turned: dict[str, Any] = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"}
        axes.set_xticks(np.arange(count) + 0.5, names, **(turned if 8 * widest > cell else {}))
        axes.set_yticks(np.arange(count) + 0.5, names)
        axes.set(xlabel="predicted class", ylabel="true class", aspect="equal")
        axes.invert_yaxis()
        axes.grid(visible=False)
        axes.tick_params(length=0)

    side = cell * count + 8 * widest + 60
    return _svg(name, "confusion matrix: predicted class against true class", side, side, draw)


def map_chart(name: str, drawn: EmbeddingMap) -> Markup:
    """Draws points in the color and marker of their class; many classes have numbers."""
    present = sorted({label for label in drawn.labels if label is not None})
    places, labels = np.array(drawn.points).reshape(-1, 2), np.array(drawn.labels, dtype=object)

    def draw(axes: Axes) -> None:
        for label in [None, *present]:
            own = places[[one == label for one in labels]]
            if not len(own):
                continue
            color, marker = ("#999999", "o") if label is None else _look(label)
            text = "no label" if label is None else shorten(drawn.classes[label], 30)
            face = color if label is None or label % 2 == 0 else "none"
            (dots,) = axes.plot(
                *own.T, color=color, marker=marker, markersize=6, linestyle="none", mfc=face,
                alpha=0.85, label=text.removeprefix("_") or "?",
            )  # fmt: skip
            dots.set_gid(_TITLE + clean(text))
        axes.set(xlabel="first coordinate (no unit)", ylabel="second coordinate (no unit)")
        axes.grid(visible=False)
        if len(present) > LEGEND_CLASSES:
            _number_classes(axes, {one: places[labels == one] for one in present})
        elif present:
            axes.legend(loc="upper left", bbox_to_anchor=(1, 1))

    return _svg(name, "map of embeddings, points by class", 860, 600, draw)


def _number_classes(axes: Axes, members: dict[int, Array]) -> None:
    """Writes the number of each class at the middle of its points, apart from the others."""
    taken: list[Array] = []
    for label, own in members.items():
        middle = axes.transData.transform(np.nanmedian(own, axis=0))
        turns = np.arange(0, 12, 0.5)
        spiral = np.stack([7 * np.cos(2.4 * turns), 5 * np.sin(2.4 * turns)], axis=1)
        tried = middle + turns[:, None] * spiral
        free = (one for one in tried if all((np.abs(one - old) > (22, 13)).any() for old in taken))
        taken.append(next(free, middle))
        x, y = axes.transData.inverted().transform(taken[-1])
        box = {"facecolor": "white", "alpha": 0.75, "edgecolor": "none", "pad": 0.5}
        axes.text(x, y, str(label), weight="bold", ha="center", va="center", bbox=box)


def _described(row: Row, differences: bool) -> str:
    if differences:
        return f"{points(row.value)}  [{points_interval(row.interval)}]"
    low, high = (f"{100 * end:.1f}" for end in row.interval)
    return f"{percent(row.value)}  [{low}, {high}]"


def _look(kind: int) -> tuple[str, str]:
    """Returns a color and a marker; a hundred kinds have a hundred looks."""
    return COLORS[kind % 10], MARKERS[(kind + kind // 10) % 10]


def _keep_in_unit(get: Callable[[], tuple[float, float]], set_: Callable[..., object]) -> None:
    """Limits an axis to shares, 0..1, with a little room for marks."""
    low, high = get()
    set_(max(low, -0.02), min(high, 1.02))


def _svg(name: str, title: str, width: int, height: int, draw: Callable[[Axes], None]) -> Markup:
    """Returns what `draw` does to axes as an `<svg>` of at most `width` pixels."""
    buffer = io.BytesIO()
    with matplotlib.rc_context(_SETTINGS), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # glyphs that matplotlib's font lacks a browser may have
        figure = Figure(figsize=(width / 72, height / 72), layout="constrained")
        draw(figure.add_subplot())
        figure.savefig(buffer, format="svg", metadata={"Date": None}, transparent=True)
    root = ElementTree.fromstring(buffer.getvalue())
    _shorten_ids(root, name)
    root.attrib = {"viewBox": f"0 0 {width} {height}", "role": "img", "aria-label": title}
    root.set("style", f"max-width:{width}px")
    heading = ElementTree.Element("title")
    heading.text = title
    root[:] = [heading, *(one for one in root if one.tag in ("g", "defs"))]
    return Markup(ElementTree.tostring(root, encoding="unicode"))


def _shorten_ids(root: ElementTree.Element, name: str) -> None:
    """Drops namespaces, and all ids but those that are referred to, which begin with `name`."""
    known: dict[str, str] = {}

    def renamed(match: re.Match[str]) -> str:
        return "#" + known.setdefault(match[1], f"{name}-{len(known)}")

    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
        for key, value in list(element.attrib.items()):
            del element.attrib[key]
            key = key.rpartition("}")[2]
            if key in ("href", "clip-path"):
                value = re.sub(r"#([\w-]+)", renamed, value)
            element.set(key, value)
    for element in root.iter():
        own = element.attrib.pop("id", "")
        if own in known:
            element.set("id", known[own])
        elif own.startswith(_TITLE):
            title = ElementTree.Element("title")
            title.text = own.removeprefix(_TITLE)
            element.insert(0, title)
        for style in [one for one in element if one.tag == "style"]:
            element.remove(style)  # of all elements of the page
