"""Charts as inline SVG: lines, intervals and eigenvalues. Every axis is named and ticked."""

import dataclasses

from tf_scl.report import svg
from tf_scl.report.formats import number, percent, points

_COLOUR = svg.COLOURS[0]
_BARS = 60  # eigenvalues that are drawn one by one; of more the intervals become a band


@dataclasses.dataclass(frozen=True)
class Series:
    """One line of a chart.

    Attributes:
        x: List of numbers.
        y: List of as many numbers; None leaves a gap.
        low, high: Ends of the interval of each, or None.
    """

    x: list
    y: list
    low: list | None = None
    high: list | None = None


@dataclasses.dataclass(frozen=True)
class Row:
    """One row of an interval chart: name, value and interval (numbers or None), kind of mark."""

    name: str
    value: float | None
    interval: list | None
    kind: int = 0


def line_chart(series, x_name, y_name, x_ticks, wide=360, high=240, share=False):
    """A line over an axis.

    Args:
        series: `Series`, without intervals.
        x_name, y_name: Names of the axes, with units.
        x_ticks: List of (value, text).
        wide, high: Pixels.
        share: Whether values are shares, so that the axis ends at 0 and 1.

    Returns:
        Str, an `<svg>`.
    """
    y = svg.spread(series.y, high - 48, 14)
    y = y.within(0.0, 1.0) if share else y
    left = svg.left_margin(svg.tick_names(y.ticks()))
    x = svg.spread(series.x, left, wide - 16, 0.03)
    shapes = [*svg.frame(x, y, x_name, y_name, x_ticks), *_line(series, x, y)]
    if all(value is None for value in series.y):
        shapes.append(svg.text((left + wide) / 2, high / 2 - 16, "no finite value", fill=svg.GREY))
    return svg.picture(wide, high, f"{y_name} against {x_name}", shapes)


def interval_chart(groups, x_name, reference=None, wide=860, whole=True):
    """Values with their intervals, a row each, in groups under a heading.

    Args:
        groups: List of (heading, list of `Row`).
        x_name: Name of the axis, with units.
        reference: A number that gets an upright line, or None.
        wide: Pixels.
        whole: Whether values are shares, shown as percent, or else differences.

    Returns:
        Str, an `<svg>`.
    """
    rows = [row for _, rows in groups for row in rows]
    left = min(max([svg.text_width(row.name) for row in rows], default=0) + 24, 0.35 * wide)
    step, gap, top = 23, 34, 8
    high = top + sum(gap + step * len(rows) for _, rows in groups) + 62
    ends = [value for row in rows for value in (row.value, *(row.interval or ()))]
    x = svg.spread([*ends, reference] if reference is not None else ends, left, wide - 198)
    if whole and any(value is not None for value in ends):
        x = x.within(0.0, 1.0)
    ticks = [(tick, _in_points(tick, sign="" if whole else "+")) for tick in x.ticks(7)]
    at = top
    shapes = _upright_axis(x, ticks, x_name, at, high - 54)
    if reference is not None:
        shapes.append(svg.line(x(reference), at, x(reference), high - 54, svg.INK, 1.5, "5 3"))
    for heading, members in groups:
        shapes.append(svg.text(8, at + 22, heading, "start", weight=700, halo=True))
        at += gap
        for row in members:
            shapes += _interval_row(row, x, at + step / 2, left, wide, whole)
            at += step
    return svg.picture(wide, high, f"{x_name}: values with intervals", shapes)


