"""How good are frozen features: every measure, and the gate that blesses a model."""

import logging

import numpy as np

from tf_scl.evaluation.collapse import effective_rank
from tf_scl.evaluation.knn import knn_accuracy
from tf_scl.evaluation.linear_probe import draw_labelled, linear_probe

PRETRAINED, UNTRAINED, PIXELS = "pretrained encoder", "untrained encoder", "raw pixels"

_log = logging.getLogger(__name__)


def evaluate_representation(train, train_labels, test, test_labels, config):
    """Measures one representation.

    Args:
        train: Float array [N, D], features of the training images.
        train_labels: Int array [N], negative where there is no label.
        test: Float array [M, D], features of the evaluation images.
        test_labels: Int array [M], likewise.
        config: `tf_scl.config.EvaluateConfig`.

    Returns:
        Dict: "dimension" and "finite"; where all is finite "effective_rank"
        (of `test`); and where labels allow "knn_accuracy", "probe_all"
        (accuracy, labels, l2) and "probe_few" (mean and std of the accuracy
        over draws, labels of a draw, labels_per_class). Accuracies are 0..1.
    """
    result = {
        "dimension": int(test.shape[1]),
        "finite": bool(np.isfinite(train).all() and np.isfinite(test).all()),
    }
    if not result["finite"]:
        return result
    result["effective_rank"] = effective_rank(test)
    labelled, tested = train_labels >= 0, test_labels >= 0
    train, train_labels = train[labelled], train_labels[labelled]
    test, test_labels = test[tested], test_labels[tested]
    if len(np.unique(train_labels)) < 2 or not len(test_labels):
        return result
    result["knn_accuracy"] = knn_accuracy(
        train, train_labels, test, test_labels, config.knn_k, config.knn_temperature
    )
    whole = linear_probe(train, train_labels, test, test_labels, config.seed)
    result["probe_all"] = {
        "accuracy": whole.accuracy,
        "labels": whole.train_size,
        "l2": whole.l2,
    }
    few = []
    for draw in range(config.draws):
        rng = np.random.default_rng([config.seed, draw])
        chosen = draw_labelled(train_labels, config.labels_per_class, rng)
        few.append(
            linear_probe(train[chosen], train_labels[chosen], test, test_labels, config.seed)
        )
    accuracies = [probe.accuracy for probe in few]
    result["probe_few"] = {
        "mean": float(np.mean(accuracies)),
        "std": float(np.std(accuracies)),
        "labels": few[0].train_size,
        "labels_per_class": config.labels_per_class,
    }
    return result


def evaluate_all(representations, train_labels, test_labels, config):
    """Measures each of `representations`, name -> (train, test), and passes judgement.

    Returns:
        Dict: "representations" (name -> `evaluate_representation`), "checks"
        (`gate`), "blessed" (all checks hold), "train_images", "test_images",
        "classes".
    """
    results = {}
    for name, (train, test) in representations.items():
        _log.info("probing the %s", name)
        results[name] = evaluate_representation(train, train_labels, test, test_labels, config)
    checks = gate(results, config)
    return {
        "representations": results,
        "checks": checks,
        "blessed": all(check["holds"] for check in checks),
        "train_images": len(train_labels),
        "test_images": len(test_labels),
        "classes": len(np.unique(train_labels[train_labels >= 0])),
    }


def gate(results, config):
    """The conditions of a blessing, each a dict: name, value, needed, holds.

    The encoder must not be collapsed and, where there are labels, must not
    lose to the raw pixels in the few-label probe.
    """
    encoder = results[PRETRAINED]
    checks = [
        {
            "name": "features are finite",
            "value": encoder["finite"],
            "needed": True,
            "holds": encoder["finite"],
        }
    ]
    if not encoder["finite"]:
        return checks
    rank = encoder["effective_rank"]
    checks.append(
        {
            "name": "not collapsed: effective rank",
            "value": rank,
            "needed": config.min_effective_rank,
            "holds": bool(rank >= config.min_effective_rank),
        }
    )
    if "probe_few" in encoder:
        value, needed = encoder["probe_few"]["mean"], results[PIXELS]["probe_few"]["mean"]
        checks.append(
            {
                "name": "few-label probe no worse than raw pixels",
                "value": value,
                "needed": needed,
                "holds": bool(value >= needed),
            }
        )
    return checks
