"""How good are frozen features: every measure, and the gate that blesses a model."""

import dataclasses
import logging

import numpy as np

from tf_scl.errors import InputError
from tf_scl.evaluation.bootstrap import accuracy_interval, difference_interval
from tf_scl.evaluation.collapse import effective_rank
from tf_scl.evaluation.knn import knn_predict
from tf_scl.evaluation.linear_probe import draw_fraction, draw_labelled, linear_probe
from tf_scl.evaluation.sgd_probe import sgd_linear_probe

PRETRAINED, UNTRAINED, PIXELS = "pretrained encoder", "untrained encoder", "raw pixels"
LAST_BLESSED = "last blessed encoder"
LEVEL = 0.95  # of every interval

_log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class _Measured:
    """A result, and what its intervals were made from; None where there was no probe."""

    result: dict
    truth: np.ndarray | None = None  # labels [M] of the test images that have one
    predictions: np.ndarray | None = None  # [M], of the probe on all labels
    whole: np.ndarray | None = None  # bool [M], where that was right
    few: np.ndarray | None = None  # bool [draws, M], where the few-label probes were


def evaluate_representation(train, train_labels, test, test_labels, config):
    """Measures one representation.

    Every choice (penalty, classes, draws) is made on the training part. An
    "interval" is [low, high] at level 0.95, over test images and, where labels
    are drawn, over draws (`tf_scl.evaluation.bootstrap`).

    Args:
        train: Float array [N, D], features of the training images.
        train_labels: Int array [N], negative where there is no label.
        test: Float array [M, D], features of the evaluation images.
        test_labels: Int array [M], likewise.
        config: `tf_scl.config.EvaluateConfig`.

    Returns:
        Dict: "dimension" and "finite"; where all is finite "effective_rank"
        (of `test`); and where labels allow "knn_accuracy", "knn_interval",
        "probe_all" (accuracy, interval, labels, l2), "probe_few" (mean and std
        of the accuracy over draws, interval, labels of a draw,
        labels_per_class), "probe_fractions" (a list of the same with fraction
        in place of labels_per_class; only fractions that come to an image per
        class or more, on average) and, with `config.sgd_epochs`, "probe_sgd"
        (accuracy, interval, best_accuracy, best_epoch, epochs). Accuracies
        are 0..1.
    """
    return _measure(train, train_labels, test, test_labels, config).result


def evaluate_all(representations, train_labels, test_labels, config, class_names=None):
    """Measures each of `representations` and passes judgement.

    Args:
        representations: Name -> (train, test); `PRETRAINED` and `PIXELS` are needed.
        train_labels, test_labels, config: As in `evaluate_representation`.
        class_names: Sequence of str, the name of label i at i, or None for
            the labels themselves.

    Returns:
        Dict that JSON can hold: "representations" (name ->
        `evaluate_representation`), "checks" (`gate`), "blessed" (all checks
        hold), "train_images", "test_images", "classes" (how many), "level" (of
        all intervals), "confusion" (of the encoder's probe on all labels:
        "classes", names, and "counts", a row for each true class and a column
        for each predicted one; or None) and "comparison" (encoder minus last
        blessed encoder on the same images: "difference" and "interval" of the
        probe on all labels, "few_difference" and "few_interval", "images"; or
        None).

    Raises:
        InputError: A label that `class_names` has no name for.
    """
    measured = {}
    for name, (train, test) in representations.items():
        _log.info("probing the %s", name)
        measured[name] = _measure(train, train_labels, test, test_labels, config)
    comparison = _compare(measured, config)
    checks = gate(measured, comparison, config)
    return {
        "representations": {name: one.result for name, one in measured.items()},
        "checks": checks,
        "blessed": all(check["holds"] for check in checks),
        "train_images": len(train_labels),
        "test_images": len(test_labels),
        "classes": len(np.unique(train_labels[train_labels >= 0])),
        "level": LEVEL,
        "confusion": _confusion(measured[PRETRAINED], class_names),
        "comparison": comparison,
    }


def gate(measured, comparison, config):
    """The conditions of a blessing, each a dict: name, value, needed, holds.

    The encoder must not be collapsed and, where there are labels, must not be
    worse than the raw pixels (few-label probe) or than the last blessed encoder
    (both probes). Worse is what the same test images and draws show: the
    interval of the paired difference lies below 0 as a whole. A bare comparison
    of means would turn away every second one of encoders that are equally good;
    this turns away one in 40, or fewer, at each check. What the test part is
    too small to show, the gate lets pass: its size decides how small a loss is
    seen, and many small losses, one model after another, are not.

    "value" is the encoder's accuracy, "needed" the least accuracy that would
    have passed: that of the other, less what chance may account for.

    Args:
        measured: Dict from name to what `evaluate_all` measured.
        comparison: As `evaluate_all` returns it.
        config: `tf_scl.config.EvaluateConfig`.
    """
    encoder = measured[PRETRAINED]
    finite = encoder.result["finite"]
    checks = [_check("features are finite", finite, True, finite)]
    if not finite:
        return checks
    rank, needed = encoder.result["effective_rank"], config.min_effective_rank
    checks.append(_check("not collapsed: effective rank", rank, needed, rank >= needed))
    if encoder.few is None:
        return checks
    whole, few = encoder.result["probe_all"]["accuracy"], encoder.result["probe_few"]["mean"]
    if measured[PIXELS].few is not None:
        interval = _difference(encoder.few, measured[PIXELS].few, config)
        checks.append(_no_worse("few-label probe no worse than raw pixels", few, interval))
    if comparison:
        name = f"probe no worse than {LAST_BLESSED}"
        checks.append(_no_worse(name, whole, comparison["interval"]))
        checks.append(_no_worse(f"few-label {name}", few, comparison["few_interval"]))
    return checks


def _no_worse(name, value, interval):
    return _check(name, value, value - interval[1], interval[1] >= 0)


def _check(name, value, needed, holds):
    return {"name": name, "value": value, "needed": needed, "holds": bool(holds)}


def _compare(measured, config):
    encoder, last = measured[PRETRAINED], measured.get(LAST_BLESSED)
    if last is None or last.few is None or encoder.few is None:
        return None
    return {
        "difference": float(encoder.whole.mean() - last.whole.mean()),
        "interval": _difference(encoder.whole, last.whole, config),
        "images": len(encoder.truth),
        "few_difference": float(encoder.few.mean() - last.few.mean()),
        "few_interval": _difference(encoder.few, last.few, config),
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


def _measure(train, train_labels, test, test_labels, config):
    result = {
        "dimension": int(test.shape[1]),
        "finite": bool(np.isfinite(train).all() and np.isfinite(test).all()),
    }
    if not result["finite"]:
        return _Measured(result)
    result["effective_rank"] = effective_rank(test)
    labelled, tested = train_labels >= 0, test_labels >= 0
    data = train[labelled], train_labels[labelled], test[tested], test_labels[tested]
    train, train_labels, test, truth = data
    if len(np.unique(train_labels)) < 2 or len(truth) < 2:  # of one image there is no interval
        return _Measured(result)
    near = knn_predict(train, train_labels, test, config.knn_k, config.knn_temperature) == truth
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
    return _Measured(result, truth, probe.predictions, whole, few)


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
