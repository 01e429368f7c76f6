import math

import numpy as np
import pytest

from tests.tf_scl.report import examples
from tf_scl.config import Config
from tf_scl.evaluation.results import Leakage, LinearProbeScore, Representation
from tf_scl.report.next_steps import next_steps

_FALLING = {"loss": np.linspace(2, 0, 20).tolist()}
_MU = {"model": {"mu": 30.0}}


def _evaluation(interval=(0.5, 0.6), **changed):
    probe = interval and LinearProbeScore(0.55, interval, 1600, 0.1)
    encoder = Representation(64, True, 30.0, linear_probe=probe)
    counts = {"train_images": 5000, "test_images": 500, "classes": 4}
    counts |= {"labeled_train_images": 1600, "labeled_test_images": 400, **changed}
    return examples.unlabeled_evaluation(representations={"pretrained encoder": encoder}, **counts)


def _steps(history=None, settings=None, short_side=40, evaluation=None):
    """Advice on a run of which nothing stands out, but for what is given."""
    config = Config().replace({"train": {"epochs": 20}}).replace(settings or {})
    calm = {"loss": [2.0, 1.0, *[0.5] * 18], "clipped": [0.9, 0.1]}
    return next_steps(evaluation or _evaluation(), config, {**calm, **(history or {})}, short_side)


@pytest.mark.parametrize(
    "changed,expected",
    [
        ({}, None),
        ({"history": {"clipped": [1.0, 1.0]}}, "100 % of the embeddings were clipped"),
        ({"history": {"clipped": [1.0, 1.0]}}, "Try model.mu auto"),
        ({"history": {"clipped": [1.0, 1.0]}, "settings": _MU}, "mu = 30 binds"),
        ({"history": {"clipped": [1.0, math.nan]}}, None),
        ({"history": _FALLING}, "train.epochs 40"),
        (
            {"history": _FALLING, "settings": {"train": {"minutes": 7.5}}},
            "such as train.minutes 15.",
        ),
        ({"history": {"loss": [2.0, 1.0, math.nan, 0.5]}}, None),
        ({"history": {"loss": [1.0] * 20}}, None),
        ({"short_side": 128}, "model.image_size 64"),
        ({"short_side": None}, None),
        ({"evaluation": _evaluation(train_images=900)}, "900 training images are few"),
        ({"evaluation": _evaluation(labeled_test_images=6)}, None),
        ({"evaluation": _evaluation(leakage=Leakage(24, 0.9, 12.0))}, None),
        (
            {"evaluation": _evaluation(leakage=Leakage(25, 0.9, 12.0))},
            "where 12 may do so by chance",
        ),
    ],
)
def test_each_thing_that_stands_out_is_said(changed, expected):
    found = _steps(**changed)
    assert len(found) == (expected is not None)
    assert expected is None or expected in found[0]


@pytest.mark.parametrize("interval", [None, (0.1, 0.9)])
def test_labels_that_are_missing_or_too_few_are_asked_for(interval):
    (text,) = _steps(evaluation=_evaluation(interval))
    assert ("too few" in text) == bool(interval) and "never sees" in text


@pytest.mark.parametrize("mu,binds", [(4.0, True), (10.0, False)])
def test_the_mu_of_the_least_loss_follows_from_the_terms(mu, binds):
    """-2 a and mu r with a = 0.8, r = 0.1: a / r = 8, which a mu of 10 does not keep it from."""
    terms = {"attraction": [0.0, -1.6], "repulsion": [0.0, 0.1 * mu], "clipped": [1.0]}
    found = _steps(terms, {"model": {"mu": mu}})
    assert len(found) == binds
    assert not binds or "Try model.mu auto" in found[0]


def test_of_a_mu_that_was_found_the_scaled_loss_counts():
    found = {"loss": [-0.9] * 20, "mu": [8.0] * 20, "scaled_loss": np.linspace(0, -9, 20).tolist()}
    (text,) = _steps(found, {"model": {"mu": "auto"}})
    assert "train.epochs 40" in text


def test_a_run_without_metrics_and_an_encoder_that_diverged():
    broken = {"pretrained encoder": Representation(64, False)}
    evaluation = examples.unlabeled_evaluation(representations=broken)
    assert next_steps(evaluation, Config(), {}, None) == []
