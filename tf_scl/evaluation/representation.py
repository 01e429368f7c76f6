"""How good are frozen features: every measure of each representation, side by side."""

import dataclasses
import logging

import numpy as np

from tf_scl.errors import InputError
from tf_scl.evaluation import gate
from tf_scl.evaluation.bootstrap import accuracy_interval, difference_interval
from tf_scl.evaluation.collapse import effective_rank
from tf_scl.evaluation.gate import LAST_BLESSED, LEVEL, PRETRAINED
from tf_scl.evaluation.knn import knn_predict, usable_k
from tf_scl.evaluation.labels import check_label_pair
from tf_scl.evaluation.linear_probe import draw_fraction, draw_labelled, linear_probe
from tf_scl.evaluation.sgd_probe import sgd_linear_probe
from tf_scl.evaluation.view_matching import match_views

_log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Measured:
    """A representation's numbers, and what its intervals were made from.

    Attributes:
        result: Dict, see `evaluate_representation`.
        correct: `gate.Correct`, or None where there was no probe.
        truth: int64 [M], labels of the test images that have one; or None.
        predictions: int64 [M], of the probe with all labels; or None.
    """

    result: dict
    correct: gate.Correct | None = None
    truth: np.ndarray | None = None
    predictions: np.ndarray | None = None


def evaluate_representation(train, train_labels, test, test_labels, config):
    """Measures one representation.

    Every choice (penalty, classes, draws) is made on the training part. An
    "interval" is [low, high] at level 0.95, over test images and, where labels
    are drawn, over draws (`tf_scl.evaluation.bootstrap`).

    Args:
        train: Float array [N, D], features of the training images.
        train_labels: Int array [N] or [N, 1], negative where there is no label; or text.
        test: Float array [M, D], features of the evaluation images.
        test_labels: Int array [M], likewise.
        config: `tf_scl.config.EvaluateConfig`.

    Returns:
        Dict: "dimension" and "finite"; where all is finite "effective_rank"
        (of `test`); and where labels allow "knn_accuracy", "knn_interval", "knn_k",
        "probe_all" (accuracy, interval, labels, l2), "probe_few" (mean and std
        of the accuracy over draws, interval, labels of a draw,
        labels_per_class), "probe_fractions" (a list of the same with fraction
        in place of labels_per_class; only fractions that come to an image per
        class or more, on average) and, with `config.sgd_epochs`, "probe_sgd"
        (accuracy, interval, best_accuracy, best_epoch, epochs). Accuracies
        are 0..1.
    """
    return measure(train, train_labels, test, test_labels, config).result


