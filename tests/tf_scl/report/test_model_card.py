import dataclasses
import re

import numpy as np
import pytest

from tests.tf_scl.report.examples import evaluation, unlabeled_evaluation
from tf_scl.classification.evaluation import MOST_FREQUENT, evaluate_classifier
from tf_scl.config import preset
from tf_scl.dataclass_json import to_plain
from tf_scl.evaluation.results import Leakage, Verdict
from tf_scl.report.model_card import classifier_card, encoder_card
from tf_scl.serving import lineage
from tf_scl.serving.export import LINEAGE

_IMAGES = lineage.ImageLineage(
    {"train": 1000, "eval": 200}, "d" * 64, "my|photos", 1234, {"not an image": 34}
)
_LINEAGE = lineage.make_lineage(_IMAGES, "c" * 64, "a commit", {"run": "2026"})
_NAMES = ("cat", "dog|wolf", "<fox>")


def noted(**changed):
    """What an export notes of an encoder of the preset laptop."""
    return {
        "settings": preset("laptop").to_dict("ingest", "augment", "model", "train"),
        "image_size": 64,
        "channels": 3,
        "dimension": 256,
        "weights": "float32",
        "max_pixels": 50_000_000,
        LINEAGE: to_plain(_LINEAGE),
        **changed,
    }


def classified(right=0.9, images=60):
    """The evaluation of a made-up classifier of three classes; the third is never named."""
    rng = np.random.default_rng(0)
    targets = rng.permutation(np.arange(images) % 3)
    given = np.where(rng.random(images) < right, targets, 0) % 2
    return evaluate_classifier(np.eye(3)[given], targets, _NAMES, np.arange(30) % 3)


