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


def test_the_pictures_show_the_numbers(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(example, "SWEEP", (1.0, 4.0))
    monkeypatch.setattr(example, "BATCHES", (16,))
    drawn = {}
    monkeypatch.setattr(example, "save", lambda figure, path: drawn.update({path.name: figure}))
    example.main(["--out", str(tmp_path)])
    missed = drawn["mu-sweep.svg"].axes[0].lines
    # Of each world the swept values with that of auto among them, and a ring around the latter.
    assert [len(line.get_xdata()) for line in missed] == [3, 1, 3, 1]
    assert missed[0].get_ydata()[0] == pytest.approx(0.75, abs=1e-3)
    titles = [axis.get_title() for axis in drawn["mu-threshold.svg"].axes]
    assert titles[0] == "m = 1: 4 of 16 kept"
    assert "| auto | 9.69 |" in capsys.readouterr().out


def test_a_picture_is_the_same_bytes_each_time(tmp_path):
    graph, _ = example.make_world("clusters of one size")
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        example.draw_threshold(graph, tmp_path / name / "mu-threshold.svg")
    first, second = (tmp_path / name / "mu-threshold.svg" for name in ("first", "second"))
    assert ElementTree.parse(first).getroot().tag.endswith("svg")
    assert first.read_bytes() == second.read_bytes()
