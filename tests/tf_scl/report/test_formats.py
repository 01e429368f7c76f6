import math

import pytest

from tf_scl.report import formats


@pytest.mark.parametrize(
    "value,text",
    [
        (1797, "1,797"),
        (-3, "−3"),
        (True, "yes"),
        (None, "–"),
        (math.nan, "–"),
        (math.inf, "–"),
        (0.0, "0"),
        (0.95812, "0.9581"),
        (83.0, "83"),
        (2.0, "2"),
        (99.996, "100"),
        (1234.56, "1,235"),
        (0.000123456, "0.0001235"),
        (0.0000320, "3.2·10⁻⁵"),
        (-4.5e12, "−4.5·10¹²"),
        (9.99999e-5, "0.0001"),
    ],
)
def test_numbers(value, text):
    assert formats.number(value) == text


def test_shares_and_differences():
    assert formats.percent(0.9581) == "95.8\u00a0%"
    assert formats.percent(0.95, 0) == "95\u00a0%"
    assert formats.percent(None) == formats.percent(math.nan) == "–"
    assert formats.percent_interval((0.938, 0.9744)) == "93.8–97.4\u00a0%"
    assert formats.percent_interval(None) == formats.percent_interval((0.1, math.nan)) == "–"
    assert formats.points(0.00584) == "+0.58"
    assert formats.points(-0.00001) == "0"
    assert formats.points_interval((-0.0085, 0.0142)) == "−0.85 to +1.42"


def test_text_can_stand_in_html_and_xml():
    text = formats.clean("<b>\"'&\x00\x1b\ud800ü長\ufffe\n")
    assert text == "<b>\"'&?ü長"
    text.encode()


def test_names_are_cut_by_their_width():
    assert formats.shorten("short", 5) == "short"
    assert formats.shorten("longer", 5) == "long…"
    assert formats.shorten("長い名前です", 7) == "長い名…"
    assert formats.shorten("e\u0301" * 5, 5) == "e\u0301" * 5
