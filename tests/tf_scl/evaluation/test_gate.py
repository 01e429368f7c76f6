"""The gate by itself; with real probes it is tested in test_representation.py."""

import numpy as np

from tests.tf_scl.report import examples
from tf_scl.config import EvaluateConfig
from tf_scl.evaluation import gate
from tf_scl.evaluation.bootstrap import difference_interval
from tf_scl.evaluation.gate import (
    LAST_BLESSED,
    PIXELS,
    PRETRAINED,
    UNTRAINED,
    Correct,
    reach_verdict,
    run_checks,
)
from tf_scl.evaluation.results import Check, Difference, LinearProbeScore, Representation

_CONFIG = EvaluateConfig()


def _result(interval=None):
    probe = interval and LinearProbeScore(0.5, interval, 100, 0.1)
    return Representation(64, True, 30.0, linear_probe=probe)


_ENOUGH = _result((0.5, 0.6))


def _correct(rate, images=300, draws=3):
    """As good as `rate` in every measure, on the same images the more the better."""
    ease = np.random.default_rng(0).random(images)
    whole = ease < rate
    return Correct(np.repeat(whole[None], draws, axis=0), whole, whole)


def _run(ours, untrained, pixels, images=300, width=0.1):
    result = _result((0.5, 0.5 + width))
    correct = {PRETRAINED: ours, UNTRAINED: untrained, PIXELS: pixels}
    results = {name: result for name in correct}
    checks = run_checks(
        results, {name: _correct(rate, images) for name, rate in correct.items()}, {}, _CONFIG
    )
    return checks, reach_verdict(checks, result, images, images)


def test_each_baseline_is_compared_in_each_measure():
    checks, verdict = _run(0.9, 0.6, 0.7)
    assert [check.name for check in checks] == [
        *("features are finite", "effective rank"),
        "few-label probe against the untrained encoder",
        "probe with all labels against the untrained encoder",
        "kNN against the untrained encoder",
        "few-label probe against the raw pixels",
        "probe with all labels against the raw pixels",
        "kNN against the raw pixels",
    ]
    assert {check.state for check in checks} == {"passed"} and verdict.state == gate.BLESSED
    assert verdict.reason.count("points better than that of the") == 2 and verdict.doubts == ()


def test_a_gain_over_the_untrained_encoder_blesses_and_one_over_the_pixels_alone_does_not():
    _, verdict = _run(0.8, 0.8, 0.5)
    assert verdict.state == gate.NOT_SHOWN and verdict.doubts == (UNTRAINED,)
    assert "better than the untrained encoder in any" in verdict.reason
    _, verdict = _run(0.8, 0.5, 0.8)
    assert verdict.state == gate.BLESSED and verdict.doubts == (PIXELS,)
    assert "better than the raw pixels in any" in verdict.reason


def test_a_gain_need_not_be_shown_where_none_is_asked_for():
    checks, verdict = _run(0.7, 0.7, 0.7)
    assert verdict.state == gate.NOT_SHOWN and verdict.doubts == (UNTRAINED, PIXELS)
    verdict = reach_verdict(checks, _ENOUGH, 300, 300, require_gain=False)
    assert verdict.state == gate.BLESSED and "With require_gain = false" in verdict.reason
    failed = [*checks, Check("kNN", "failed", 0.5, 0.6, "accuracy")]
    assert reach_verdict(failed, _ENOUGH, 300, 300, require_gain=False).state == gate.REFUSED


def test_worse_than_one_baseline_is_refused_and_named():
    _, verdict = _run(0.7, 0.5, 0.9)
    assert verdict.state == gate.REFUSED
    expected = "kNN against the raw pixels: 62.7 %, raw pixels 86.0 %: worse by 23.3"
    assert expected in verdict.reason and "untrained" not in verdict.reason


