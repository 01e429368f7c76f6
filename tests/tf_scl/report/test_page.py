import copy
import re

import pytest

from tests.tf_scl.report import examples
from tests.tf_scl.report.pages import Page
from tf_scl.report.facts import SECTIONS, check_facts, plain
from tf_scl.report.formats import number, percent, points
from tf_scl.report.page import render

_ODD = ['<script>alert("x")</script>', "長い" * 40, "a'b&c", "x" * 300, "\x00\x1b[31m", "é"]


def _odd(facts):
    """The same facts with names that a browser could take for something else."""
    facts = copy.deepcopy(facts)
    facts["title"] = facts["data"] = _ODD[0]
    names = [f"{_ODD[place % 6]} {place}" for place in range(len(facts["map"]["classes"]))]
    facts["map"]["classes"] = names
    facts["map"]["method"] = _ODD[0]
    facts["evaluation"]["confusion"]["classes"] = names
    facts["evaluation"]["checks"][0].update(name=_ODD[0], text=_ODD[0])
    facts["evaluation"].update(reason=_ODD[0], verdict=_ODD[0])
    facts.update(model=_ODD[0], next=[_ODD[0]])
    for query in facts["neighbours"]["queries"]:
        query.update(label=_ODD[0], name=_ODD[0], image='x" onerror="alert(1)')
        query["neighbours"][0].update(label=_ODD[1], name=_ODD[3], image="https://x.org/a.png")
    facts["dead_letters"]["first"][0] = dict.fromkeys(("file", "reason", "detail"), _ODD[0])
    facts["dead_letters"]["rejected"][_ODD[0]] = 1
    facts["dead_letters"]["list"] = _ODD[0]
    facts["config"][_ODD[0]] = {_ODD[0]: _ODD[0], "deep": {"a": [_ODD[0]]}}
    facts["versions"][_ODD[0]] = _ODD[0]
    facts["history"][_ODD[0]] = [0.5, None]
    facts["spectrum"][_ODD[0]] = {"eigenvalues": [0.5, None], "flags": [_ODD[0]]}
    facts["evaluation"]["representations"][_ODD[0]] = {"dimension": 3, "finite": False}
    return facts


_FACTS = {
    "labelled": examples.labelled(),
    "unlabelled": examples.unlabelled(),
    "odd names": _odd(examples.labelled()),
    "a hundred classes": _odd(examples.labelled(100)),
    "one epoch, one class": examples.labelled(1, 1),
    "nothing": {},
    "nothing but names": {name: None for name in SECTIONS},
}


@pytest.fixture(scope="module", params=_FACTS)
def case(request):
    facts = check_facts(plain(_FACTS[request.param]))
    return facts, render(facts)


def test_a_page_is_well_formed(case):
    page = Page(case[1])
    assert len(page.ids) == len(set(page.ids))
    targets = [one["href"][1:] for tag, one in page.tags if tag == "a"]
    assert len(targets) == 11 and set(targets) == set(page.ids)
    case[1].encode()


def test_a_page_loads_and_runs_nothing(case):
    page = Page(case[1])
    tags = {tag for tag, _ in page.tags}
    assert not tags & {"script", "link", "iframe", "object", "base", "form", "use", "image"}
    for tag, attributes in page.tags:
        for name, value in attributes.items():
            assert not name.startswith("on"), f"<{tag} {name}={value}>"
            if name in ("src", "href", "xlink:href", "data"):
                assert value.startswith(("data:image/", "#")) or value == "", value
            if name == "style":
                assert re.fullmatch(r"max-width:[\d.]+px", value), value


def test_every_chart_has_named_and_ticked_axes(case):
    charts = re.findall(r"<svg.*?</svg>", case[1], re.DOTALL)
    for chart in charts:
        axes = re.findall(r'<text class="axis"[^>]*>([^<]+)</text>', chart)
        # Rows of an interval chart name themselves.
        assert len(axes) == (1 if "values with intervals" in chart.split("\n")[0] else 2)
        assert chart.count("<text") >= len(axes) + 2
        assert "nan" not in re.sub(r">[^<]*<", "><", chart)
    if case[0].get("history"):
        assert charts


def _leaves(value):
    if isinstance(value, dict):
        for item in value.values():
            yield from _leaves(item)
    elif isinstance(value, list):
        for item in value:
            yield from _leaves(item)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield value


def _is_shown(value, text, extra=()):
    shown = {number(value), percent(value), percent(value, 0), percent(value)[:-2]}
    shown |= {points(value), f"{100 * value:.6g} %", *extra}
    return any(re.search(rf"(?<![\d.,]){re.escape(form)}(?!\d)", text) for form in shown)


def test_every_number_of_evaluation_and_spectrum_is_on_the_page():
    facts = check_facts(plain(examples.labelled()))
    text = Page(render(facts)).text
    for section in ("evaluation", "spectrum"):
        for value in _leaves(facts[section]):
            assert _is_shown(value, text), f"{section}: {value}"
    for values in facts["history"].values():
        assert all(number(value) in text for value in values)


def test_a_number_that_changes_changes_the_page():
    """Numbers are rendered from the facts: another in the JSON is another on the page."""
    facts = check_facts(plain(examples.labelled()))
    before = Page(render(facts)).text
    encoder = facts["evaluation"]["representations"]["pretrained encoder"]
    encoder["probe_few"]["mean"] = 0.1234
    facts["spectrum"]["projected embeddings"]["eigenvalues"][3] = 0.98761
    after = Page(render(facts)).text
    assert "12.3" not in before and "0.9876" not in before
    assert after.count("12.3") == 3  # card, chart and table
    assert "0.9876" in after


def test_a_page_is_not_too_large():
    assert len(render(check_facts(plain(examples.labelled(100))))) < 2**20
