"""Shapes, scales and axes of charts, as text of inline SVG."""

import dataclasses
import math

from tf_scl.report.formats import columns, escape, number

INK, GREY, PALE, GRID = "#1a1a1a", "#555", "#999", "#e3e3e3"
# Paul Tol's "muted" and black: colours that colour-blind people tell apart.
COLOURS = (
    *("#332288", "#cc6677", "#117733", "#4aa5d4", "#882255"),
    *("#b59a2b", "#44aa99", "#aa4499", "#6b6b00", "#000000"),
)
FONT = 12


@dataclasses.dataclass(frozen=True)
class Scale:
    """Values low..high on pixels start..end, in proportion.

    Attributes:
        low, high: Floats, low < high.
        start, end: Pixels.
    """

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value):
        """The pixel of a value."""
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)

    def within(self, low, high):
        """The same pixels for no more than low..high, outside of which no value can be."""
        return dataclasses.replace(self, low=max(self.low, low), high=min(self.high, high))

    def ticks(self, about=5):
        """About so many round values in low..high."""
        step = _round_step((self.high - self.low) / about)
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return [0.0 if place == 0 else place * step for place in range(first, last + 1)]


def spread(values, start, end, margin=0.06):
    """The `Scale` for some values, with a margin; None among them is passed over."""
    values = [value for value in values if value is not None]
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    room = (high - low) * margin
    if high - low <= 1e-9 * max(abs(low), abs(high)):
        room = abs(high) * 0.1 or 1.0
    return Scale(low - room, high + room, start, end)


def whole_ticks(low, high, about=6):
    """The whole number `low`, and about so many round ones up to `high`."""
    step = max(1, int(_round_step(max(high - low, 1) / about)))
    return [low, *(tick for tick in range(0, high + 1, step) if tick - low > 0.6 * step)]


def tick_names(ticks):
    """Texts of ticks, with as many decimals as tell them apart."""
    if not ticks:
        return []
    if all(isinstance(tick, int) for tick in ticks):
        return [number(tick) for tick in ticks]
    size = max(map(abs, ticks))
    step = min((b - a for a, b in zip(ticks, ticks[1:], strict=False)), default=size) or 1.0
    if size and not 1e-4 <= size < 1e7:
        return [number(float(tick), 2) for tick in ticks]
    decimals = min(max(0, -math.floor(math.log10(step) + 1e-9)), 8)
    return [f"{tick:,.{decimals}f}".replace("-", "−") for tick in ticks]


def frame(x, y, x_name, y_name, x_ticks=None, y_ticks=None, grid=True):
    """Axes with ticks and names, around the pixels of two scales; a tick is (value, text)."""
    if x_ticks is None:
        x_ticks = list(zip(x.ticks(), tick_names(x.ticks()), strict=True))
    if y_ticks is None:
        y_ticks = list(zip(y.ticks(), tick_names(y.ticks()), strict=True))
    left, right, bottom, top = x.start, x.end, y.start, y.end
    shapes = []
    for value, name in x_ticks:
        at = x(value)
        if grid:
            shapes.append(line(at, top, at, bottom, GRID))
        shapes += [line(at, bottom, at, bottom + 4, GREY), text(at, bottom + 17, name)]
    for value, name in y_ticks:
        at = y(value)
        if grid:
            shapes.append(line(left, at, right, at, GRID))
        shapes += [line(left - 4, at, left, at, GREY), text(left - 7, at + 4, name, "end")]
    shapes += [line(left, bottom, right, bottom, GREY), line(left, bottom, left, top, GREY)]
    widest = max((text_width(name) for _, name in y_ticks), default=0)
    return [
        *shapes,
        axis_name((left + right) / 2, bottom + 36, fit(x_name, 1.1 * (right - left))),
        axis_name(
            left - 7 - widest - 10, (top + bottom) / 2, fit(y_name, bottom - top), upright=True
        ),
    ]


def axis_name(x, y, name, upright=False):
    """The name of an axis, its middle at a pixel."""
    turn = f' transform="rotate(-90 {x:.1f} {y:.1f})"' if upright else ""
    return (
        f'<text class="axis" x="{x:.1f}" y="{y:.1f}" text-anchor="middle" fill="{INK}" '
        f'font-weight="600"{turn}>{escape(name)}</text>'
    )


