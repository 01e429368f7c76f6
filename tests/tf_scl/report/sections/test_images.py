import re

from tests.tf_scl.report import examples
from tests.tf_scl.report.pages import Page
from tf_scl.report.sections.images import embedding_map, neighbours


def _near(image, label, similarity=0.5):
    return {"image": image, "label": label, "similarity": similarity}


def test_few_classes_have_a_legend_many_a_list():
    few = embedding_map(examples.labelled())
    assert "names" not in few and "digit 9</text>" in few
    facts = examples.labelled(100)
    facts["map"]["labels"][:100] = range(100)
    many = embedding_map(facts)
    names = re.findall(r"<li><b>(\d+)</b>(.*?)</li>", many)
    assert {int(number): name for number, name in names} == {
        number: f"digit {number}" for number in range(100)
    }


def test_neighbours_of_another_class_are_marked_without_colour_too():
    near = [
        _near("data:image/png;base64,A", "cat", 0.98765),
        _near("data:image/png;base64,B", "dog"),
    ]
    query = {"image": "data:image/png;base64,Q", "label": "cat", "neighbours": near}
    page = Page(neighbours({"neighbours": {"queries": [query]}}))
    sources = [one["src"][-1] for tag, one in page.tags if tag == "img"]
    assert sources == ["Q", "A", "B"]
    assert [one.get("class") for _, one in page.tags].count("image other") == 1
    assert "≠ dog" in page.texts
    assert "cos 0.988" in page.texts
    assert "1 of 2 neighbours are of the query's class" in page.text


def test_images_from_elsewhere_are_not_loaded():
    near = [_near("https://x.org/a.png", None), _near("javascript:alert(1)", None)]
    query = {"image": "//x.org", "label": None, "neighbours": near}
    text = neighbours({"neighbours": {"queries": [query]}})
    assert text.count('src=""') == 3
    assert "of the query" not in text
