import re

import numpy as np

from tests.tf_scl.report import examples
from tf_scl.report.sections.confusion import confusion


def _facts(counts):
    names = [f"c{number}" for number in range(len(counts))]
    return {"evaluation": {"confusion": {"classes": names, "counts": counts}}}


def _tables(text):
    rows = re.findall(r"<tr>(<td.*?)</tr>", text)
    return [re.findall(r"<td[^>]*>(.*?)</td>", row) for row in rows]


def test_the_most_confused_pairs_against_a_sort():
    counts = [[8, 1, 0], [4, 5, 1], [0, 2, 8]]
    text = confusion(_facts(counts))
    assert "21 of 29 images right (72.4\u00a0%)" in text
    assert _tables(text) == [
        ["c1", "c0", "4", "40.0\u00a0%"],
        ["c2", "c1", "2", "20.0\u00a0%"],
        ["c0", "c1", "1", "11.1\u00a0%"],
        ["c1", "c2", "1", "10.0\u00a0%"],
    ]
    assert "<svg" in text


def test_of_many_classes_pairs_and_the_worst_are_listed():
    counts = np.diag(np.arange(100) + 1)
    counts[7, 3] = 50
    counts[9, 9] = 0  # no image of this class
    text = confusion(_facts(counts.tolist()))
    assert "<svg" not in text
    rows = _tables(text)
    assert rows[:2] == [["c7", "c3", "50", "86.2\u00a0%"], ["c7", "58", "13.8\u00a0%"]]
    assert "20 of 99" in text


def test_no_confusion_and_no_labels():
    assert "No image was taken for one of another class." in confusion(_facts([[3, 0], [0, 4]]))
    assert "there are no labels to judge by" in confusion(_facts([]))
    assert "there are no labels to judge by" in confusion(examples.unlabelled())
    assert "0 of 0 images right." in confusion(_facts([[0, 0], [0, 0]]))