def left_margin(names):
    """Pixels left of an upright axis whose ticks have these names."""
    return max((text_width(name) for name in names), default=0) + 34


def text_width(content):
    """About how many pixels a text is wide, in the wider ones of the usual fonts."""
    return FONT * sum(map(_share_of_font, str(content)))


def fit(content, pixels):
    """A text that is at most so many pixels wide, with … where it is cut."""
    kept = str(content)
    if text_width(kept) <= pixels:
        return kept
    while kept and text_width(kept) > pixels - FONT:
        kept = kept[:-1]
    return kept.rstrip() + "…"


def text(x, y, content, anchor="middle", fill=INK, size=FONT, weight=None, halo=False):
    """A line of text at a pixel; with a halo it is legible on top of other shapes."""
    more = f' font-weight="{weight}"' if weight else ""
    more += f' font-size="{size}"' if size != FONT else ""
    if halo:
        more += ' stroke="#fff" stroke-width="3" stroke-linejoin="round" paint-order="stroke"'
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{fill}"{more}>'
        f"{escape(content)}</text>"
    )


def line(x1, y1, x2, y2, colour=INK, thick=1, dash=""):
    """A straight line between two pixels."""
    more = f' stroke-dasharray="{dash}"' if dash else ""
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" '
        f'stroke-width="{thick}"{more}/>'
    )


def marker(x, y, kind, radius=4.5, opacity=1):
    """A mark of the kind's colour and shape; kinds 0..99 all differ, then they repeat."""
    colour = COLOURS[kind % 10]
    shape = (kind + kind // 10) % 10
    paint = f'fill="{colour}" stroke="#fff" stroke-width="0.6"'
    if shape in (1, 4, 6, 8, 9):
        paint = f'fill="#fff" stroke="{colour}" stroke-width="1.6"'
    if shape in (5, 7):
        paint = f'fill="none" stroke="{colour}" stroke-width="2"'
    more = f' opacity="{opacity}"' if opacity != 1 else ""
    if shape in (0, 1):
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:g}" {paint}{more}/>'
    path = "".join(
        f"{letter}{x + across * radius:.1f} {y + down * radius:.1f}"
        for letter, across, down in _PATHS[shape]
    )
    return f'<path d="{path}{"" if shape in (5, 7) else "Z"}" {paint}{more}/>'


def picture(wide, high, name, shapes):
    """A whole `<svg>`, shown at its natural size or smaller."""
    return "\n".join(
        [
            f'<svg viewBox="0 0 {wide:g} {high:g}" style="max-width:{wide:g}px" role="img" '
            f'font-size="{FONT}" aria-label="{escape(name)}">',
            *shapes,
            "</svg>",
        ]
    )


def _share_of_font(character):
    """Width of a character in units of the font's size."""
    if columns(character) != 1:
        return 0.5 * columns(character)
    if character in "WMmw@%…—":
        return 1.0
    if character in "iljtfrI.,:;|!'()[]- ":
        return 0.4
    return 0.72 if character.isupper() else 0.63


def _polygon(*corners):
    return [("L" if number else "M", *corner) for number, corner in enumerate(corners)]


_SQUARE = _polygon((-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9))
_UP = _polygon((0, -1.15), (1.1, 0.85), (-1.1, 0.85))
_DOWN = _polygon((0, 1.15), (1.1, -0.85), (-1.1, -0.85))
_DIAMOND = _polygon((0, -1.3), (1.1, 0), (0, 1.3), (-1.1, 0))
_PLUS = [("M", -1.1, 0), ("L", 1.1, 0), ("M", 0, -1.1), ("L", 0, 1.1)]
_CROSS = [("M", -0.85, -0.85), ("L", 0.85, 0.85), ("M", -0.85, 0.85), ("L", 0.85, -0.85)]
_PATHS = {
    **{2: _UP, 3: _SQUARE, 4: _DIAMOND, 5: _CROSS},
    **{6: _SQUARE, 7: _PLUS, 8: _UP, 9: _DOWN},
}


def _round_step(step):
    power = 10.0 ** math.floor(math.log10(step))
    return power * min((1, 2, 5, 10), key=lambda nice: abs(math.log(nice * power / step)))
