import json

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import confusion_matrix
from sklearn.preprocessing import StandardScaler

import tf_scl
from tf_scl.config import EvaluateConfig
from tf_scl.dataclass_json import dumps, from_plain
from tf_scl.evaluation import representation
from tf_scl.evaluation.bootstrap import accuracy_interval, difference_interval
from tf_scl.evaluation.gate import LAST_BLESSED, PIXELS, PRETRAINED, UNTRAINED
from tf_scl.evaluation.knn import knn_predict
from tf_scl.evaluation.linear_probe import draw_labeled
from tf_scl.evaluation.representation import evaluate_all, evaluate_representation
from tf_scl.evaluation.results import Evaluation

# Three draws, not ten: each is a probe of every representation, and its penalty chosen anew.
_CONFIG = EvaluateConfig(draws=3, fractions=())
_LAST = [
    f"{measure} against the last blessed encoder"
    for measure in ("few-label probe", "probe with all labels", "kNN")
]


@pytest.fixture(scope="module", autouse=True)
def _the_same_probe_once():
    """Each verdict here probes the same pixels; their probes are made once and remembered."""
    known = {}

    def remembered(*arguments):
        key = tuple(
            (one.shape, one.tobytes()) if isinstance(one, np.ndarray) else one for one in arguments
        )
        if key not in known:
            known[key] = tf_scl.linear_probe(*arguments)
        return known[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(representation, "linear_probe", remembered)
        yield


@pytest.fixture(scope="module")
def digits():
    images, labels = load_digits(return_X_y=True)
    return images[:400] / 16, images[900:] / 16, labels[:400], labels[900:]


def _judge(digits, encoder, labels=True, last=None, config=_CONFIG, class_names=None):
    train, test, train_labels, test_labels = digits
    if not labels:
        train_labels, test_labels = -np.ones_like(train_labels), -np.ones_like(test_labels)
    representations = {
        PRETRAINED: (encoder(train), encoder(test)),
        UNTRAINED: (train[:, ::2], test[:, ::2]),
        PIXELS: (train, test),
    }
    if last:
        representations[LAST_BLESSED] = (last(train), last(test))
    return evaluate_all(representations, train_labels, test_labels, config, class_names)


def _failed(verdict):
    return [check.name for check in verdict.checks if check.state == "failed"]


def _check(verdict, name):
    (found,) = [check for check in verdict.checks if check.name == name]
    return found


def _good():
    """An encoder that knows more than 400 images can teach: it has seen all labels."""
    images, labels = load_digits(return_X_y=True)
    return LinearDiscriminantAnalysis().fit(images / 16, labels).transform


def test_a_good_encoder_is_blessed(digits):
    verdict = _judge(digits, _good())
    assert verdict.verdict.blessed and _failed(verdict) == []
    assert verdict.verdict.state == "blessed"
    assert "better than that of the untrained encoder. The " in verdict.verdict.reason
    assert "better than that of the raw pixels." in verdict.verdict.reason
    assert verdict.classes == 10
    assert (verdict.labeled_train_images, verdict.labeled_test_images) == (400, 897)
    few = verdict.representations[PRETRAINED].few_shot_probe
    assert few.labels == 100 and few.labels_per_class == 10


def test_the_figures_are_those_of_probe_and_knn(digits):
    train, test, labels, truth = digits
    result = _judge(digits, lambda x: 2 * x).representations[PIXELS]
    assert result.linear_probe.accuracy == tf_scl.linear_probe(train, labels, test, truth).accuracy
    assert result.knn.accuracy == tf_scl.knn_accuracy(train, labels, test, truth)
    assert result.effective_rank == tf_scl.effective_rank(test)


def test_the_few_label_figures_are_those_of_scikit_learn(digits):
    """Mean and spread over 20 draws of its own, within their standard errors."""
    train, test, labels, truth = digits
    rng = np.random.default_rng(5)
    theirs = []
    for _ in range(20):
        chosen = np.concatenate(
            [rng.choice(np.flatnonzero(labels == c), 10, False) for c in range(10)]
        )
        scaler = StandardScaler().fit(train[chosen])
        model = LogisticRegression(C=1.0, max_iter=2000)
        model.fit(scaler.transform(train[chosen]), labels[chosen])
        theirs.append(model.score(scaler.transform(test), truth))
    config = EvaluateConfig(draws=20, fractions=())
    few = evaluate_representation(train, labels, test, truth, config).few_shot_probe
    assert few.labels == 100 and few.labels_per_class == 10
    assert abs(few.accuracy - np.mean(theirs)) < 4 * np.std(theirs) / np.sqrt(20)
    assert 0.4 < few.std / np.std(theirs) < 2.5
    # Half the labels would do plainly worse.
    half = EvaluateConfig(draws=20, labels_per_class=5, fractions=())
    fewer = evaluate_representation(train, labels, test, truth, half).few_shot_probe
    assert fewer.labels == 50 and fewer.accuracy < few.accuracy - 0.02


@pytest.mark.parametrize(
    "collapsed",
    [
        lambda x: np.ones((len(x), 8)),
        lambda x: np.outer(x.mean(1), np.arange(1.0, 9.0)),
    ],
    ids=["constant", "rank one"],
)
@pytest.mark.parametrize("labels", [True, False])
def test_a_collapsed_encoder_is_not_blessed(digits, collapsed, labels):
    verdict = _judge(digits, collapsed, labels)
    assert not verdict.verdict.blessed
    assert "effective rank" in _failed(verdict)


def test_an_encoder_worse_than_pixels_is_not_blessed(digits):
    noise = np.random.default_rng(0)
    verdict = _judge(digits, lambda x: x[:, :20] + noise.normal(size=(len(x), 20)))
    assert _failed(verdict)[-3:] == [
        "few-label probe against the raw pixels",
        "probe with all labels against the raw pixels",
        "kNN against the raw pixels",
    ]
    assert verdict.verdict.state == "not blessed" and not verdict.verdict.blessed


def test_an_encoder_that_few_labels_alone_favor_is_refused_for_the_others(digits):
    """Principal components of the class means: few labels suffice, but more would do better."""
    train, _, labels, _ = digits
    means = np.stack([train[labels == c].mean(0) for c in range(10)])
    directions = np.linalg.svd(means - means.mean(0))[2][:4]
    verdict = _judge(digits, lambda x: x @ directions.T)
    assert "probe with all labels against the raw pixels" in _failed(verdict)
    assert not verdict.verdict.blessed
    text = _check(verdict, "probe with all labels against the raw pixels").text
    pixels = 100 * verdict.representations[PIXELS].linear_probe.accuracy
    assert f"raw pixels {pixels:.1f} %: worse by" in text and "; refused below" in text


def test_an_encoder_no_better_than_its_untrained_self_is_not_shown(digits):
    train, test, labels, truth = digits
    representations = {name: (train, test) for name in (PRETRAINED, UNTRAINED, PIXELS)}
    verdict = evaluate_all(representations, labels, truth, _CONFIG)
    assert _failed(verdict) == []
    assert verdict.verdict.state == "not shown" and not verdict.verdict.blessed
    assert "untrained encoder and the raw pixels in any measure" in verdict.verdict.reason
    assert {check.state for check in verdict.checks[2:]} == {"not shown"}


def test_a_diverged_encoder_is_not_blessed(digits):
    verdict = _judge(digits, lambda x: np.full((len(x), 3), np.nan))
    assert _failed(verdict) == ["features are finite"]
    assert not verdict.verdict.blessed


def _views(images, noise, seed=0):
    """Two views of each image, alike but for noise."""
    rng = np.random.default_rng(seed)
    return np.stack([images + noise * rng.normal(size=images.shape) for _ in range(2)], axis=1)


@pytest.mark.parametrize(
    "noises,state",
    [((0.2, 0.6), "blessed"), ((0.4, 0.4), "not shown"), ((0.6, 0.2), "not blessed")],
)
def test_without_labels_the_views_of_an_image_decide(digits, noises, state):
    train, test, labels, truth = digits
    none, views = -np.ones(400, int), [_views(test, noise, n) for n, noise in enumerate(noises)]
    verdict = evaluate_all(
        {name: (train, test) for name in (PRETRAINED, UNTRAINED, PIXELS)},
        none,
        -np.ones(len(truth), int),
        _CONFIG,
        views=dict(zip((PRETRAINED, UNTRAINED), views, strict=True)),
    )
    assert verdict.verdict.state == state
    assert verdict.classes == verdict.labeled_test_images == 0
    results = verdict.representations
    assert results[PRETRAINED].linear_probe is None
    low, high = results[PRETRAINED].view_matching.interval
    assert low < results[PRETRAINED].view_matching.accuracy < high
    assert results[PIXELS].view_matching is None


def test_without_labels_and_views_nothing_is_shown(digits):
    assert _judge(digits, lambda x: x, labels=False).verdict.state == "not shown"


def test_too_few_labels_to_judge_by_are_said_and_the_views_decide(digits):
    train, test, labels, truth = digits
    few = np.where(np.arange(len(truth)) < 12, truth, -1)
    views = {PRETRAINED: _views(test, 0.2), UNTRAINED: _views(test, 0.6)}
    representations = {name: (train, test) for name in (PRETRAINED, UNTRAINED, PIXELS)}
    verdict = evaluate_all(representations, labels, few, _CONFIG, views=views)
    assert verdict.verdict.blessed and verdict.labeled_test_images == 12
    assert "12 labeled evaluation images are too few to judge by" in verdict.verdict.reason
    assert "view matching is" in verdict.verdict.reason


def test_images_without_a_label_are_left_out_of_the_probe(digits):
    train, test, labels, truth = digits
    labels = np.where(np.arange(len(labels)) < 300, labels, -1)
    verdict = evaluate_all(
        {name: (train, test) for name in (PRETRAINED, UNTRAINED, PIXELS)}, labels, truth, _CONFIG
    )
    assert verdict.representations[PIXELS].linear_probe.labels == 300


def test_intervals_are_those_of_the_predictions(digits):
    train, test, labels, truth = digits
    result = evaluate_representation(train, labels, test, truth, _CONFIG)
    near = knn_predict(train, labels, test) == truth
    assert result.knn.interval == accuracy_interval(near)
    right = tf_scl.linear_probe(train, labels, test, truth).predictions == truth
    assert result.linear_probe.interval == accuracy_interval(right)
    few = []
    for draw in range(_CONFIG.draws):
        chosen = draw_labeled(labels, 10, np.random.default_rng([0, draw]))
        few.append(tf_scl.linear_probe(train[chosen], labels[chosen], test, truth).predictions)
    assert result.few_shot_probe.interval == accuracy_interval(np.array(few) == truth)


def test_fractions_are_probed_where_they_come_to_an_image_per_class(digits):
    train, test, labels, truth = digits
    config = EvaluateConfig(draws=3, fractions=(0.01, 0.05, 0.5))
    one, two = evaluate_representation(train, labels, test, truth, config).fraction_probes
    assert (one.fraction, one.labels) == (0.05, 20)
    assert two.fraction == 0.5 and 195 <= two.labels <= 205
    assert one.accuracy < two.interval[0]
    assert two.interval[0] < two.accuracy < two.interval[1] and two.std > 0


def test_the_probe_by_sgd_is_made_on_request(digits):
    train, test, labels, truth = digits
    config = EvaluateConfig(draws=1, fractions=(), sgd_epochs=6, seed=3)
    result = evaluate_representation(train, labels, test, truth, config).sgd_probe
    expected = tf_scl.sgd_linear_probe(train, labels, test, truth, epochs=6, seed=3)
    assert result.accuracy == expected.accuracy and result.epochs == 6
    assert result.best_accuracy == expected.best_accuracy >= result.accuracy
    assert result.best_epoch == expected.best_epoch
    assert result.interval[0] < result.accuracy < result.interval[1]
    assert evaluate_representation(train, labels, test, truth, _CONFIG).sgd_probe is None


def test_labels_of_the_test_part_choose_nothing(digits):
    train, test, labels, truth = digits
    honest = evaluate_representation(train, labels, test, truth, _CONFIG)
    rng = np.random.default_rng(0)
    wrong = evaluate_representation(train, labels, test, rng.permutation(truth), _CONFIG)
    assert wrong.linear_probe.l2 == honest.linear_probe.l2
    assert wrong.linear_probe.accuracy < 0.2 and wrong.few_shot_probe.accuracy < 0.2


def test_the_confusion_is_that_of_scikit_learn_and_the_verdict_is_json(digits):
    train, test, labels, truth = digits
    names = "zero one two three four five six seven eight nine".split()
    verdict = _judge(digits, lambda x: x, class_names=names)
    predicted = tf_scl.linear_probe(train, labels, test, truth).predictions
    np.testing.assert_array_equal(verdict.confusion.counts, confusion_matrix(truth, predicted))
    assert list(verdict.confusion.classes) == names
    assert verdict.level == 0.95 and verdict.comparison is None
    assert from_plain(Evaluation, json.loads(dumps(verdict)), "evaluation.json") == verdict
    with pytest.raises(tf_scl.InputError, match="label 9 has no name: class_names holds 2"):
        _judge(digits, lambda x: x, class_names=["zero", "one"])


def test_without_labels_there_is_no_confusion_and_no_comparison(digits):
    verdict = _judge(digits, lambda x: x, labels=False, last=lambda x: x)
    assert verdict.confusion is None and verdict.comparison is None


def _noisy(amount, seed=0):
    """Pixels under noise: an encoder that is the worse, the more there is."""
    rng = np.random.default_rng(seed)
    return lambda x: x + amount * rng.normal(size=x.shape)


def test_a_loss_that_may_be_chance_is_not_held_against_an_encoder(digits):
    verdict = _judge(digits, _noisy(0.02, seed=3))
    few, pixels = (verdict.representations[name].few_shot_probe for name in (PRETRAINED, PIXELS))
    check = _check(verdict, "few-label probe against the raw pixels")
    assert few.accuracy < pixels.accuracy
    assert check.state == "not shown"
    assert check.baseline.gain.value == pytest.approx(few.accuracy - pixels.accuracy)
    refused_below = float(check.text.rpartition("refused below ")[2].removesuffix(" %"))
    assert 100 * pixels.accuracy - 4 < refused_below <= 100 * few.accuracy
    assert check.name not in _failed(verdict)


def test_the_last_blessed_encoder_itself_is_blessed_again(digits):
    verdict = _judge(digits, _good(), last=_good())
    assert verdict.verdict.blessed
    comparison = verdict.comparison
    assert comparison.linear_probe.value == comparison.few_shot_probe.value == 0
    assert comparison.images == len(digits[3])
    assert [check.name for check in verdict.checks[-3:]] == _LAST


def test_an_equally_good_encoder_is_blessed(digits):
    verdict = _judge(digits, _noisy(0.1, seed=1), last=_noisy(0.1, seed=2))
    low, high = verdict.comparison.linear_probe.interval
    assert low < verdict.comparison.linear_probe.value < high and low < 0 < high
    assert not set(_LAST) & set(_failed(verdict))


def test_an_encoder_worse_than_the_last_blessed_one_is_not_blessed(digits):
    verdict = _judge(digits, _noisy(0.3), last=lambda x: x)
    assert not verdict.verdict.blessed
    assert set(_LAST) <= set(_failed(verdict))
    comparison = verdict.comparison
    assert comparison.linear_probe.interval[1] < 0 and comparison.few_shot_probe.interval[1] < 0
    # Nor is it held against the last one that this one is better.
    assert set(_LAST) & set(_failed(_judge(digits, lambda x: x, last=_noisy(0.1)))) == set()


def test_the_comparison_is_of_the_same_images(digits):
    train, test, labels, truth = digits
    worse = _noisy(0.3)(train), _noisy(0.3)(test)
    verdict = evaluate_all(
        {PRETRAINED: worse, PIXELS: (train, test), LAST_BLESSED: (train, test)},
        labels,
        np.where(np.arange(len(truth)) < 500, truth, -1),
        _CONFIG,
    )
    ours, theirs = (
        tf_scl.linear_probe(a, labels, b[:500], truth[:500]).predictions == truth[:500]
        for a, b in (worse, (train, test))
    )
    comparison = verdict.comparison
    assert comparison.images == 500
    assert comparison.linear_probe.value == pytest.approx(ours.mean() - theirs.mean())
    assert comparison.linear_probe.interval == difference_interval(ours, theirs)
    assert _check(verdict, _LAST[1]).baseline.gain == comparison.linear_probe


@pytest.mark.parametrize("collapsed", [lambda x: 0 * x + 1, lambda x: x[:, 20:21] * np.ones(8)])
def test_a_collapsed_encoder_is_flagged_beside_a_last_blessed_one(digits, collapsed):
    verdict = _judge(digits, collapsed, last=lambda x: x)
    assert not verdict.verdict.blessed
    assert {"effective rank", *_LAST} <= set(_failed(verdict))


def test_labels_that_are_text_are_classes(digits):
    train, test, labels, truth = digits
    as_text = [np.array([f"digit {label}" for label in part]) for part in (labels, truth)]
    representations = {name: (train, test) for name in (PRETRAINED, UNTRAINED, PIXELS)}
    config = EvaluateConfig(fractions=(), draws=1)
    by_text = evaluate_all(representations, as_text[0], test_labels=as_text[1], config=config)
    by_number = evaluate_all(representations, labels, truth, config)
    assert by_text.confusion.counts == by_number.confusion.counts
    assert by_text.confusion.classes[9] == "digit 9"
