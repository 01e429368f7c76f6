import dataclasses
import json

import numpy as np
import pytest

import tf_scl
from tests.tf_scl.report import examples
from tf_scl.evaluation.evaluate import PROJECTED, EvaluationResult
from tf_scl.evaluation.gate import LAST_BLESSED, PRETRAINED
from tf_scl.evaluation.results import Representation
from tf_scl.report.run_facts import EMBEDDINGS, FEATURES, read_ingestion, run_facts


@pytest.fixture(autouse=True)
def no_records(monkeypatch):
    monkeypatch.setattr("tf_scl.report.run_facts.neighbor_grid", lambda *_, **__: "a grid")
    monkeypatch.setattr("tf_scl.report.run_facts.median_short_side", lambda files: 99)


def _judgment(finite, images, views=None):
    views = {} if views is None else {PRETRAINED: views, PROJECTED: views}
    rows = np.random.default_rng(0).normal(size=(images, 4)).astype(np.float32)
    results = {PRETRAINED: Representation(4, finite)}
    evaluation = examples.unlabeled_evaluation(representations=results)
    labels = np.full(images, -1)
    return EvaluationResult(evaluation, rows, rows, labels, views, labels)


def test_features_that_are_not_finite_have_no_pictures():
    models = {PRETRAINED: "one", LAST_BLESSED: "other"}
    facts = run_facts(_judgment(False, 40), models, [], ["a file"], tf_scl.Config(), [], {})
    assert facts.model == "one" and facts.short_side == 99
    assert set(facts.missing) == {"spectrum", "map", "neighbors"}
    assert facts.spectrum is facts.map is facts.neighbors is None
    assert facts.settings["train"]["batch_size"] == 512
    assert facts.versions["tf_scl"] == tf_scl.__version__


def test_too_few_images_for_a_spectrum_are_said():
    models = {PRETRAINED: "one"}
    facts = run_facts(_judgment(True, 9), models, [], [], tf_scl.Config(), [], {})
    assert facts.missing == {
        "comparison": "no other model has been blessed before",
        "spectrum": "it takes 10 evaluation images; there are 9",
    }
    assert len(facts.map.points) == 9
    assert facts.neighbors == "a grid"
    assert any(text.startswith("No labels") for text in facts.next_steps)


@pytest.mark.parametrize("mu,flagged", [(1.0, True), (2.0, False), ("auto", False)])
def test_a_clip_that_keeps_the_loss_from_its_optimum_is_flagged(mu, flagged):
    rng = np.random.default_rng(0)
    rows = np.repeat(rng.normal(size=(40, 1, 2)), 2, axis=1).astype(np.float32)
    config = tf_scl.Config().replace({"model": {"mu": mu}})
    facts = run_facts(_judgment(True, 40, rows), {PRETRAINED: "one"}, [], [], config, [], {})
    # Both eigenvalues are 1, and so is that of the constant: two dimensions keep a sum of 2.
    clip = [flag for flag in facts.spectrum[EMBEDDINGS].flags if "mu = " in flag]
    assert bool(clip) == flagged
    if mu == "auto":  # at the best scale the loss of two equal eigenvalues lacks little
        unit = rows / np.linalg.norm(rows, axis=2, keepdims=True)
        inner = unit[:, 0] @ unit[:, 0].T
        squared = (np.sum(inner**2) - 40) / (40 * 39)
        assert facts.spectrum[EMBEDDINGS].loss == pytest.approx(-1 / squared)
    assert not any("mu = " in flag for flag in facts.spectrum[FEATURES].flags)


def test_near_copies_reach_the_facts(monkeypatch):
    monkeypatch.setattr("tf_scl.report.run_facts.copy_pairs", lambda copies, *_: (copies,))
    result = dataclasses.replace(_judgment(True, 40), near_copies="copies")
    facts = run_facts(result, {PRETRAINED: "one"}, [], [], tf_scl.Config(), [], {})
    assert facts.near_copies == ("copies",)


def test_an_ingestion_is_read_with_its_first_rejected_images(tmp_path):
    summary = {"source": "photos\udcff", "files": 9, "kept": {"train": 4, "eval": 2}}
    summary |= {"rejected": {"empty": 3}, "classes": {}}
    (tmp_path / "summary.json").write_text(json.dumps(summary))
    lines = [{"file": f"{n}\udcff.png", "reason": "empty", "detail": "0 bytes"} for n in range(3)]
    (tmp_path / "rejected.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    found = read_ingestion(tmp_path, first=2)
    assert found.summary.files == 9 and found.summary.source == "photos\udcff"
    assert found.summary.rejected == {"empty": 3}
    assert [one.file for one in found.first_rejected] == ["0\udcff.png", "1\udcff.png"]
    assert found.rejected_list == str(tmp_path / "rejected.jsonl")
    (tmp_path / "summary.json").write_text(json.dumps({**summary, "files": None}))
    with pytest.raises(tf_scl.InputError, match="summary.json': files must be a whole number"):
        read_ingestion(tmp_path)
