import re

from tests.tf_scl.report import examples
from tests.tf_scl.report.pages import Page
from tf_scl.report.sections.training import curves, spectrum


def test_a_chart_for_each_metric_and_every_number():
    facts = examples.labelled()
    text = curves(facts)
    assert text.count("<svg") == len(facts["history"]) == 5
    assert text.count(">epoch</text>") == 5
    assert len(re.findall(r"<tr>", text)) == 2 + 5 + 40


def test_first_last_lowest_highest():
    text = curves({"history": {"loss": [0.5, None, -1.5, 0.25]}})
    cells = Page(text).texts
    at = cells.index("first epoch")
    row = cells[cells.index("0.5", at) :][:4]
    assert row == ["0.5", "0.25", "−1.5 (epoch 3)", "0.5 (epoch 1)"]
    assert "In 1 epochs a metric was NaN or infinite" in text


def test_a_mu_that_was_found_is_said():
    history = {"loss": [-0.5, -0.6], "mu": [2.5, 31.04], "scaled_loss": [-1.2, -18.6]}
    text = curves({"history": history})
    assert "mu was found: 31 at the end." in text
    assert text.index("loss times mu</text>") < text.index("loss</text>", text.index("loss times"))
    assert "mu was found" not in curves(examples.labelled())


def test_one_epoch_none_and_lists_of_two_lengths():
    assert "points, not curves" in curves({"history": {"loss": [1.0]}})
    assert "left no metrics" in curves({"history": {"loss": []}})
    assert curves({"history": {"loss": [1.0, 2.0], "late": [3.0], "none": []}}).count("<svg") == 2


def test_a_spectrum_has_its_numbers_flags_and_assumptions():
    text = spectrum(examples.labelled())
    assert text.count("<svg") == 2
    assert "Projected embeddings, 95\u00a0% intervals" in text
    assert "No gap is clear" in text
    assert text.count("Assumed: ") == 1
    assert "0.6913" in text and "0.1678" in text


def test_a_spectrum_of_eigenvalues_only():
    text = spectrum({"spectrum": {"features": {"eigenvalues": [1.0, 0.5]}}})
    assert "Features</h3>" in text
    assert "0.5" in text
