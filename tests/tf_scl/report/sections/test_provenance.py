from tests.tf_scl.report import examples
from tests.tf_scl.report.pages import Page
from tf_scl.report.sections.provenance import dead_letters, settings, versions


def test_none_some_and_thousands_of_dead_letters():
    none = dead_letters({"dead_letters": examples.dead_letters(0)})
    assert "1,797 files: 1,797 kept (1,444 train, 353 eval), 0 set aside." in none
    assert "<table" not in none
    some = Page(dead_letters({"dead_letters": examples.dead_letters(7)})).text
    assert "7 set aside (0.4\u00a0%)" in some
    assert "The first 7 of 7" in some
    many = Page(dead_letters({"dead_letters": examples.dead_letters(4321)})).text
    assert "The first 20 of 4,321" in many
    assert "rejected.jsonl" in many


def test_long_paths_are_cut():
    letters = examples.dead_letters(1)
    letters["first"][0]["file"] = "a/" * 500
    assert "a/" * 80 not in dead_letters({"dead_letters": letters})


def test_settings_of_every_kind():
    config = {"train": {"xla": False, "rate": 0.03, "hidden": [64, 64], "name": "sgd", "no": None}}
    texts = Page(settings({"config": config})).texts
    for shown in ("train", "false", "0.03", "[64, 64]", "sgd", "null"):
        assert shown in texts


def test_versions_are_one_line():
    text = Page(versions({"versions": {"keras": "3.15.1", "numpy": "1.26.4"}})).text
    assert "keras\u00a03.15.1, numpy\u00a01.26.4." in text
