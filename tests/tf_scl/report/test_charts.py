import dataclasses
import math
import re
from xml.etree import ElementTree

import pytest

from tests.tf_scl.report import examples
from tf_scl.evaluation.results import Confusion
from tf_scl.report import charts
from tf_scl.report.charts import Row
from tf_scl.report.facts import EmbeddingMap


def _texts(chart):
    return [one.text for one in ElementTree.fromstring(chart).iter("text")]


def _at(chart, text):
    """Where a text stands, (x, y)."""
    (one,) = [one for one in ElementTree.fromstring(chart).iter("text") if one.text == text]
    return float(one.get("x")), float(one.get("y"))


def _segments(chart, color):
    """Lines of a color, as lists of points."""
    paths = ElementTree.fromstring(chart).iter("path")
    drawn = [one.get("d") for one in paths if f"stroke: {color}" in one.get("style", "")]
    lines = [re.findall(r"[ML] ([-\d.]+) ([-\d.]+)", one) for one in drawn]
    return [[(float(x), float(y)) for x, y in line] for line in lines]


def test_a_line_has_its_axes_and_a_gap_where_a_value_is_missing():
    values = [1.0, 0.5, math.nan, math.inf, 0.25, math.nan, *[0.2] * 20]
    chart = charts.line_chart("c", values, "loss")
    assert {"epoch", "loss"} <= set(_texts(chart))
    (line,) = [one for one in _segments(chart, charts.COLORS[0]) if len(one) > 2]
    assert line[0][1] < line[1][1]  # pixels count downwards
    markers = ElementTree.fromstring(chart).iter("use")
    blue = [one for one in markers if charts.COLORS[0] in one.get("style")]
    assert len(blue) == 1  # the value that stands alone


@pytest.mark.parametrize("values", [[0.3], [math.nan], [0.0, 0.0], [1e-7, 2e-7], [-1e9, 1e9]])
def test_lines_of_odd_values_are_drawn(values):
    chart = charts.line_chart("c", values, "share", share=values == [0.3])
    assert not re.search(r"\b(nan|inf)\b", chart)
    assert ("no finite value" in chart) == (values[0] != values[0])


def test_intervals_are_where_their_numbers_are():
    rows = [Row("new", 0.9, (0.85, 0.95), 0), Row("old", math.nan, (math.nan, math.nan), 1)]
    chart = charts.interval_chart("c", [("Probe", rows)], "accuracy (%)")
    texts = _texts(chart)
    assert "accuracy (%)" in texts and " Probe" in texts
    assert "90.0\u00a0%  [85.0, 95.0]" in texts
    ticks = {float(one): _at(chart, one)[0] for one in texts if re.fullmatch(r"\d+", one)}
    (first, *_, last) = sorted(ticks)
    per_point = (ticks[last] - ticks[first]) / (last - first)
    ((low, _), (high, _)) = next(one for one in _segments(chart, charts.COLORS[0]) if len(one) == 2)
    assert low == pytest.approx(ticks[first] + per_point * (85 - first), abs=0.2)
    assert high == pytest.approx(ticks[first] + per_point * (95 - first), abs=0.2)


def test_differences_have_signs_and_a_line_at_zero():
    groups = [("Probe", [Row("all", 0.0028, (-0.0085, 0.0142), 0)])]
    chart = charts.interval_chart("c", groups, "difference", differences=True)
    assert "+0.28  [−0.85 to +1.42]" in _texts(chart)
    assert "stroke-dasharray" in chart


@pytest.mark.parametrize("suggested", [3, 30, None])
def test_a_spectrum_has_bars_or_a_band(suggested):
    kind = "encoder features" if suggested is None else "projected embeddings"
    estimate = examples.labeled().spectrum[kind]
    estimate = dataclasses.replace(estimate, suggested_dimension=suggested)
    chart = charts.spectrum_chart("c", estimate)
    assert {"number of the eigenvalue", "eigenvalue"} <= set(_texts(chart))
    assert (f"largest gap after {suggested}" in chart) == (suggested is not None)
    assert ("opacity: 0.22" in chart) == (len(estimate.eigenvalues) > 60)


