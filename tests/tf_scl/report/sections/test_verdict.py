import copy

from tests.tf_scl.report import examples
from tests.tf_scl.report.pages import Page
from tf_scl.report.sections import verdict


def _cards(facts):
    page = Page(verdict.top(facts))
    return [text for text in page.texts if text.strip()], page


def test_the_verdict_its_reasons_and_three_numbers():
    texts, page = _cards(examples.labelled())
    reason = " – The few-label probe is 4.4 points better than that of the raw pixels."
    assert texts[2:4] == ["Blessed", reason]
    assert "features have not collapsed: effective rank 83.0 of 256; refused below 2" in texts
    big = [text for text in ("95.8\u00a0%", "99.4\u00a0%", "83") if text in texts]
    assert len(big) == 3
    assert [one.get("class") for _, one in page.tags].count("card") == 3
    assert "95\u00a0% interval 93.8–97.4\u00a0%; raw pixels 91.4\u00a0%" in "".join(texts)


def test_what_failed_comes_first():
    facts = copy.deepcopy(examples.labelled())
    facts["evaluation"].update(blessed=False, verdict="not blessed", reason="It is worse.")
    facts["evaluation"]["checks"][2].update(state="failed", text="worse by 4.4 points")
    facts["evaluation"]["checks"][1].update(state="not shown", text="may be chance")
    texts, page = _cards(facts)
    assert texts[2:4] == ["Not blessed", " – It is worse."]
    assert texts[4:8] == [
        *("✗", "few-label probe against the raw pixels: worse by 4.4 points"),
        *("○", "features have not collapsed: may be chance"),
    ]
    assert "verdict no" in [one.get("class") for _, one in page.tags]


def test_what_is_not_shown_is_neither_green_nor_red():
    page = Page(verdict.top(examples.unlabelled()))
    assert "Not shown to be of use, not blessed" in page.texts
    assert "verdict unsure" in [one.get("class") for _, one in page.tags]


def test_blessed_without_a_gain_over_the_pixels_is_not_green():
    facts = copy.deepcopy(examples.labelled())
    facts["evaluation"]["doubts"] = ["raw pixels"]
    page = Page(verdict.top(facts))
    assert "Blessed, without a gain over the raw pixels" in page.texts
    assert "verdict unsure" in [one.get("class") for _, one in page.tags]


def test_what_to_do_next_and_how_to_use_the_model():
    facts = examples.labelled()
    page = Page(verdict.next_steps(facts))
    assert {"Train longer.", "Label more images."} <= set(page.texts)
    commands = "".join(page.texts)
    assert f"tf-scl embed path/to/images {facts['model']} --out" in commands
    assert "tensorflow_model_server" in commands
    assert "Nothing that was measured stands out" in verdict.next_steps({})


def test_without_labels_other_numbers_take_their_place():
    texts, page = _cards(examples.unlabelled())
    text = " ".join(texts)
    assert "Loss above its optimum, projected embeddings 0.691" in text
    assert "Training loss at the end" in text
    assert [one.get("class") for _, one in page.tags].count("card") == 3


def test_a_diverged_encoder_and_none():
    results = {verdict.PRETRAINED: {"dimension": 4, "finite": False}}
    evaluation = {"representations": results, "checks": [], "blessed": False}
    evaluation.update(verdict="not blessed", reason="some are NaN or infinite", doubts=[])
    assert "not finite" in verdict.top({"evaluation": evaluation})
    assert "No verdict" in verdict.top({})
