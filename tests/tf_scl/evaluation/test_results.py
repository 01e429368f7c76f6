import json

import pytest

from tests.tf_scl.report import examples
from tf_scl.dataclass_json import dumps, from_plain
from tf_scl.errors import InputError
from tf_scl.evaluation.results import Baseline, Check, Confusion, Difference, Evaluation, Verdict


@pytest.mark.parametrize(
    "evaluation", [examples.labeled().evaluation, examples.unlabeled().evaluation]
)
def test_an_evaluation_is_read_as_it_was_written(evaluation):
    assert from_plain(Evaluation, json.loads(dumps(evaluation)), "evaluation.json") == evaluation


def _compared(state, value, other, low, high):
    baseline = Baseline("raw pixels", other, Difference(value - other, (low, high)))
    return Check("kNN", state, value, value - high, "accuracy", baseline)


@pytest.mark.parametrize(
    "check,name,text",
    [
        (Check("features are finite", "passed", 1.0, 1.0, "boolean"), "features are finite", "yes"),
        (
            Check("features are finite", "failed", 0.0, 1.0, "boolean"),
            "features are finite",
            "no, some are NaN or infinite",
        ),
        (
            Check("effective rank", "passed", 83.02, 2.0, "dimensions"),
            "effective rank",
            "83.0 dimensions; refused below 2",
        ),
        (
            _compared("passed", 0.958, 0.914, 0.025, 0.062),
            "kNN against the raw pixels",
            "95.8 %, raw pixels 91.4 %: better by 4.4 points (+2.5 to +6.2); refused below 89.6 %",
        ),
        (
            _compared("failed", 0.9, 0.93, -0.05, -0.01),
            "kNN against the raw pixels",
            "90.0 %, raw pixels 93.0 %: worse by 3.0 points (-5.0 to -1.0); refused below 91.0 %",
        ),
        (
            _compared("not shown", 0.9, 0.91, -0.03, 0.01),
            "kNN against the raw pixels",
            "90.0 %, raw pixels 91.0 %: a difference of -1.0 points that may be chance "
            "(-3.0 to +1.0); refused below 89.0 %",
        ),
    ],
)
def test_a_check_in_words(check, name, text):
    assert (check.name, check.text) == (name, text)


def test_only_the_state_blesses():
    assert Verdict("blessed", "").blessed
    assert not Verdict("not shown", "").blessed and not Verdict("not blessed", "").blessed


def test_a_confusion_matrix_is_square():
    with pytest.raises(ValueError, match="a row and a column for each of its 2"):
        Confusion(("a", "b"), ((1, 2),))


def test_another_state_is_refused():
    plain = json.loads(dumps(examples.labeled().evaluation))
    plain["checks"][1]["state"] = "holds"
    with pytest.raises(InputError, match=r"'e.json': checks\[1\].state must be one of"):
        from_plain(Evaluation, plain, "e.json")
