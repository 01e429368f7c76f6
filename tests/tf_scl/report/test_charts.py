import re
import xml.etree.ElementTree as ET

import pytest

from tf_scl.report.charts import Row, Series, interval_chart, line_chart, spectrum_chart


def _axes(chart):
    return [one.text for one in ET.fromstring(chart).iter("text") if one.get("class") == "axis"]


def _texts(chart):
    return [one.text for one in ET.fromstring(chart).iter("text")]


def test_a_line_has_its_axes_and_a_gap_where_a_value_is_missing():
    values = [1.0, 0.5, None, None, 0.25, *[0.2] * 20]
    chart = line_chart(Series(list(range(1, 26)), values), "epoch", "loss", [(1, "1")])
    assert _axes(chart) == ["epoch", "loss"]
    lines = [one.get("points").split() for one in ET.fromstring(chart).iter("polyline")]
    assert [len(line) for line in lines] == [2, 21]
    heights = [float(point.split(",")[1]) for point in lines[0]]
    assert heights[0] < heights[1]  # pixels count downwards


@pytest.mark.parametrize("values", [[0.3], [None], [0.0, 0.0], [1e-7, 2e-7], [-1e9, 1e9]])
def test_lines_of_odd_values_are_drawn(values):
    epochs = list(range(1, len(values) + 1))
    chart = line_chart(Series(epochs, values), "epoch", "loss", [(1, "1")])
    assert "nan" not in chart and "inf" not in chart.replace("no finite", "")
    assert ("no finite value" in chart) == (values == [None])


def test_intervals_are_where_their_numbers_are():
    rows = [Row("new", 0.9, [0.85, 0.95]), Row("old", 0.8, None, 1), Row("none", None, None, 2)]
    chart = interval_chart([("Probe", rows)], "accuracy (%)")
    assert _axes(chart) == ["accuracy (%)"]
    texts = _texts(chart)
    assert "90.0\u00a0%  [85.0, 95.0]" in texts
    assert "80.0\u00a0%" in texts
    assert "not measured" in texts
    ticks = {
        float(one.text): float(one.get("x"))
        for one in ET.fromstring(chart).iter("text")
        if re.fullmatch(r"\d+", one.text)
    }
    (first, *_, last) = sorted(ticks)
    per_point = (ticks[last] - ticks[first]) / (last - first)
    bar = next(one for one in ET.fromstring(chart).iter("line") if one.get("stroke-width") == "2")
    low, high = float(bar.get("x1")), float(bar.get("x2"))
    assert low == pytest.approx(ticks[first] + per_point * (85 - first), abs=0.2)
    assert high == pytest.approx(ticks[first] + per_point * (95 - first), abs=0.2)


def test_differences_have_signs_and_a_line_at_zero():
    rows = [Row("all", 0.0028, [-0.0085, 0.0142])]
    chart = interval_chart([("Probe", rows)], "difference", 0.0, whole=False)
    assert "+0.28  [−0.85, +1.42]" in _texts(chart)
    assert 'stroke-dasharray="5 3"' in chart


def test_no_rows_are_no_error():
    assert _axes(interval_chart([], "accuracy (%)")) == ["accuracy (%)"]


@pytest.mark.parametrize("count", [0, 1, 10, 500])
def test_a_spectrum_has_bars_or_a_band(count):
    values = [1 - i / 600 for i in range(count)]
    low, high = [v - 0.01 for v in values], [v + 0.01 for v in values]
    chart = spectrum_chart(values, low, high, suggested=3)
    assert _axes(chart) == ["number of the eigenvalue", "eigenvalue"]
    assert ("largest gap after 3" in chart) == (count >= 3)
    assert ("<polygon" in chart) == (count > 60)


def test_a_spectrum_with_unknown_intervals():
    chart = spectrum_chart([1.0, None, 0.5], [None] * 3, [None] * 3)
    assert chart.count("<circle") == 2