def evaluate_all(
    representations, train_labels, test_labels, config, class_names=None, views=None, known=None
):
    """Measures each of `representations` and reaches a verdict.

    Args:
        representations: Name -> (train, test). The encoder is `gate.PRETRAINED`, its
            baselines are `gate.UNTRAINED`, `gate.PIXELS` and, where there is one,
            `gate.LAST_BLESSED`.
        train_labels, test_labels, config: As in `evaluate_representation`.
        class_names: Sequence of str, the name of label i at i, or None for
            the labels themselves.
        views: Dict from `gate.PRETRAINED` and `gate.UNTRAINED` to features [N, V, D]
            of V views of evaluation images each, or None.
        known: Dict from name to `Measured`, of representations that need not be
            measured again; or None.

    Returns:
        Dict that JSON can hold: "representations" (name ->
        `evaluate_representation`, and "view_matching", "view_matching_interval" where
        there are views), "checks" (of `gate.run_checks`, as dicts), "verdict",
        "reason" and "doubts" (`gate.Verdict`), "blessed" (bool), "train_images", "test_images",
        "labeled_train_images", "labeled_test_images", "classes" (how many), "level"
        (of all intervals), "confusion" (of the encoder's probe with all labels:
        "classes", names, and "counts", a row for each true class and a column
        for each predicted one; or None) and "comparison" (encoder minus last
        blessed encoder on the same images: "difference" and "interval" of the
        probe with all labels, "few_difference" and "few_interval", "images"; or
        None).

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
    results = {name: dict(measured[name].result) for name in representations}
    for name, right in matched.items():
        results[name]["view_matching"] = float(np.mean(right))
        results[name]["view_matching_interval"] = _interval(right, config)
    correct = {name: one.correct for name, one in measured.items() if one.correct is not None}
    checks = gate.run_checks(results, correct, matched, config)
    labeled = int(np.count_nonzero(test_labels >= 0))
    verdict = gate.reach_verdict(
        checks, results[PRETRAINED], labeled, len(test_labels), config.require_gain
    )
    return {
        "representations": results,
        "checks": [check.to_dict() for check in checks],
        "verdict": verdict.state,
        "reason": verdict.reason,
        "doubts": list(verdict.doubts),
        "blessed": verdict.state == gate.BLESSED,
        "train_images": len(train_labels),
        "test_images": len(test_labels),
        "labeled_train_images": int(np.count_nonzero(train_labels >= 0)),
        "labeled_test_images": labeled,
        "classes": len(np.unique(train_labels[train_labels >= 0])),
        "level": LEVEL,
        "confusion": _confusion(measured[PRETRAINED], class_names),
        "comparison": _compare(correct, config),
    }


def _numbered(train_labels, test_labels):
    """Labels as numbers [N] and [M]; and, where they were text, the sorted texts, else None."""
    train_labels, test_labels = check_label_pair(train_labels, test_labels)
    if train_labels.dtype.kind != "U":
        return train_labels, test_labels, None
    texts, numbers = np.unique(np.concatenate([train_labels, test_labels]), return_inverse=True)
    return numbers[: len(train_labels)], numbers[len(train_labels) :], texts.tolist()


def _compare(correct, config):
    if not {PRETRAINED, LAST_BLESSED} <= set(correct):
        return None
    ours, last = correct[PRETRAINED], correct[LAST_BLESSED]
    return {
        "difference": float(ours.whole.mean() - last.whole.mean()),
        "interval": _difference(ours.whole, last.whole, config),
        "images": len(ours.whole),
        "few_difference": float(ours.few.mean() - last.few.mean()),
        "few_interval": _difference(ours.few, last.few, config),
    }


def _confusion(encoder, class_names):
    if encoder.predictions is None:
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
    return {"classes": [str(name) for name in names], "counts": counts.tolist()}


def measure(train, train_labels, test, test_labels, config):
    """As `evaluate_representation`, but returns `Measured`."""
    train_labels, test_labels, _ = _numbered(train_labels, test_labels)
    result = {
        "dimension": int(test.shape[1]),
        "finite": bool(np.isfinite(train).all() and np.isfinite(test).all()),
    }
    if not result["finite"]:
        return Measured(result)
    result["effective_rank"] = effective_rank(test)
    labelled, tested = train_labels >= 0, test_labels >= 0
    data = train[labelled], train_labels[labelled], test[tested], test_labels[tested]
    train, train_labels, test, truth = data
    if len(np.unique(train_labels)) < 2 or len(truth) < 2:  # of one image there is no interval
        return Measured(result)
    k = usable_k(train_labels, config.knn_k)
    result["knn_k"] = k
    near = knn_predict(train, train_labels, test, k, config.knn_temperature) == truth
    result["knn_accuracy"] = float(np.mean(near))
    result["knn_interval"] = _interval(near, config)
    probe = linear_probe(*data, config.seed)
    whole = probe.predictions == truth
    result["probe_all"] = {
        "accuracy": probe.accuracy,
        "interval": _interval(whole, config),
        "labels": probe.train_size,
        "l2": probe.l2,
    }
    few, result["probe_few"] = _drawn_probes(data, draw_labelled, config.labels_per_class, config)
    result["probe_few"]["labels_per_class"] = config.labels_per_class
    result["probe_fractions"] = [
        {"fraction": share, **_drawn_probes(data, draw_fraction, share, config)[1]}
        for share in config.fractions
        if share * len(train_labels) >= len(np.unique(train_labels))
    ]
    if config.sgd_epochs:
        result["probe_sgd"] = _sgd_probe(data, config)
    return Measured(result, gate.Correct(few, whole, near), truth, probe.predictions)


def _drawn_probes(data, draw, amount, config):
    """(bool [draws, M], dict) of probes on labels that are drawn several times."""
    train, train_labels, test, truth = data
    correct = []
    for number in range(config.draws):
        # The same for every representation, so that they can be compared draw by draw.
        chosen = draw(train_labels, amount, np.random.default_rng([config.seed, number]))
        probe = linear_probe(train[chosen], train_labels[chosen], test, truth, config.seed)
        correct.append(probe.predictions == truth)
    correct = np.array(correct)
    return correct, {
        "mean": float(np.mean(correct)),
        "std": float(np.std(correct.mean(axis=1))),
        "interval": _interval(correct, config),
        "labels": len(chosen),
    }


def _sgd_probe(data, config):
    probe = sgd_linear_probe(*data, epochs=config.sgd_epochs, seed=config.seed)
    return {
        "accuracy": probe.accuracy,
        "interval": _interval(probe.predictions == data[3], config),
        "best_accuracy": probe.best_accuracy,
        "best_epoch": probe.best_epoch,
        "epochs": config.sgd_epochs,
    }


def _interval(correct, config):
    return list(accuracy_interval(correct, LEVEL, config.resamples, config.seed))


def _difference(ours, theirs, config):
    return list(difference_interval(ours, theirs, LEVEL, config.resamples, config.seed))
