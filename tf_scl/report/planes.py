"""Charts of two equal dimensions as inline SVG: a table of counts, a map of points."""

import numpy as np

from tf_scl.report import svg
from tf_scl.report.formats import escape, number

_DARKEST = (8, 48, 107)
_NAME = 104  # pixels, the widest name beside a heat map
_SHADES = "0 to 100 % of the row"
_LEGEND_CLASSES = 20  # of more, the classes are numbered on the map, and named in a list


def heat_map(counts, names, x_name="predicted class", y_name="true class"):
    """A table of counts, each cell as dark as its share of its row.

    Args:
        counts: K lists of K whole numbers.
        names: K names.
        x_name, y_name: Names of the axes.

    Returns:
        Str, an `<svg>`.
    """
    short = [svg.fit(name, _NAME) for name in names]
    widest = max(map(svg.text_width, short), default=0)
    cell = min(44, max(26, 460 / max(len(names), 1)))
    turned = widest > cell - 4
    left, top = widest + 42, 12
    side = cell * len(names)
    below = (widest * 0.72 + 22) if turned else 24
    shapes = []
    for row, line in enumerate(counts):
        middle = top + (row + 0.5) * cell
        shapes.append(svg.text(left - 8, middle + 4, short[row], "end"))
        for column, count in enumerate(line):
            share = count / sum(line) if count else 0.0
            shapes += _cell(left + column * cell, top + row * cell, cell, count, share)
    for column, name in enumerate(short):
        middle = left + (column + 0.5) * cell
        if turned:
            place = f'transform="translate({middle + 4:.1f} {top + side + 14:.1f}) rotate(-45)"'
            shapes.append(f'<text text-anchor="end" fill="{svg.INK}" {place}>{escape(name)}</text>')
        else:
            shapes.append(svg.text(middle, top + side + 17, name))
    bottom = top + side + below
    outline = f'<rect x="{left:.1f}" y="{top}" width="{side:.1f}" height="{side:.1f}" '
    shapes += [
        f'{outline}fill="none" stroke="{svg.GREY}"/>',
        svg.axis_name(left + side / 2, bottom + 14, x_name),
        svg.axis_name(16, top + side / 2, y_name, upright=True),
        *_shades(left, bottom + 34),
    ]
    wide = left + max(side, 8 * 14 + 8 + svg.text_width(_SHADES)) + 8
    return svg.picture(wide, bottom + 64, f"{y_name} against {x_name}", shapes)


def scatter(points, labels, names, x_name, y_name, wide=860, high=600):
    """Points in the colour and shape of their class; many classes are numbered on the map.

    Args:
        points: List of [x, y].
        labels: List of as many ints, or None where a point has no class.
        names: List of the classes' names.
        x_name, y_name: Names of the axes.
        wide, high: Pixels.

    Returns:
        Str, an `<svg>`.
    """
    present = sorted({label for label in labels if label is not None})
    numbered = len(present) > _LEGEND_CLASSES
    room = 0 if numbered or not present else 210
    y = svg.spread([down for _, down in points], high - 48, 14, 0.04)
    left = svg.left_margin(svg.tick_names(y.ticks()))
    x = svg.spread([across for across, _ in points], left, wide - 16 - room, 0.04)
    shapes = svg.frame(x, y, x_name, y_name, grid=False)
    centres = []
    for label in [None, *present]:
        own = [point for point, one in zip(points, labels, strict=True) if one == label]
        own = [(x(across), y(down)) for across, down in own if None not in (across, down)]
        if not own:
            continue
        marks = [_mark(*place, label) for place in own]
        name = "no label" if label is None else names[label]
        shapes.append(f"<g><title>{escape(name)}</title>{''.join(marks)}</g>")
        if label is not None:
            centres.append((*np.median(own, axis=0), label))
    if numbered:
        shapes += _numbers(centres)
    else:
        shapes += _names(centres, names, wide - room + 8, wide, high)
    return svg.picture(wide, high, f"{y_name} against {x_name}, points by class", shapes)


def is_numbered(labels):
    """Whether `scatter` numbers the classes, so that a list beside it must name them."""
    return len({label for label in labels if label is not None}) > _LEGEND_CLASSES


def _cell(left, top, side, count, share):
    red, green, blue = (round(255 + (dark - 255) * share**0.6) for dark in _DARKEST)
    ink = "#fff" if share > 0.3 else (svg.INK if count else "#8a8a8a")
    return [
        f'<rect x="{left:.1f}" y="{top:.1f}" width="{side:.1f}" height="{side:.1f}" '
        f'fill="rgb({red},{green},{blue})" stroke="#fff" stroke-width="0.5"/>',
        svg.text(
            left + side / 2, top + side / 2 + 4, number(count), fill=ink, size=_size(count, side)
        ),
    ]


def _size(count, side):
    """A font that the digits of a count fit a cell with."""
    return round(min(svg.FONT, 1.5 * (side - 2) / max(len(number(count)), 3)), 1)


def _shades(left, top):
    """The scale of the shades, with its ends named."""
    shapes, step = [], 14
    for place in range(8):
        shapes += _cell(left + place * step, top, step, 0, place / 7)[:1]
    shapes.append(
        f'<rect x="{left:.1f}" y="{top:.1f}" width="{8 * step}" height="{step}" fill="none" '
        f'stroke="{svg.GREY}" stroke-width="0.7"/>'
    )
    return [*shapes, svg.text(left + 8 * step + 8, top + 11, _SHADES, "start", svg.GREY)]


def _mark(x, y, label):
    if label is None:
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{svg.PALE}" fill-opacity="0.8"/>'
    return svg.marker(x, y, label, 3.6, 0.85)


def _names(centres, names, left, wide, high):
    """A legend at the right, in the order of the classes."""
    step = min(24, (high - 40) / max(len(centres), 1))
    shapes = []
    for place, (_, _, label) in enumerate(centres):
        middle = 24 + place * step
        shapes.append(svg.marker(left, middle, label, 4.5))
        shapes.append(
            svg.text(left + 14, middle + 4, svg.fit(names[label], wide - left - 16), "start")
        )
    return shapes


def _numbers(centres):
    """The number of each class at the middle of its points, moved apart where they would meet."""
    placed, shapes = [], []
    for x, y, label in centres:
        steps = [(x + 7 * turn * np.cos(2.4 * turn), y + 5 * turn * np.sin(2.4 * turn))
                 for turn in np.arange(0, 12, 0.5)]  # fmt: skip
        free = [
            (across, down)
            for across, down in steps
            if all(abs(across - a) > 22 or abs(down - b) > 13 for a, b in placed)
        ]
        across, down = free[0] if free else (x, y)
        placed.append((across, down))
        if abs(across - x) + abs(down - y) > 10:
            shapes.insert(0, svg.line(x, y, across, down, svg.GREY, 0.8))
        shapes.append(svg.text(across, down + 4, label, weight=700, halo=True))
    return shapes
