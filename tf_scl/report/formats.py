"""Numbers and names as a person reads them. None stands for NaN, infinite or not measured."""

import html
import math
import unicodedata

NOTHING = "–"
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_SPACE = "\u00a0"  # does not break


def escape(value):
    """Text that is safe in HTML and SVG, in quoted attributes too; control characters left out."""
    kept = "".join(
        character
        for character in str(value)
        if character in "\t\n" or unicodedata.category(character) not in ("Cc", "Cs")
    )
    return html.escape(kept)


def number(value, digits=4):
    """A number of any kind, with `digits` significant digits: 1,797 or 0.9581 or 3.2·10⁻⁵."""
    if value is None:
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}".replace("-", "−")
    if not math.isfinite(value):
        return NOTHING
    if value == 0:
        return "0"
    exponent = math.floor(math.log10(abs(float(f"{value:.{digits - 1}e}"))))
    if not -4 <= exponent < 7:
        mantissa = f"{value:.{digits - 1}e}".split("e")[0]
        return f"{_without_zeros(mantissa)}·10{str(exponent).translate(_SUPERSCRIPTS)}".replace(
            "-", "−"
        )
    text = f"{value:,.{max(digits - 1 - exponent, 0)}f}"
    return _without_zeros(text).replace("-", "−")


def percent(value, digits=1):
    """A share 0..1 as percent."""
    return NOTHING if value is None else f"{100 * value:.{digits}f}{_SPACE}%".replace("-", "−")


def percent_interval(interval):
    """An interval of shares as percent, 94.1–97.3 %."""
    if not interval or None in interval:
        return NOTHING
    low, high = (f"{100 * end:.1f}".replace("-", "−") for end in interval)
    return f"{low}–{high}{_SPACE}%"


def points(value):
    """A difference of shares in percentage points, signed, +0.58."""
    if value is None:
        return NOTHING
    text = f"{100 * value:+.2f}"
    return ("0" if float(text) == 0 else text).replace("-", "−")


def points_interval(interval):
    """An interval of differences, −0.31 to +1.52."""
    if not interval or None in interval:
        return NOTHING
    return " to ".join(points(end) for end in interval)


def shorten(text, width):
    """Text of at most `width` narrow characters (wide ones count as two), with … where cut."""
    text = "".join(c for c in str(text) if unicodedata.category(c) not in ("Cc", "Cs"))
    if sum(map(columns, text)) <= width:
        return text
    kept, used = "", 1
    for character in text:
        used += columns(character)
        if used > width:
            break
        kept += character
    return kept.rstrip() + "…"


def columns(character):
    """Places that a character takes on a line: 0, 1 or 2."""
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _without_zeros(text):
    return text.rstrip("0").rstrip(".") if "." in text else text
