import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

import tf_scl
from tf_scl.config import EvaluateConfig
from tf_scl.evaluation.representation import (
    PIXELS,
    PRETRAINED,
    UNTRAINED,
    evaluate_all,
    evaluate_representation,
)

_CONFIG = EvaluateConfig(draws=2)


@pytest.fixture(scope="module")
def digits():
    images, labels = load_digits(return_X_y=True)
    return images[:900] / 16, images[900:] / 16, labels[:900], labels[900:]


def _judge(digits, encoder, labels=True):
    train, test, train_labels, test_labels = digits
    if not labels:
        train_labels, test_labels = -np.ones_like(train_labels), -np.ones_like(test_labels)
    representations = {
        PRETRAINED: (encoder(train), encoder(test)),
        UNTRAINED: (train[:, ::2], test[:, ::2]),
        PIXELS: (train, test),
    }
    return evaluate_all(representations, train_labels, test_labels, _CONFIG)


def _failed(verdict):
    return [check["name"] for check in verdict["checks"] if not check["holds"]]


def test_a_good_encoder_is_blessed(digits):
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    train, _, labels, _ = digits
    lda = LinearDiscriminantAnalysis().fit(train, labels)
    verdict = _judge(digits, lda.transform)
    assert verdict["blessed"] and _failed(verdict) == []
    assert verdict["classes"] == 10
    few = verdict["representations"][PRETRAINED]["probe_few"]
    assert few["labels"] == 100 and few["labels_per_class"] == 10


def test_the_figures_are_those_of_probe_and_knn(digits):
    train, test, labels, truth = digits
    result = _judge(digits, lambda x: 2 * x)["representations"][PIXELS]
    assert (
        result["probe_all"]["accuracy"] == tf_scl.linear_probe(train, labels, test, truth).accuracy
    )
    assert result["knn_accuracy"] == tf_scl.knn_accuracy(train, labels, test, truth)
    assert result["effective_rank"] == tf_scl.effective_rank(test)


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
    config = EvaluateConfig(draws=20)
    few = evaluate_representation(train, labels, test, truth, config)["probe_few"]
    assert few["labels"] == 100 and few["labels_per_class"] == 10
    assert abs(few["mean"] - np.mean(theirs)) < 4 * np.std(theirs) / np.sqrt(20)
    assert 0.4 < few["std"] / np.std(theirs) < 2.5
    # Half the labels would do plainly worse.
    half = EvaluateConfig(draws=20, labels_per_class=5)
    fewer = evaluate_representation(train, labels, test, truth, half)["probe_few"]
    assert fewer["labels"] == 50 and fewer["mean"] < few["mean"] - 0.02


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
    assert not verdict["blessed"]
    assert "not collapsed: effective rank" in _failed(verdict)


def test_an_encoder_worse_than_pixels_is_not_blessed(digits):
    noise = np.random.default_rng(0)
    verdict = _judge(digits, lambda x: x[:, :20] + noise.normal(size=(len(x), 20)))
    assert _failed(verdict) == ["few-label probe no worse than raw pixels"]
    assert not verdict["blessed"]


def test_a_diverged_encoder_is_not_blessed(digits):
    verdict = _judge(digits, lambda x: np.full((len(x), 3), np.nan))
    assert _failed(verdict) == ["features are finite"]
    assert not verdict["blessed"]


def test_without_labels_only_the_collapse_is_judged(digits):
    verdict = _judge(digits, lambda x: x, labels=False)
    assert verdict["blessed"]
    assert verdict["classes"] == 0
    assert "probe_all" not in verdict["representations"][PRETRAINED]


def test_images_without_a_label_are_left_out_of_the_probe(digits):
    train, test, labels, truth = digits
    labels = np.where(np.arange(len(labels)) < 300, labels, -1)
    verdict = evaluate_all(
        {name: (train, test) for name in (PRETRAINED, UNTRAINED, PIXELS)}, labels, truth, _CONFIG
    )
    assert verdict["representations"][PIXELS]["probe_all"]["labels"] == 300
