"""The gate by itself; with real probes it is tested in test_representation.py."""

import numpy as np

from tf_scl.config import EvaluateConfig
from tf_scl.evaluation import gate
from tf_scl.evaluation.gate import PIXELS, PRETRAINED, UNTRAINED, Correct, run_checks, verdict

_CONFIG = EvaluateConfig()
_RESULT = {"finite": True, "effective_rank": 30.0, "dimension": 64}


def _correct(rate, images=300, draws=3):
    """As good as `rate` in every measure, on the same images the more the better."""
    ease = np.random.default_rng(0).random(images)
    whole = ease < rate
    return Correct(np.repeat(whole[None], draws, axis=0), whole, whole)


def _run(ours, untrained, pixels, images=300, width=0.1):
    result = {**_RESULT, "probe_all": {"interval": [0.5, 0.5 + width]}}
    correct = {PRETRAINED: ours, UNTRAINED: untrained, PIXELS: pixels}
    results = {name: result for name in correct}
    checks = run_checks(
        results, {name: _correct(rate, images) for name, rate in correct.items()}, {}, _CONFIG
    )
    return checks, *verdict(checks, result, images)


def test_each_baseline_is_compared_in_each_measure():
    checks, state, reason = _run(0.9, 0.6, 0.7)
    assert [check.name for check in checks] == [
        *("features are finite", "features have not collapsed"),
        "few-label probe against the untrained encoder",
        "probe with all labels against the untrained encoder",
        "kNN against the untrained encoder",
        "few-label probe against the raw pixels",
        "probe with all labels against the raw pixels",
        "kNN against the raw pixels",
    ]
    assert {check.state for check in checks} == {"passed"} and state == gate.BLESSED
    assert reason.count("points better than that of the") == 2


def test_a_gain_over_one_baseline_is_not_enough():
    for rates, missing in (((0.8, 0.8, 0.5), "untrained encoder"), ((0.8, 0.5, 0.8), "raw pixels")):
        _, state, reason = _run(*rates)
        assert state == gate.NOT_SHOWN and f"better than the {missing} in any" in reason


def test_a_gain_need_not_be_shown_where_none_is_asked_for():
    checks, state, _ = _run(0.7, 0.7, 0.7)
    assert state == gate.NOT_SHOWN
    state, reason = verdict(checks, {"probe_all": {"interval": [0.5, 0.6]}}, 300, False)
    assert state == gate.BLESSED and "With require_gain = false" in reason
    failed = [*checks, gate.Check("kNN", "failed", "worse", PIXELS, -0.1)]
    assert verdict(failed, {}, 300, False)[0] == gate.REFUSED


def test_worse_than_one_baseline_is_refused_and_named():
    _, state, reason = _run(0.7, 0.5, 0.9)
    assert state == gate.REFUSED
    assert "kNN against the raw pixels: 62.7 %, raw pixels 86.0 %: worse by 23.3" in reason
    assert "untrained" not in reason


def test_of_equal_encoders_one_in_twenty_is_refused_or_blessed_at_most():
    """Equally good on other images each time; three independent measures are the worst case."""
    states = []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        correct = {
            name: Correct(*(rng.random(shape) < 0.7 for shape in ((2, 200), 200, 200)))
            for name in (PRETRAINED, PIXELS)
        }
        config = EvaluateConfig(resamples=400)
        checks = run_checks({name: _RESULT for name in correct}, correct, {}, config)
        states.append({check.state for check in checks[2:]})
    shown = np.mean([bool(state & {"passed", "failed"}) for state in states])
    assert shown <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 200)


def test_with_labels_that_suffice_views_say_nothing():
    matched = {PRETRAINED: np.zeros(50), UNTRAINED: np.ones(50)}
    enough = {**_RESULT, "probe_all": {"interval": [0.5, 0.6]}}
    few = {**_RESULT, "probe_all": {"interval": [0.5, 0.8]}}
    assert len(run_checks({PRETRAINED: enough}, {}, matched, _CONFIG)) == 2
    (check,) = run_checks({PRETRAINED: few}, {}, matched, _CONFIG)[2:]
    assert check.state == "failed" and check.name == "view matching against the untrained encoder"


def test_a_check_as_json():
    check = run_checks({PRETRAINED: {"finite": False}}, {}, {}, _CONFIG)[0].to_dict()
    assert check == {
        "name": "features are finite",
        "measure": "features are finite",
        "state": "failed",
        "text": "some are NaN or infinite",
        "baseline": None,
        "gain": None,
    }
