import pytest

from tests.tf_scl.report.pages import Page
from tf_scl.report import elements
from tf_scl.report.facts import SECTIONS

_BAD = "<b>\"'&"


def test_all_text_is_escaped():
    text = "".join(
        [
            elements.table([_BAD, _BAD], [[_BAD, _BAD]], _BAD),
            elements.paragraph(_BAD, "lead"),
            elements.section(_BAD, _BAD),
            elements.figure("<svg></svg>", _BAD),
            elements.folded(_BAD),
            elements.absent({"missing": {"map": _BAD}}, "map", _BAD),
        ]
    )
    page = Page(text)
    assert "b" not in {tag for tag, _ in page.tags}
    assert page.texts.count(_BAD) == 10


def test_a_table_sets_numbers_right():
    page = Page(elements.table(["name", "value"], [["a", "1"], ["b", "2"]]))
    cells = [attributes.get("class") for tag, attributes in page.tags if tag in ("td", "th")]
    assert cells == [None, "n"] * 3


def test_the_heading_stays_with_the_first_parts():
    text = elements.section("x", "Heading", "<p>1</p>", "<p>2</p>", "<p>3</p>")
    inside = text[text.index('class="block"') : text.index("</div>")]
    assert "<h2>" in inside and "<p>2</p>" in inside and "<p>3</p>" not in inside


@pytest.mark.parametrize("name", [*SECTIONS, "comparison", "confusion"])
def test_every_missing_section_has_its_reason(name):
    page = Page(elements.absent({}, name, "Heading"))
    assert f"Not here: {elements.REASONS[name]}." in page.texts
    given = {"missing": {name: "the disk was full."}}
    assert "Not here: the disk was full.</p>" in elements.absent(given, name, "Heading")