def rows(card):
    """The cells of all tables of a card, a list for each line."""
    lines = [line for line in card.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


def test_an_encoders_card_says_what_it_is_and_what_was_measured():
    card = encoder_card(noted(), evaluation(_NAMES, np.random.default_rng(0)), "Apache-2.0")
    assert card.startswith("---\nlicense: apache-2.0\npipeline_tag: image-feature-extraction\n")
    table = {cells[0]: cells[1:] for cells in rows(card)}
    assert table["network"] == ["ResNet-10, 32 channels in its first stage"]
    assert table["output"] == ["256 numbers"]
    assert table["license"] == ["Apache-2.0"]
    assert table["source"] == [r"my\|photos"]
    assert table["rejected"] == ["34 (34 not an image)"]
    assert table["kept"] == ["1,000 train, 200 eval"]
    assert table["git commit"] == ["a commit"]
    few, every, nearest = table["pretrained encoder"]
    assert few.replace("\xa0", " ") == "95.8 % (93.8–97.4 %)"
    assert every.startswith("99.4") and nearest.startswith("94.1")
    assert "Verdict: blessed. The few-label probe is 4.4 points better" in card


def test_settings_that_differ_from_the_defaults_are_listed_and_no_others():
    settings = {cells[0]: cells[1] for cells in rows(encoder_card(noted(), unlabeled_evaluation()))}
    assert settings["model.mu"] == "auto" and settings["train.minutes"] == "8.0"
    assert "train.momentum" not in settings and "model.method" not in settings


def test_without_labels_and_lineage_a_card_claims_nothing():
    found = noted()
    del found[LINEAGE]
    card = encoder_card(found, unlabeled_evaluation())
    assert "license:" not in card and ["license", "not stated"] in rows(card)
    assert "No evaluation image had a label: of its accuracy nothing is known." in card
    assert "No gain over the untrained encoder is shown." in card
    assert ["pretrained encoder", "83.02", "–"] in rows(card)
    assert "## Images" not in card


def test_near_copies_of_training_images_are_a_limit():
    measured = unlabeled_evaluation(leakage=Leakage(7, 0.98, 3.4))
    assert "7 of the 353 evaluation images look like" in encoder_card(noted(), measured)
    measured = unlabeled_evaluation(leakage=Leakage(6, 0.98, 3.4))
    assert "evaluation images look like" not in encoder_card(noted(), measured)


def test_a_classifiers_card_has_its_classes_and_their_recall():
    settings = {**noted()["settings"], "classify": {"tuned": "last"}}
    labels = {"labeled_images": 30, "labels_digest": "ab12", "code_digest": None}
    facts = noted(settings=settings, classes=list(_NAMES), abstain_below=0.7, classifier=labels)
    card = classifier_card(facts, classified())
    assert "pipeline_tag: image-classification" in card
    assert "Trained from 30 labels (a linear head and the last stage)" in card
    table = {cells[0]: cells[1:] for cells in rows(card)}
    assert table["classes"] == [r"cat, dog\|wolf, \<fox\>"]
    assert table["label is empty"] == ["where no score reaches 0.7"]
    assert "for every image" not in card
    assert table["training of the encoder began"] == [_LINEAGE.began]
    assert table["SHA-256 of the labels"] == ["ab12"]
    train, test, recall, precision = table[r"\<fox\>"]
    assert (train, test, recall, precision) == ("10", "20", "0.0\xa0%", "–")
    assert r"less than half of the images are found: \<fox\>." in card


def test_what_a_classifier_does_not_show_a_gain_over_is_among_its_limits():
    verdict = Verdict("blessed", "It is better than guesses.", (MOST_FREQUENT,))
    found = dataclasses.replace(classified(), verdict=verdict)
    card = classifier_card(noted(classes=list(_NAMES), abstain_below=0.0), found)
    assert "- No gain over the most frequent class is shown." in card


def test_classes_of_few_evaluation_images_are_named():
    facts = noted(classes=list(_NAMES), abstain_below=0.0)
    card = classifier_card(facts, classified(images=29))
    assert r"little is known of them: \<fox\>." in card
    assert "label is empty" not in card and "for every image" in card


@pytest.mark.parametrize("marks", ["a*b_c`d", "[x](y)", "line\nbreak | pipe", "# no heading"])
def test_no_name_is_taken_for_markdown(marks):
    images = dataclasses.replace(_IMAGES, source=marks)
    found = noted(**{LINEAGE: to_plain(dataclasses.replace(_LINEAGE, images=images))})
    (cell,) = [cells[1] for cells in rows(encoder_card(found, unlabeled_evaluation()))
               if cells[0] == "source"]  # fmt: skip
    assert cell.replace("\\", "") == marks.replace("\n", "")


@pytest.mark.parametrize(
    "model,expected",
    [
        ({}, "was trained without labels by the spectral contrastive loss"),
        ({"encoder": "MobileNetV3Small"}, "was trained without labels by"),
        (
            {"encoder": "MobileNetV3Small", "weights": "imagenet", "method": "simclr"},
            "began with the weights imagenet of MobileNetV3Small, and was trained on without "
            "labels by SimCLR",
        ),
        ({"encoder": "/m/vit.keras"}, "began with the weights of /m/vit.keras"),
        (
            {"encoder": "/m/vit.keras", "backbone_rate": 0.0},
            "has the weights of /m/vit.keras, which were not changed",
        ),
    ],
)
def test_what_an_encoder_began_with_is_said(model, expected):
    card = encoder_card(noted(settings={"model": model}), unlabeled_evaluation())
    assert f"The encoder {expected}" in card


def test_drift_is_named_where_the_model_keeps_a_reference():
    assert "tf-scl drift" not in encoder_card(noted(), unlabeled_evaluation())
    assert "tf-scl drift" in encoder_card(noted(duplicate_cosine=0.9), unlabeled_evaluation())


def test_a_preset_as_it_is_has_no_settings_to_list():
    card = encoder_card(noted(settings={}), unlabeled_evaluation())
    assert "All settings are tf_scl's defaults." in card and "| setting |" not in card


def test_a_lineage_of_another_version_is_left_out(caplog):
    broken = to_plain(_LINEAGE)
    del broken["began"]
    card = encoder_card(noted(**{LINEAGE: broken}), unlabeled_evaluation())
    assert "## Images" not in card and "began" in caplog.text
