import json

import pytest

from tests.tf_scl.report import examples
from tf_scl.dataclass_json import dumps, from_plain
from tf_scl.errors import InputError
from tf_scl.report.facts import ReportFacts


@pytest.mark.parametrize("make", [examples.empty, examples.labeled, examples.unlabeled])
def test_facts_are_read_as_they_were_written(make):
    facts = make()
    assert from_plain(ReportFacts, json.loads(dumps(facts)), "report.json") == facts


def _set(facts, path, value):
    *folders, last = path
    for key in folders:
        facts = facts[key]
    facts[last] = value


@pytest.mark.parametrize(
    "path,value,message",
    [
        (["history"], [1], r"'r.json': history must be an object. Received: \[1\]"),
        (["history", "loss"], ["x"], r"history.loss\[0\] must be a number, or null"),
        (["evaluation", "train_images"], None, "evaluation.train_images must be a whole number"),
        (["evaluation", "later"], 1, "evaluation has an unknown key, 'later'"),
        (["evaluation", "comparison", "linear_probe", "interval"], [1], "must be a list of 2"),
        (["evaluation", "confusion", "counts"], [[1]], "a row and a column for each of its 10"),
        (["spectrum", "encoder features", "low"], [0.0], "each eigenvalue has an interval"),
        (["map", "labels"], [0], "as many labels as points. Received: 1 and 500"),
        (["map", "labels"], [10] * 500, "indices of the 10 classes, or null. Received: 10"),
        (["map", "points"], [[1.0]], r"map.points\[0\] must be a list of 2"),
        (["neighbors"], [{}], r"neighbors\[0\] has no 'image'"),
        (["ingestion", "summary", "files"], 1.5, "ingestion.summary.files must be a whole number"),
        (["versions", "keras"], 3, "versions.keras must be text"),
    ],
)
def test_what_does_not_fit_is_named(path, value, message):
    facts = json.loads(dumps(examples.labeled()))
    _set(facts, path, value)
    with pytest.raises(InputError, match=message):
        from_plain(ReportFacts, facts, "r.json")