def spectrum_chart(eigenvalues, low, high_ends, suggested=None, wide=500, high=300):
    """Eigenvalues in falling order with their intervals.

    Args:
        eigenvalues: List of numbers.
        low, high_ends: Lists of as many, the ends of their intervals.
        suggested: Int, the number of dimensions to mark, or None.
        wide, high: Pixels.

    Returns:
        Str, an `<svg>`.
    """
    y = svg.spread([*eigenvalues, *low, *high_ends, 0.0], high - 48, 14).within(0.0, 1.0)
    left = svg.left_margin(svg.tick_names(y.ticks()))
    count = max(len(eigenvalues), 1)
    x = svg.Scale(0.5 - 0.02 * count, count + 0.5 + 0.02 * count, left, wide - 16)
    ticks = [(tick, number(tick)) for tick in svg.whole_ticks(1, count)]
    shapes = svg.frame(x, y, "number of the eigenvalue", "eigenvalue", ticks)
    if suggested is not None and 1 <= suggested <= count:
        at = x(suggested + 0.5)
        shapes.append(svg.line(at, 14, at, high - 48, svg.INK, 1, "5 3"))
        anchor, shift = ("start", 6) if suggested < 0.5 * count else ("end", -6)
        name = f"largest gap after {number(suggested)}"
        shapes.append(svg.text(at + shift, 28, name, anchor, halo=True))
    numbers = list(range(1, len(eigenvalues) + 1))
    series = Series(numbers, eigenvalues, low, high_ends)
    if count > _BARS:
        shapes += [_band(series, x, y), *_line(series, x, y)]
    else:
        shapes += _error_bars(series, x, y)
        shapes += [
            svg.marker(x(i), y(v), 0, 3) for i, v in zip(numbers, eigenvalues, strict=True) if v
        ]
    return svg.picture(wide, high, "eigenvalue against its number", shapes)


def _line(series, x, y):
    """A polyline with gaps; marks where the points are few or alone."""
    runs = [[]]
    for across, value in zip(series.x, series.y, strict=True):
        if value is None:
            runs.append([])
        else:
            runs[-1].append((x(across), y(value)))
    shapes = []
    for run in runs:
        if len(run) > 1:
            corners = " ".join(f"{across:.1f},{down:.1f}" for across, down in run)
            shapes.append(
                f'<polyline points="{corners}" fill="none" stroke="{_COLOUR}" stroke-width="2" '
                'stroke-linejoin="round"/>'
            )
        if len(run) == 1 or len(series.x) <= 12:
            shapes += [svg.marker(across, down, 0) for across, down in run]
    return shapes


def _error_bars(series, x, y):
    shapes = []
    for across, low, high in zip(series.x, series.low, series.high, strict=True):
        if low is not None and high is not None:
            at = x(across)
            shapes.append(svg.line(at, y(low), at, y(high), _COLOUR, 1.2))
            shapes += [
                svg.line(at - 3, y(end), at + 3, y(end), _COLOUR, 1.2) for end in (low, high)
            ]
    return shapes


def _band(series, x, y):
    known = [
        (x(across), y(low), y(high))
        for across, low, high in zip(series.x, series.low, series.high, strict=True)
        if low is not None and high is not None
    ]
    corners = [(at, low) for at, low, _ in known] + [(at, high) for at, _, high in known[::-1]]
    text = " ".join(f"{across:.1f},{down:.1f}" for across, down in corners)
    return f'<polygon points="{text}" fill="{_COLOUR}" fill-opacity="0.22"/>'


def _upright_axis(x, ticks, x_name, top, bottom):
    shapes = []
    for value, name in ticks:
        shapes.append(svg.line(x(value), top, x(value), bottom, svg.GRID))
        shapes.append(svg.line(x(value), bottom, x(value), bottom + 4, svg.GREY))
        shapes.append(svg.text(x(value), bottom + 17, name))
    shapes.append(svg.line(x.start, bottom, x.end, bottom, svg.GREY))
    return [*shapes, svg.axis_name((x.start + x.end) / 2, bottom + 37, x_name)]


def _interval_row(row, x, middle, left, wide, whole):
    shapes = [svg.text(left - 10, middle + 4, svg.fit(row.name, left - 14), "end")]
    if row.value is None:
        return [*shapes, svg.text(wide - 182, middle + 4, "not measured", "start", svg.GREY)]
    value = percent(row.value) if whole else points(row.value)
    if row.interval and None not in row.interval:
        low, high = row.interval
        colour = svg.COLOURS[row.kind % 10]
        shapes.append(svg.line(x(low), middle, x(high), middle, colour, 2))
        shapes += [svg.line(x(e), middle - 5, x(e), middle + 5, colour, 2) for e in (low, high)]
        ends = [f"{100 * end:.1f}" if whole else points(end) for end in (low, high)]
        value += f"  [{', '.join(ends)}]".replace("-", "−")
    shapes.append(svg.marker(x(row.value), middle, row.kind, 5.5))
    return [*shapes, svg.text(wide - 182, middle + 4, value, "start")]


def _in_points(value, sign):
    return f"{100 * value:{sign}.10g}".replace("-", "−") if value else "0"
