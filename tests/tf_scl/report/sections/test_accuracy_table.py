import re

from tests.tf_scl.report import examples
from tf_scl.report.sections.accuracy_table import accuracy_table


def _rows(results):
    rows = re.findall(r"<tr>(.*?)</tr>", accuracy_table(results))
    cells = [re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", row) for row in rows]
    return {row[0]: row[1:] for row in cells}


def test_a_column_for_each_representation():
    results = examples.labelled()["evaluation"]["representations"]
    rows = _rows(results)
    assert rows[""] == list(results)
    assert all(len(row) == 4 for row in rows.values())
    assert rows["probe, few labels: accuracy"][0] == "95.8 ± 0.9\u00a0%"
    assert rows["probe, all labels: L2 strength"] == ["0.001", "0.01", "0.1", "0.0001"]
    assert rows["probe by SGD: best epoch, picked with hindsight"][0] == "99.2\u00a0% (epoch 55)"
    assert rows["probe by SGD: accuracy"][1:] == ["–"] * 3
    assert rows["probe, 10 % of labels: labels"] == ["144"] * 4


def test_rows_that_none_has_are_left_out():
    rows = _rows({"raw pixels": {"dimension": 64, "finite": True, "effective_rank": None}})
    assert list(rows) == ["", "dimension", "features are finite"]
