import copy

import pytest

from tests.tf_scl.report import examples
from tests.tf_scl.report.pages import Page
from tf_scl.report.sections.accuracy import accuracy, comparison


def test_every_measure_of_every_representation_is_in_the_chart():
    chart = accuracy(examples.labelled()).split("</svg>")[0]
    texts = [text for text in Page(chart[chart.index("<svg") :] + "</svg>").texts if text.strip()]
    assert texts.count("pretrained encoder") == 7
    assert texts.count("last blessed encoder") == 6
    assert "Linear probe, 50 % of the labels" in texts
    assert "Linear probe, 10 labels per class" in texts
    assert "95.8\u00a0%  [93.8, 97.4]" in texts
    assert "accuracy on 353 labeled evaluation images (%)" in texts


def test_without_labels_it_says_so():
    text = accuracy(examples.unlabelled())
    assert "No labels: no linear probe, no kNN." in text
    assert "<svg" not in text
    assert "130.6" in text


def test_an_encoder_that_diverged():
    facts = copy.deepcopy(examples.unlabelled())
    encoder = {"dimension": 256, "finite": False}
    facts["evaluation"]["representations"]["pretrained encoder"] = encoder
    assert "NaN or infinite: nothing could be measured" in accuracy(facts)


def test_one_representation_without_labels_is_left_out_of_the_chart():
    facts = copy.deepcopy(examples.labelled())
    facts["evaluation"]["representations"]["raw pixels"] = {"dimension": 64, "finite": False}
    text = accuracy(facts)
    assert text.split("</svg>")[0].count("raw pixels") == 0
    assert "64" in text


@pytest.mark.parametrize(
    "interval,judgement",
    [
        ([0.001, 0.02], "better, by more than chance"),
        ([-0.02, -0.001], "worse, by more than chance"),
        ([-0.01, 0.02], "the difference may be chance"),
        ([0.0, 0.02], "the difference may be chance"),
    ],
)
def test_the_comparison_is_judged_by_its_interval(interval, judgement):
    facts = copy.deepcopy(examples.labelled())
    facts["evaluation"]["comparison"]["interval"] = interval
    assert judgement in comparison(facts)


def test_a_comparison_with_all_labels_only():
    facts = copy.deepcopy(examples.labelled())
    facts["evaluation"]["comparison"] = {"difference": 0.1}
    text = comparison(facts)
    assert "+10.00" in text
    assert "few labels" not in text
    assert "may be chance" not in text


def test_every_accuracy_says_on_how_many_labeled_images():
    facts = copy.deepcopy(examples.labelled())
    facts["evaluation"].update(labeled_train_images=34, train_images=192)
    facts["evaluation"].update(labeled_test_images=6, test_images=48)
    text = accuracy(facts)
    assert "34 labeled of 192 training images" in text
    assert "6 labeled of 48 evaluation images" in text
    assert "accuracy on 6 labeled evaluation images (%)" in text