def test_of_equal_encoders_one_in_thirteen_is_taken_for_better_at_most():
    """Equally good on other images each time; three independent measures are the worst case."""
    states = []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        correct = {
            name: Correct(*(rng.random(shape) < 0.7 for shape in ((2, 200), 200, 200)))
            for name in (PRETRAINED, PIXELS)
        }
        config = EvaluateConfig(resamples=400)
        checks = run_checks({name: _result() for name in correct}, correct, {}, config)
        states.append({check.state for check in checks[2:]})
    for state in ("passed", "failed"):
        share, expected = np.mean([state in one for one in states]), 3 * 0.025
        assert share <= expected + 2 * np.sqrt(expected / 200)


def test_with_labels_that_suffice_views_say_nothing():
    matched = {PRETRAINED: np.zeros(50), UNTRAINED: np.ones(50)}
    few = _result((0.5, 0.8))
    assert len(run_checks({PRETRAINED: _ENOUGH}, {}, matched, _CONFIG)) == 2
    (check,) = run_checks({PRETRAINED: few}, {}, matched, _CONFIG)[2:]
    assert check.state == "failed" and check.name == "view matching against the untrained encoder"


def test_the_numbers_of_a_check_are_those_of_the_images():
    checks, _ = _run(0.9, 0.6, 0.7)
    ours, theirs = _correct(0.9).near, _correct(0.7).near
    low, high = difference_interval(ours, theirs, 0.95, _CONFIG.resamples, _CONFIG.seed)
    (check,) = [one for one in checks if one.name == "kNN against the raw pixels"]
    assert (check.value, check.unit) == (ours.mean(), "accuracy")
    assert check.threshold == check.value - high
    assert check.baseline.value == theirs.mean()
    assert check.baseline.gain == Difference(ours.mean() - theirs.mean(), (low, high))
    assert [(one.value, one.threshold, one.unit) for one in checks[:2]] == [
        (1.0, 1.0, "boolean"),
        (30.0, 2.0, "dimensions"),
    ]


def test_features_that_are_not_finite_have_one_check():
    (check,) = run_checks({PRETRAINED: Representation(64, False)}, {}, {}, _CONFIG)
    assert (check.name, check.state, check.value) == ("features are finite", "failed", 0.0)


def test_where_nothing_was_compared_the_verdict_says_so():
    verdict = reach_verdict([], _result(), 0, 9)
    assert verdict.state == gate.NOT_SHOWN
    assert "that takes 10 evaluation images (there are 9)" in verdict.reason
    assert "chance" not in verdict.reason


def test_more_labels_are_asked_for_where_there_are_images_without():
    few = _result((0.1, 0.9))
    assert "(the probe's interval is 80 points wide)" in reach_verdict([], few, 6, 48).reason
    assert "label some hundred images more." in reach_verdict([], few, 6, 48).reason
    assert "ingest.eval_fraction" in reach_verdict([], few, 48, 48).reason


def test_why_there_is_no_probe():
    def why(**changed):
        counts = {"labeled_train_images": 40, "classes": 2, "labeled_test_images": 1}
        return gate.why_not_probed(examples.unlabeled_evaluation(**{**counts, **changed}))

    assert why().startswith("1 labeled evaluation image: no")
    assert why(classes=1).startswith("Labels of one class only")
    assert why(labeled_train_images=0).startswith("No labels")


def test_with_the_last_encoder_only_fair_images_are_compared():
    last, ours = _correct(0.9), _correct(0.9)
    fair = np.arange(300) % 3 == 0
    last.few[:, ~fair] = last.whole[~fair] = True  # where it was trained it is perfect
    correct = {PRETRAINED: ours, UNTRAINED: _correct(0.5), LAST_BLESSED: last}
    results = {name: _result() for name in correct}
    states = {}
    for name, mask in (("all", None), ("fair", fair), ("none", fair & False)):
        checks = run_checks(results, correct, {}, _CONFIG, mask)
        states[name] = {
            check.state
            for check in checks
            if check.baseline and check.baseline.name == LAST_BLESSED
        }
    assert "failed" in states["all"] and states["fair"] == {"not shown"} and not states["none"]
