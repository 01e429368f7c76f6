"""How good are frozen features: every measure of each representation, side by side."""

import dataclasses
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from tf_scl.config import EvaluateConfig
from tf_scl.errors import InputError
from tf_scl.evaluation import gate
from tf_scl.evaluation.bootstrap import accuracy_interval, difference_interval
from tf_scl.evaluation.collapse import effective_rank
from tf_scl.evaluation.gate import LAST_BLESSED, LEVEL, PRETRAINED
from tf_scl.evaluation.knn import knn_predict, usable_k
from tf_scl.evaluation.labels import check_label_pair
from tf_scl.evaluation.linear_probe import draw_fraction, draw_labeled, linear_probe
from tf_scl.evaluation.results import (
    Comparison,
    Confusion,
    Difference,
    DrawnProbeScore,
    Evaluation,
    FewShotProbeScore,
    FractionProbeScore,
    Interval,
    KNNScore,
    LinearProbeScore,
    Representation,
    Score,
    SGDProbeScore,
)
from tf_scl.evaluation.sgd_probe import sgd_linear_probe
from tf_scl.evaluation.view_matching import match_views
from tf_scl.typing import Array

_log = logging.getLogger(__name__)

_Parts = tuple[Array, Array, Array, Array]


@dataclasses.dataclass(frozen=True)
class Measured:
    """A representation's measures, and what its intervals were made from.

    Attributes:
        result: The measures.
        correct: What the classifiers got right, or None where there was no probe.
        truth: int64 [M], labels of the test images that have one; or None.
        predictions: int64 [M], of the probe with all labels; or None.
    """

    result: Representation
    correct: gate.Correct | None = None
    truth: Array | None = None
    predictions: Array | None = None


def evaluate_representation(
    train: Array,
    train_labels: Any,
    test: Array,
    test_labels: Any,
    config: EvaluateConfig,
) -> Representation:
    """Measures one representation.

    Every choice (penalty, classes, draws) is made on the training part. Intervals are at
    level 0.95, over test images and, where labels are drawn, over draws
    (`tf_scl.evaluation.bootstrap`).

    Args:
        train: Float array [N, D], features of the training images.
        train_labels: Int array [N] or [N, 1], negative where there is no label; or text.
        test: Float array [M, D], features of the evaluation images.
        test_labels: Int array [M], likewise.
        config: `tf_scl.config.EvaluateConfig`. Of its fractions only those count that come to
            an image per class or more, on average; the SGD probe runs where `sgd_epochs` is
            not 0.

    Returns:
        `tf_scl.evaluation.results.Representation`. Where features are not all finite, it says
        so and has no measures; where there are no labels, or of one class only, no classifiers.
    """
    return measure(train, train_labels, test, test_labels, config).result


def evaluate_all(
    representations: Mapping[str, tuple[Array, Array]],
    train_labels: Any,
    test_labels: Any,
    config: EvaluateConfig,
    class_names: Sequence[str] | None = None,
    views: Mapping[str, Array] | None = None,
    known: Mapping[str, Measured] | None = None,
    unseen: Array | None = None,
) -> Evaluation:
    """Measures each of `representations` and reaches a verdict.

    Args:
        representations: Name -> (train, test). The encoder is `gate.PRETRAINED`, its
            baselines are `gate.UNTRAINED`, `gate.PIXELS` and, where there is one,
            `gate.LAST_BLESSED`.
        train_labels, test_labels, config: As in `evaluate_representation`.
        class_names: The name of label i at i, or None for the labels themselves.
        views: From `gate.PRETRAINED` and `gate.UNTRAINED` to features [N, V, D]
            of V views of evaluation images each, or None.
        known: Representations that need not be measured again, or None.
        unseen: Bool [M], the evaluation images that `gate.LAST_BLESSED` was not trained on: it is
            compared on these; None for all.

    Raises:
        InputError: A label that `class_names` has no name for.
    """
    train_labels, test_labels, texts = _numbered(train_labels, test_labels)
    class_names = texts if class_names is None else class_names
    measured = dict(known or {})
    for name, (train, test) in representations.items():
        if name not in measured:
            _log.info("probing the %s", name)
            measured[name] = measure(train, train_labels, test, test_labels, config)
    matched = {name: match_views(one) for name, one in (views or {}).items()}
    results = {name: measured[name].result for name in representations}
    for name, right in matched.items():
        results[name] = dataclasses.replace(results[name], view_matching=_score(right, config))
    correct = {name: one.correct for name, one in measured.items() if one.correct is not None}
    fair = np.ones(len(test_labels), bool) if unseen is None else unseen
    fair = fair[test_labels >= 0]
    checks = gate.run_checks(results, correct, matched, config, fair)
    labeled = len(fair)
    return Evaluation(
        representations=results,
        checks=tuple(checks),
        verdict=gate.reach_verdict(
            checks, results[PRETRAINED], labeled, len(test_labels), config.require_gain
        ),
        train_images=len(train_labels),
        test_images=len(test_labels),
        labeled_train_images=int(np.count_nonzero(train_labels >= 0)),
        labeled_test_images=labeled,
        classes=len(np.unique(train_labels[train_labels >= 0])),
        level=LEVEL,
        confusion=_confusion(measured[PRETRAINED], class_names),
        comparison=_compare(correct, config, fair),
    )


