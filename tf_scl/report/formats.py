"""Numbers and names as a person reads them. None, NaN and infinity are shown as a dash."""

import math
import unicodedata

NOTHING = "–"
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_SPACE = "\u00a0"  # does not break
_NOT_IN_XML = "\ufffe\uffff"


def clean(value: object) -> str:
    """Returns text that HTML and SVG can hold: without control characters, in valid Unicode."""
    text = str(value).encode("utf-8", "replace").decode()
    return "".join(c for c in text if unicodedata.category(c) != "Cc" and c not in _NOT_IN_XML)


def number(value: float | bool | None, digits: int = 4) -> str:
    """Formats a number with `digits` significant digits: 1,797 or 0.9581 or 3.2·10⁻⁵."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None or not math.isfinite(value):
        return NOTHING
    if isinstance(value, int):
        return f"{value:,}".replace("-", "−")
    if value == 0:
        return "0"
    mantissa, _, exponent = f"{value:.{digits - 1}e}".partition("e")
    if -4 <= int(exponent) < 7:
        text = _without_zeros(f"{value:,.{max(digits - 1 - int(exponent), 0)}f}")
    else:
        text = f"{_without_zeros(mantissa)}·10{str(int(exponent)).translate(_SUPERSCRIPTS)}"
    return text.replace("-", "−")


def percent(value: float | None, digits: int = 1) -> str:
    """Formats a share 0..1 as percent."""
    if value is None or not math.isfinite(value):
        return NOTHING
    return f"{100 * value:.{digits}f}{_SPACE}%".replace("-", "−")


def percent_interval(interval: tuple[float, float] | None) -> str:
    """Formats an interval of shares as percent, 94.1–97.3 %."""
    if interval is None or not all(map(math.isfinite, interval)):
        return NOTHING
    return f"{100 * interval[0]:.1f}–{100 * interval[1]:.1f}{_SPACE}%"


def points(value: float | None) -> str:
    """Formats a difference of shares in percentage points, signed, +0.58."""
    if value is None or not math.isfinite(value):
        return NOTHING
    text = f"{100 * value:+.2f}"
    return ("0" if float(text) == 0 else text).replace("-", "−")


def points_interval(interval: tuple[float, float]) -> str:
    """Formats an interval of differences, −0.31 to +1.52."""
    return " to ".join(map(points, interval))


def shorten(value: object, width: int) -> str:
    """Returns text of at most `width` narrow characters (wide ones count as two), … where cut."""
    text = clean(value)
    if sum(map(_columns, text)) <= width:
        return text
    used, kept = 1, ""
    for character in text:
        used += _columns(character)
        if used > width:
            break
        kept += character
    return kept.rstrip() + "…"


def _columns(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _without_zeros(text: str) -> str:
    return text.rstrip("0").rstrip(".") if "." in text else text
