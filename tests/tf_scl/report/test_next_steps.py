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
        ({"history__clipped": [1.0, 1.0]}, "Try --model.mu auto"),
        ({"history__clipped": [1.0, 1.0], "config__model__mu": 30.0}, "mu = 30 binds"),
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


@pytest.mark.parametrize("mu,binds", [(4.0, True), (10.0, False)])
def test_the_mu_of_the_least_loss_follows_from_the_terms(mu, binds):
    """-2 a and mu r with a = 0.8, r = 0.1: a / r = 8, which a mu of 10 does not keep it from."""
    terms = {"history__attraction": [0.0, -1.6], "history__repulsion": [0.0, 0.1 * mu]}
    found = next_steps(_facts(history__clipped=[1.0], config__model__mu=mu, **terms))
    assert len(found) == binds
    assert not binds or "Try --model.mu auto" in found[0]


def test_of_a_mu_that_was_found_the_scaled_loss_counts():
    found = {"loss": [-0.9] * 20, "mu": [8.0] * 20, "scaled_loss": np.linspace(0, -9, 20).tolist()}
    (text,) = next_steps(_facts(history=found, config__model__mu="auto"))
    assert "--train.epochs 40" in text


def test_facts_may_be_missing():
    assert next_steps({}) == []
    assert next_steps({"history": None, "evaluation": None}) == []
    next_steps(examples.labelled()), next_steps(examples.unlabelled())