def _numbered(train_labels: Any, test_labels: Any) -> tuple[Array, Array, list[str] | None]:
    """Labels as numbers [N] and [M]; and, where they were text, the sorted texts, else None."""
    train_labels, test_labels = check_label_pair(train_labels, test_labels)
    if train_labels.dtype.kind != "U":
        return train_labels, test_labels, None
    texts, numbers = np.unique(np.concatenate([train_labels, test_labels]), return_inverse=True)
    return numbers[: len(train_labels)], numbers[len(train_labels) :], texts.tolist()


def _compare(
    correct: Mapping[str, gate.Correct], config: EvaluateConfig, fair: Array
) -> Comparison | None:
    if not {PRETRAINED, LAST_BLESSED} <= set(correct) or np.count_nonzero(fair) < 2:
        return None
    ours, last = (correct[name].of(fair) for name in (PRETRAINED, LAST_BLESSED))
    return Comparison(
        images=len(ours.whole),
        linear_probe=_difference(ours.whole, last.whole, config),
        few_shot_probe=_difference(ours.few, last.few, config),
    )


def _confusion(encoder: Measured, class_names: Sequence[str] | None) -> Confusion | None:
    if encoder.predictions is None or encoder.truth is None:
        return None
    labels = np.union1d(encoder.truth, encoder.predictions)
    if class_names is not None and labels[-1] >= len(class_names):
        raise InputError(
            f"label {labels[-1]} has no name: class_names holds {len(class_names)}; "
            "give one name for each label, from 0 on"
        )
    counts = np.zeros((len(labels), len(labels)), int)
    rows, columns = (np.searchsorted(labels, x) for x in (encoder.truth, encoder.predictions))
    np.add.at(counts, (rows, columns), 1)
    names = labels if class_names is None else [class_names[label] for label in labels]
    return Confusion(tuple(str(name) for name in names), tuple(map(tuple, counts.tolist())))


def measure(
    train: Array,
    train_labels: Any,
    test: Array,
    test_labels: Any,
    config: EvaluateConfig,
) -> Measured:
    """Measures as `evaluate_representation`, but returns `Measured`."""
    train_labels, test_labels, _ = _numbered(train_labels, test_labels)
    dimension = int(test.shape[1])
    if not (np.isfinite(train).all() and np.isfinite(test).all()):
        return Measured(Representation(dimension, finite=False))
    rank = effective_rank(test)
    labeled, tested = train_labels >= 0, test_labels >= 0
    data = train[labeled], train_labels[labeled], test[tested], test_labels[tested]
    train, train_labels, test, truth = data
    if len(np.unique(train_labels)) < 2 or len(truth) < 2:  # of one image there is no interval
        return Measured(Representation(dimension, finite=True, effective_rank=rank))
    k = usable_k(train_labels, config.knn_k)
    near = knn_predict(train, train_labels, test, k, config.knn_temperature) == truth
    probe = linear_probe(*data, config.seed)
    whole = probe.predictions == truth
    few, few_shot = _drawn_probes(data, draw_labeled, config.labels_per_class, config)
    fractions = [
        (fraction, _drawn_probes(data, draw_fraction, fraction, config)[1])
        for fraction in config.fractions
        if fraction * len(train_labels) >= len(np.unique(train_labels))
    ]
    result = Representation(
        dimension=dimension,
        finite=True,
        effective_rank=rank,
        knn=KNNScore(float(np.mean(near)), _interval(near, config), k),
        linear_probe=LinearProbeScore(
            probe.accuracy, _interval(whole, config), probe.train_size, probe.l2
        ),
        few_shot_probe=FewShotProbeScore(
            **vars(few_shot), labels_per_class=config.labels_per_class
        ),
        fraction_probes=tuple(
            FractionProbeScore(**vars(score), fraction=fraction) for fraction, score in fractions
        ),
        sgd_probe=_sgd_probe(data, config) if config.sgd_epochs else None,
    )
    return Measured(result, gate.Correct(few, whole, near), truth, probe.predictions)


def _drawn_probes(
    data: _Parts, draw: Callable[..., Array], amount: float, config: EvaluateConfig
) -> tuple[Array, DrawnProbeScore]:
    """bool [draws, M] and the score of probes on labels that are drawn several times."""
    train, train_labels, test, truth = data
    drawn = []
    for number in range(config.draws):
        # The same for every representation, so that they can be compared draw by draw.
        chosen = draw(train_labels, amount, np.random.default_rng([config.seed, number]))
        probe = linear_probe(train[chosen], train_labels[chosen], test, truth, config.seed)
        drawn.append(probe.predictions == truth)
    correct = np.array(drawn)
    return correct, DrawnProbeScore(
        accuracy=float(np.mean(correct)),
        interval=_interval(correct, config),
        std=float(np.std(correct.mean(axis=1))),
        labels=len(chosen),
    )


def _sgd_probe(data: _Parts, config: EvaluateConfig) -> SGDProbeScore:
    probe = sgd_linear_probe(*data, epochs=config.sgd_epochs, seed=config.seed)
    return SGDProbeScore(
        accuracy=probe.accuracy,
        interval=_interval(probe.predictions == data[3], config),
        best_accuracy=probe.best_accuracy,
        best_epoch=probe.best_epoch,
        epochs=config.sgd_epochs,
    )


def _score(correct: Array, config: EvaluateConfig) -> Score:
    return Score(float(np.mean(correct)), _interval(correct, config))


def _interval(correct: Array, config: EvaluateConfig) -> Interval:
    return accuracy_interval(correct, LEVEL, config.resamples, config.seed)


def _difference(ours: Array, theirs: Array, config: EvaluateConfig) -> Difference:
    interval = difference_interval(ours, theirs, LEVEL, config.resamples, config.seed)
    return Difference(float(ours.mean() - theirs.mean()), interval)
