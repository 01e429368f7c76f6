import pytest

from tf_scl.report import svg


def test_a_scale_maps_its_ends_and_middle():
    scale = svg.Scale(-1.0, 3.0, 100, 0)
    assert [scale(-1), scale(1), scale(3)] == [100, 50, 0]


@pytest.mark.parametrize(
    "low,high", [(0, 1), (-0.9, -0.1), (1e-9, 3e-8), (-4e7, 5e7), (0.99, 1.01), (3, 7)]
)
def test_ticks_are_round_inside_and_told_apart(low, high):
    ticks = svg.Scale(low, high, 0, 1).ticks()
    assert 3 <= len(ticks) <= 11
    assert all(low - 1e-9 * abs(low) <= tick <= high + 1e-9 * abs(high) for tick in ticks)
    names = svg.tick_names(ticks)
    assert len(set(names)) == len(names)


def test_whole_ticks_begin_at_the_first():
    assert svg.whole_ticks(1, 1) == [1]
    assert svg.whole_ticks(1, 3) == [1, 2, 3]
    assert svg.whole_ticks(1, 40, 5) == [1, 10, 20, 30, 40]


def test_a_spread_has_room_for_equal_none_and_no_values():
    for values in ([], [None], [0.0], [5.0, 5.0], [-2.0, None, 2.0]):
        scale = svg.spread(values, 0, 100)
        assert scale.low < scale.high
        for value in values:
            if value is not None:
                assert 0 < scale(value) < 100


def test_a_hundred_marks_differ_without_colour_the_first_ten():
    marks = {svg.marker(0, 0, kind) for kind in range(100)}
    assert len(marks) == 100
    shapes = set()
    for kind in range(10):
        mark = svg.marker(0, 0, kind)
        for colour in svg.COLOURS:
            mark = mark.replace(colour, "")
        shapes.add(mark)
    assert len(shapes) == 10


def test_an_upright_axis_name_clears_the_ticks():
    scale = svg.Scale(0.0, 1.0, 100, 0)
    shapes = svg.frame(svg.Scale(0.0, 1.0, 90, 200), scale, "time (s)", "loss")
    names = [shape for shape in shapes if 'class="axis"' in shape]
    assert [name.split(">")[1].split("<")[0] for name in names] == ["time (s)", "loss"]


def test_texts_are_cut_to_a_width():
    assert svg.fit("cat", 100) == "cat"
    cut = svg.fit("W" * 40, 100)
    assert cut.endswith("…") and svg.text_width(cut) <= 100
    assert len(svg.fit("i" * 40, 100)) > len(cut)
    assert svg.text_width("長い") == 24
