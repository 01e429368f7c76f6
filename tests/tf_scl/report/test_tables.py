import dataclasses
import math

import numpy as np

from tests.tf_scl.report import examples
from tf_scl.evaluation.results import Confusion, Representation
from tf_scl.report import tables


def _rows(results):
    return {row.name: row for row in tables.accuracy_table(results)}


def test_a_row_for_each_number_of_every_representation():
    rows = _rows(examples.labeled().evaluation.representations)
    assert all(len(row.cells) == 4 for row in rows.values())
    few = rows["Linear probe, 10 labels per class"]
    assert few.note == "100 labels"
    assert few.cells[0] == ("95.8 ± 0.9\u00a0%", "93.8–97.4\u00a0%")
    assert [text for text, _ in rows["– L2 strength"].cells] == ["0.001", "0.01", "0.1", "0.0001"]
    best = [text for text, _ in rows["– best accuracy, picked with hindsight"].cells]
    assert best == ["99.2\u00a0%", "–", "–", "–"]
    assert [text for text, _ in rows["Linear probe by SGD"].cells[1:]] == ["–"] * 3
    assert rows["Linear probe, 10 % of the labels"].note == "144 labels"


def test_rows_that_none_has_are_left_out():
    rows = _rows({"raw pixels": Representation(64, True)})
    assert list(rows) == ["dimension", "features are finite", "effective rank"]
    assert rows["effective rank"].cells == [("–", "")]


def test_a_representation_without_scores_is_left_out_of_the_chart():
    results = dict(examples.labeled().evaluation.representations)
    results["raw pixels"] = Representation(64, False)
    names = {row.name for _, rows in tables.accuracy_rows(results) for row in rows}
    assert names == set(examples.NAMES) - {"raw pixels"}


def test_the_most_confused_pairs_against_a_sort():
    counts = ((8, 1, 0), (4, 5, 1), (0, 2, 8))
    assert tables.most_confused(Confusion(("c0", "c1", "c2"), counts)) == [
        ("c1", "c0", 4, "40.0\u00a0%"),
        ("c2", "c1", 2, "20.0\u00a0%"),
        ("c0", "c1", 1, "11.1\u00a0%"),
        ("c1", "c2", 1, "10.0\u00a0%"),
    ]


def test_the_worst_of_many_classes():
    counts = np.diag(np.arange(100) + 1)
    counts[7, 3] = 50
    counts[9, 9] = 0  # no image of this class
    names = tuple(f"c{number}" for number in range(100))
    confusion = Confusion(names, tuple(map(tuple, counts.tolist())))
    worst = tables.worst_classes(confusion)
    assert worst[0] == ("c7", 58, "13.8\u00a0%") and len(worst) == 99
    assert tables.most_confused(confusion) == [("c7", "c3", 50, "86.2\u00a0%")]


def test_first_last_lowest_highest():
    history = {"scaled_loss": (0.5, math.nan, -1.5, 0.25), "lost": (math.nan,)}
    assert list(tables.extremes(history)) == [
        ["loss times mu", "0.5", "0.25", "−1.5 (epoch 3)", "0.5 (epoch 1)"],
        ["lost", *["–"] * 4],
    ]


def test_every_kind_of_verdict_has_a_headline():
    verdict = examples.labeled().evaluation.verdict
    kinds = {}
    for state in ("blessed", "not blessed", "not shown"):
        kinds[state] = tables.headline(dataclasses.replace(verdict, state=state))[0]
    assert kinds == {"blessed": "yes", "not blessed": "no", "not shown": "unsure"}
