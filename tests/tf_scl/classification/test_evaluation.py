import numpy as np
import pytest

from tf_scl.classification.evaluation import (
    GUESSES,
    LAST_CLASSIFIER,
    MOST_FREQUENT,
    ClassifierEvaluation,
    evaluate_classifier,
)
from tf_scl.config import EvaluateConfig
from tf_scl.dataclass_json import from_plain, to_plain

_CLASSES = ("a", "b", "c")


def _probabilities(given, sure=0.8):
    rows = np.full((len(given), 3), (1 - sure) / 2)
    rows[np.arange(len(given)), given] = sure
    return rows


def _evaluate(given, targets, others=None, config=None, unseen=None):
    train = np.array([0, 0, 1, 2])
    return evaluate_classifier(
        _probabilities(given), np.asarray(targets), _CLASSES, train, others, config, unseen=unseen
    )


def test_measures_by_hand():
    targets, given = [0, 0, 0, 1], [0, 0, 1, 1]
    found = _evaluate(np.array(given), targets)
    assert found.score.accuracy == 0.75
    assert found.score.interval[0] < 0.75 < found.score.interval[1]
    assert found.confusion.counts == ((2, 1, 0), (0, 1, 0), (0, 0, 0))
    a, b, c = found.classes
    assert (a.train_images, a.test_images, a.recall, a.precision) == (2, 3, 2 / 3, 1.0)
    assert (b.test_images, b.recall, b.precision) == (1, 1.0, 0.5)
    assert (c.train_images, c.test_images, c.recall, c.precision) == (1, 0, None, None)
    assert found.calibration_error == pytest.approx(0.05)
    assert found.cross_entropy == pytest.approx(-(3 * np.log(0.8) + np.log(0.1)) / 4)
    assert (found.train_images, found.test_images) == (4, 4)
    assert from_plain(ClassifierEvaluation, to_plain(found), "here") == found


def test_better_than_guesses_is_blessed():
    targets = np.arange(60) % 3
    found = _evaluate(targets, targets)
    assert found.verdict.blessed
    assert "66.7 points better than guesses without a look at the image" in found.verdict.reason
    passed = [(check.baseline.name, check.state) for check in found.checks]
    assert passed == [(GUESSES, "passed"), (MOST_FREQUENT, "passed")]


def test_guesses_are_as_good_as_the_answers_in_another_order():
    rng = np.random.default_rng(0)
    targets, given = rng.integers(0, 3, 50), rng.choice(3, 50, p=(0.6, 0.3, 0.1))
    check = _evaluate(given, targets).checks[0]
    shuffled = [np.mean(rng.permutation(given) == targets) for _ in range(20_000)]
    assert check.baseline.value == pytest.approx(np.mean(shuffled), abs=0.002)


def test_blind_answers_are_rarely_blessed():
    """One in forty: the interval of 95 % has two sides."""
    rng = np.random.default_rng(1)
    config = EvaluateConfig(resamples=200)
    blessed = 0
    for _ in range(300):
        targets, given = rng.integers(0, 3, 40), rng.choice(3, 40, p=(0.5, 0.3, 0.2))
        blessed += _evaluate(given, targets, config=config).verdict.blessed
    assert blessed <= 18  # of 300 draws at 1 in 40 more with a probability of 0.0002


def test_a_useful_classifier_of_few_labels_is_blessed_that_does_not_beat_the_most_frequent_class():
    targets = np.repeat([0, 1, 2], [20, 10, 10])
    given = np.concatenate([np.repeat([0, 1, 2], n) for n in ((11, 5, 4), (2, 7, 1), (2, 1, 7))])
    found = _evaluate(given, targets)
    assert found.verdict.blessed and found.checks[1].state == "not shown"
    assert "Against the most frequent class no difference is shown" in found.verdict.reason


