import copy

from tests.tf_scl.report import examples
from tests.tf_scl.report.pages import Page
from tf_scl.report.sections import verdict


def _cards(facts):
    page = Page(verdict.top(facts))
    return [text for text in page.texts if text.strip()], page


def test_the_verdict_its_reasons_and_three_numbers():
    texts, page = _cards(examples.labelled())
    assert texts[2:4] == ["Blessed", " – 3 of 3 checks hold."]
    assert "few-label probe no worse than raw pixels: 95.8\u00a0%, needed 91.4\u00a0%" in texts
    assert "not collapsed: effective rank: 83.02, needed 2" in texts
    big = [text for text in ("95.8\u00a0%", "99.4\u00a0%", "83") if text in texts]
    assert len(big) == 3
    assert [one.get("class") for _, one in page.tags].count("card") == 3
    assert "95\u00a0% interval 93.8–97.4\u00a0%; raw pixels 91.4\u00a0%" in "".join(texts)


def test_what_failed_comes_first():
    facts = copy.deepcopy(examples.labelled())
    facts["evaluation"]["blessed"] = False
    facts["evaluation"]["checks"][2].update(holds=False, value=0.9012)
    texts, page = _cards(facts)
    assert texts[2:4] == ["Not blessed", " – 1 of 3 checks fails."]
    assert texts[4:6] == [
        "✗",
        "few-label probe no worse than raw pixels: 90.1\u00a0%, needed 91.4\u00a0%",
    ]
    assert "verdict no" in [one.get("class") for _, one in page.tags]


def test_without_labels_other_numbers_take_their_place():
    texts, page = _cards(examples.unlabelled())
    text = " ".join(texts)
    assert "Loss above its optimum, projected embeddings 0.691" in text
    assert "Training loss at the end" in text
    assert [one.get("class") for _, one in page.tags].count("card") == 3


def test_a_diverged_encoder_and_none():
    results = {verdict.PRETRAINED: {"dimension": 4, "finite": False}}
    evaluation = {"representations": results, "checks": [], "blessed": False}
    assert "not finite" in verdict.top({"evaluation": evaluation})
    assert "No verdict" in verdict.top({})