def test_a_confusion_matrix_has_every_count_and_darker_cells_for_larger_shares():
    names = ("cat", "dog <b>", "x" * 90)
    chart = charts.confusion_chart("c", Confusion(names, ((30, 2, 0), (1, 1234, 5), (0, 0, 0))))
    texts = _texts(chart)
    assert texts.count("0") == 4
    assert {"30", "2", "1", "1,234", "5", "true class", "predicted class", "dog <b>"} <= set(texts)
    assert any(text.startswith("xxx") and text.endswith("x…") for text in texts)
    fills = re.findall(r"fill: #(..)....; stroke: #ffffff", chart)
    reds = [int(red, 16) for red in fills[:9]]
    assert reds[0] < reds[1] < reds[2]  # 30, 2, 0 of a row
    assert reds[4] < reds[5] < reds[3] < reds[2]  # 1234, 5, 1
    assert len(set(reds[6:])) == 1  # a class without images
    assert _at(chart, "30")[1] < _at(chart, "1,234")[1]  # the first row is on top


def test_points_of_a_map_are_where_they_should_be_and_grouped_by_class():
    points = ((0.0, 0.0), (10.0, 0.0), (0.0, 10.0), (5.0, 5.0))
    drawn = EmbeddingMap(points, (0, 0, 1, None), ("cat", "_dog & co"), "by hand")
    root = ElementTree.fromstring(charts.map_chart("c", drawn))
    groups = {one.find("title").text: list(one.iter("use")) for one in root.iter("g")
              if one.find("title") is not None}  # fmt: skip
    assert {name: len(uses) for name, uses in groups.items()} == {
        "no label": 1,
        "cat": 2,
        "_dog & co": 1,
    }
    first, second = groups["cat"]
    assert float(first.get("x")) < float(second.get("x"))
    assert first.get("y") == second.get("y")
    assert {"first coordinate (no unit)", "cat", "dog & co"} <= {
        one.text for one in root.iter("text")
    }


def test_many_classes_of_a_map_are_numbered_and_their_numbers_apart():
    points = tuple((float(number % 10), float(number // 10)) for number in range(100))
    drawn = EmbeddingMap(points, tuple(range(100)), tuple(map(str, range(100))), "by hand")
    root = ElementTree.fromstring(charts.map_chart("c", drawn))
    bold = [one for one in root.iter("text") if "font-weight: 700" in one.get("style")]
    bold = [one for one in bold if one.text.isdigit()]
    assert sorted(int(one.text) for one in bold) == list(range(100))
    places = [(float(one.get("x")), float(one.get("y"))) for one in bold]
    for place, (x, y) in enumerate(places):
        for a, b in places[:place]:
            assert abs(x - a) > 15 or abs(y - b) > 10


def test_a_map_of_equal_points_and_no_classes():
    chart = charts.map_chart("c", EmbeddingMap(((1.0, 1.0),) * 3, (None,) * 3, (), "by hand"))
    assert chart.count("<use") >= 3


def test_a_hundred_kinds_have_a_hundred_looks_ten_of_them_without_color():
    looks = [charts._look(kind) for kind in range(100)]
    assert len(set(looks)) == 100
    assert len({marker for _, marker in looks[:10]}) == 10


def test_charts_do_not_share_ids_and_are_the_same_each_time():
    one, other = (charts.line_chart(name, [1.0, 2.0], "loss") for name in ("a", "b"))
    ids = [set(re.findall(r' id="([^"]+)"', chart)) for chart in (one, other)]
    assert ids[0] and not ids[0] & ids[1]
    assert charts.line_chart("a", [1.0, 2.0], "loss") == one
