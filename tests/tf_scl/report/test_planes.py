import xml.etree.ElementTree as ET

import pytest

from tf_scl.report.planes import heat_map, is_numbered, scatter


def _texts(chart):
    return [one.text for one in ET.fromstring(chart).iter("text")]


def test_a_heat_map_has_every_count_its_axes_and_darker_cells_for_larger_shares():
    counts = [[30, 2, 0], [1, 1234, 5], [0, 0, 0]]
    chart = heat_map(counts, ["cat", "dog <b>", "x" * 90])
    texts = _texts(chart)
    assert texts.count("0") == 4
    assert {"30", "2", "1", "1,234", "5", "true class", "predicted class", "dog <b>"} <= set(texts)
    assert any(text.startswith("xxx") and text.endswith("x…") for text in texts)
    fills = [one.get("fill") for one in ET.fromstring(chart).iter("rect")][:9]
    reds = [int(fill[4:].split(",")[0]) for fill in fills]
    assert reds[0] < reds[1] < reds[2] == 255  # 30, 2, 0 of a row
    assert reds[4] < reds[5] < reds[3] < 255  # 1234, 5, 1
    assert reds[6:] == [255] * 3  # a class without images


@pytest.mark.parametrize("size", [1, 10, 20])
def test_names_of_columns_do_not_overlap(size):
    names = [f"a long name {number}" for number in range(size)]
    chart = heat_map([[1] * size] * size, names)
    assert ("rotate(-45)" in chart) == (size > 0)
    wide, high = map(float, ET.fromstring(chart).get("viewBox").split()[2:])
    assert all(0 <= float(one.get("x", 1)) <= wide for one in ET.fromstring(chart).iter("rect"))


def test_points_are_where_they_should_be_and_grouped_by_class():
    points, labels = [[0, 0], [10, 0], [0, 10], [5, 5]], [0, 0, 1, None]
    root = ET.fromstring(scatter(points, labels, ["cat", "dog & co"], "first", "second"))
    groups = [(group.find("title").text, len(group) - 1) for group in root.iter("g")]
    assert groups == [("no label", 1), ("cat", 2), ("dog & co", 1)]
    first, second = list(root.iter("g"))[1].findall("circle")
    assert float(first.get("cx")) < float(second.get("cx"))
    assert first.get("cy") == second.get("cy")
    axes = [one.text for one in root.iter("text") if one.get("class") == "axis"]
    assert axes == ["first", "second"]
    assert {"cat", "dog & co"} <= set(_texts(ET.tostring(root)))


def test_many_classes_are_numbered_and_their_numbers_apart():
    points = [[number % 10, number // 10] for number in range(100)]
    labels = list(range(100))
    assert is_numbered(labels) and not is_numbered([0, 1, None])
    root = ET.fromstring(scatter(points, labels, [f"c{n}" for n in labels], "first", "second"))
    bold = [one for one in root.iter("text") if one.get("font-weight") == "700"]
    assert sorted(int(one.text) for one in bold) == labels
    places = [(float(one.get("x")), float(one.get("y"))) for one in bold]
    for place, (x, y) in enumerate(places):
        for a, b in places[:place]:
            assert abs(x - a) > 21 or abs(y - b) > 12


def test_equal_points_and_no_classes():
    assert "<circle" in scatter([[1, 1]] * 3, [None] * 3, [], "first", "second")
