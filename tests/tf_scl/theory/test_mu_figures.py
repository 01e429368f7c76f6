from xml.etree import ElementTree

import numpy as np
import pytest

from docs.explanation import mu_figures as example
from tf_scl.theory.population_losses import population_minimizer


def test_the_worlds_are_as_the_text_says():
    spread = []
    for name in example.WORLDS:
        graph, labels = example.make_world(name)
        assert graph.size == 96 and 0 < labels.mean() < 1
        assert np.count_nonzero(graph.eigenpairs[0] > 0.9) == 4  # the groups
        norms = np.sum(population_minimizer(graph, example.DIMENSION) ** 2, axis=1)
        spread.append(norms.max() / norms.min())
    assert spread[0] < 1.02 and spread[1] > 2


def test_a_small_mu_keeps_the_groups_only_and_auto_everything():
    graph, labels = example.make_world("clusters of one size")
    small, auto = (example.measure(graph, labels, mu) for mu in (1.0, "auto"))
    assert small["missed"] == pytest.approx(0.75, abs=1e-3) and small["error"] == 0.5
    assert auto["missed"] < 1e-3 and auto["error"] == 0
    assert auto["mu"] == pytest.approx(graph.eigenpairs[0][:16].sum(), rel=0.01)
    assert small["loss"] > auto["loss"]


def test_the_pictures_are_well_formed(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(example, "SWEEP", (1.0, 4.0))
    monkeypatch.setattr(example, "BATCHES", (16,))
    example.main(["--out", str(tmp_path)])
    svg = "{http://www.w3.org/2000/svg}"
    sweep = ElementTree.parse(tmp_path / "mu-sweep.svg").getroot()
    # Two worlds in three panels: two values of mu, auto and its ring; and the legend.
    assert len(sweep.findall(f".//{svg}circle")) == 3 * 2 * 4 + 3
    threshold = ElementTree.parse(tmp_path / "mu-threshold.svg").getroot()
    titles = [text.text for text in threshold.iter(f"{svg}text")]
    assert "m = 1: 4 of 16 kept" in titles
    assert "| auto | 9.69 |" in capsys.readouterr().out
