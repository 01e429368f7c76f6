import numpy as np
import pytest

from tests.tf_scl.report import examples
from tf_scl.report.next_steps import next_steps


def _facts(**changed):
    """A run of which nothing stands out, and changes to it."""
    facts = {
        "config": {"model": {"mu": 1.0, "image_size": 32}, "train": {"epochs": 20}},
        "history": {"loss": [2.0, 1.0, *[0.5] * 18], "clipped": [0.9, 0.1]},
        "short_side": 40,
        "evaluation": {
            "train_images": 5000,
            "test_images": 500,
            "labeled_train_images": 1600,
            "labeled_test_images": 400,
            "classes": 4,
            "representations": {
                "pretrained encoder": {"finite": True, "probe_all": {"interval": [0.5, 0.6]}}
            },
        },
    }
    for path, value in changed.items():
        *sections, name = path.split("__")
        place = facts
        for section in sections:
            place = place[section]
        place[name] = value
    return facts


@pytest.mark.parametrize(
    "changed,expected",
    [
        ({}, None),
        ({"history__clipped": [1.0, 1.0]}, "100 % of the embeddings were clipped"),
        ({"history__clipped": [1.0, 1.0], "config__model__mu": 30.0}, None),
        ({"history__loss": np.linspace(2, 0, 20).tolist()}, "--train.epochs 40"),
        (
            {"history__loss": np.linspace(2, 0, 20).tolist(), "config__train__minutes": 7.5},
            "such as --minutes 15.",
        ),
        ({"history__loss": [2.0, 1.0, None, 0.5]}, None),
        ({"history__loss": [1.0] * 20}, None),
        ({"short_side": 128}, "--model.image_size 64"),
        ({"evaluation__train_images": 900}, "900 training images are few"),
        ({"evaluation__labeled_test_images": 6}, None),
    ],
)
def test_each_thing_that_stands_out_is_said(changed, expected):
    found = next_steps(_facts(**changed))
    assert len(found) == (expected is not None)
    assert expected is None or expected in found[0]


@pytest.mark.parametrize("probe", [None, {"interval": [0.1, 0.9]}])
def test_labels_that_are_missing_or_too_few_are_asked_for(probe):
    facts = _facts()
    encoder = facts["evaluation"]["representations"]["pretrained encoder"]
    encoder["probe_all"] = probe
    (text,) = next_steps(facts)
    assert ("too few" in text) == bool(probe) and "never sees" in text


def test_mu_grows_tenfold_but_not_beyond_what_was_seen_to_help():
    advice = next_steps(_facts(history__clipped=[1.0], config__model__mu=10.0))
    assert "--model.mu 30" in advice[0]
    assert "--model.mu 10," in next_steps(_facts(history__clipped=[1.0]))[0]


def test_facts_may_be_missing():
    assert next_steps({}) == []
    assert next_steps({"history": None, "evaluation": None}) == []
    next_steps(examples.labelled()), next_steps(examples.unlabelled())