def test_no_better_than_guesses_is_not_shown():
    targets = np.array([0] * 20 + [1, 2])
    found = _evaluate(np.zeros(22, int), targets)
    assert found.verdict.state == "not shown" and not found.verdict.blessed
    assert "may be chance" in found.verdict.reason
    assert "evaluate.require_gain = false would bless it" in found.verdict.reason  # the remedy
    lenient = EvaluateConfig(require_gain=False)
    found = _evaluate(np.zeros(22, int), targets, config=lenient)
    assert found.verdict.blessed
    assert "With evaluate.require_gain = false it is blessed all the same" in found.verdict.reason
    worse = _evaluate(np.ones(22, int), targets, config=lenient)
    assert worse.verdict.state == "not blessed"


def test_worse_than_the_last_classifier_is_refused_and_equal_is_not():
    targets = np.arange(90) % 3
    given = np.where(np.arange(90) < 20, (targets + 1) % 3, targets)
    worse = _evaluate(given, targets, {LAST_CLASSIFIER: targets})
    assert worse.verdict.state == "not blessed"
    assert worse.verdict.reason.startswith("accuracy against the last blessed classifier: 77.8 %")
    equal = _evaluate(given, targets, {LAST_CLASSIFIER: given})
    assert equal.verdict.blessed
    assert "last blessed classifier no difference is shown" in equal.verdict.reason
    # A class that only the other one knows is never right.
    better = _evaluate(given, targets, {LAST_CLASSIFIER: np.full(90, -1)})
    assert better.checks[2].state == "passed"


def test_where_classes_count_alike_the_mean_recall_is_judged():
    """95 of one class and 5 of another, each found in 90 %: by accuracy worse than naming one."""
    targets = np.repeat([0, 1], [950, 50])
    given = np.where(np.arange(1000) % 10 == 0, 1 - targets, targets)
    train = np.array([0, 1])
    rows = np.eye(2)[given]
    plain = evaluate_classifier(rows, targets, ("good", "bad"), train)
    assert plain.verdict.state == "not blessed"
    alike = evaluate_classifier(rows, targets, ("good", "bad"), train, balanced=True)
    guesses, check = alike.checks
    assert guesses.baseline.value == pytest.approx(0.5)
    assert check.measure == "mean recall" and alike.verdict.blessed
    assert check.value == pytest.approx(0.9) and check.baseline.value == pytest.approx(0.5)
    low, high = check.baseline.gain.interval
    normal = 1.96 * 0.5 * np.sqrt(0.09 / 950 + 0.09 / 50)
    assert 0.4 - 4 * normal < low < 0.4 - normal and 0.4 + normal < high < 0.4 + 3 * normal
    # Of each class 90 % are right, and all are given with certainty.
    assert alike.calibration_error == pytest.approx(0.1)


def test_on_images_that_the_last_classifier_was_trained_on_it_is_not_compared():
    targets = np.arange(90) % 3
    given = np.where(np.arange(90) < 20, (targets + 1) % 3, targets)
    unseen = np.arange(90) >= 45
    last = np.where(unseen, given, targets)  # perfect where it was trained
    fair = _evaluate(given, targets, {LAST_CLASSIFIER: last}, unseen=unseen)
    assert fair.verdict.blessed and fair.checks[2].baseline.gain.value == 0
    assert "On 45 of these images the last blessed classifier may have" in fair.verdict.reason
    assert (
        len(_evaluate(given, targets, {LAST_CLASSIFIER: last}, unseen=unseen & False).checks) == 2
    )
    assert not _evaluate(given, targets, {LAST_CLASSIFIER: last}).verdict.blessed


def test_few_evaluation_images_are_said():
    targets = np.arange(6) % 3
    found = _evaluate(targets, targets)
    assert "Of 6 labeled evaluation images the accuracy is known to" in found.verdict.reason
    assert "ingest.eval_fraction" in found.verdict.reason


def test_no_evaluation_image_has_a_label():
    found = evaluate_classifier(np.zeros((0, 3)), np.zeros(0, int), _CLASSES, np.array([0, 1, 2]))
    assert found.score is None and not found.verdict.blessed
    assert found.verdict.reason.startswith("No evaluation image has a label.")
    assert [one.train_images for one in found.classes] == [1, 1, 1]
    assert from_plain(ClassifierEvaluation, to_plain(found), "here") == found
