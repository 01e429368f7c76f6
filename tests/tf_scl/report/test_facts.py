import copy
import json

import numpy as np
import pytest

from tests.tf_scl.report import examples
from tf_scl.errors import InputError
from tf_scl.report.facts import check_facts, plain


def test_plain_facts_are_strict_json():
    facts = {
        "history": {"loss": np.array([1.0, np.nan, -np.inf], np.float32)},
        "n": np.int64(3),
        "flag": np.bool_(True),
        "tuple": (1, "a", None),
        7: {"deep": [np.float64(0.5)]},
    }
    got = plain(facts)
    assert got == {
        "history": {"loss": [1.0, None, None]},
        "n": 3,
        "flag": True,
        "tuple": [1, "a", None],
        "7": {"deep": [0.5]},
    }
    assert json.loads(json.dumps(got, allow_nan=False)) == got
    with pytest.raises(InputError, match="must be dicts, lists, numbers and text"):
        plain({"x": object()})


@pytest.mark.parametrize("facts", [{}, examples.labelled(), examples.unlabelled()])
def test_facts_pass_as_they_are(facts):
    facts = plain(facts)
    before = copy.deepcopy(facts)
    assert check_facts(facts) is facts
    assert facts == before


def test_unknown_keys_and_null_sections_pass():
    facts = examples.labelled()
    facts.update(later="news", history=None)
    facts["evaluation"]["later"] = [1]
    facts["evaluation"]["representations"]["raw pixels"]["knn_accuracy"] = None
    check_facts(facts)


def _set(facts, path, value):
    *folders, last = path
    for key in folders:
        facts = facts[key]
    facts[last] = value


@pytest.mark.parametrize(
    "path,value,message",
    [
        (["history"], [1], r"facts.history must be an object with named values. Received: \[1\]"),
        (["history", "loss"], ["x"], r"history\['loss'\]\[0\] must be a number, or null"),
        (["evaluation", "blessed"], 1, "evaluation.blessed must be true or false. Received: 1"),
        (["evaluation", "train_images"], None, "facts.evaluation has no 'train_images'"),
        (["evaluation", "comparison", "interval"], [1], "must be an interval .low, high."),
        (["evaluation", "confusion", "counts"], [[1]], "a row and a column for each of its 10"),
        (["spectrum", "encoder features", "low"], [0.0], "as many low as eigenvalues"),
        (["map", "labels"], [0], "as many labels as points. Received: 1 and 500"),
        (["map", "labels"], [10] * 500, "numbers of its 10 classes, from 0, or null. Received: 10"),
        (["map", "points"], [[1.0]], "a point .x, y."),
        (["neighbours", "queries"], [{}], r"queries\[0\] has no 'image'"),
        (["dead_letters", "files"], 1.5, "dead_letters.files must be whole. Received: 1.5"),
        (["versions", "keras"], 3, r"versions\['keras'\] must be text"),
    ],
)
def test_what_does_not_follow_the_schema_is_named(path, value, message):
    facts = examples.labelled()
    _set(facts, path, value)
    with pytest.raises(InputError, match=message):
        check_facts(facts)


def test_facts_must_be_an_object():
    with pytest.raises(InputError, match="report.json must be an object"):
        check_facts([1], "report.json")
