import logging

import numpy as np
import pytest
import tensorflow as tf
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

import tf_scl
from tests.tf_scl.evaluation.newton import logits, newton
from tf_scl.evaluation import progress
from tf_scl.evaluation.linear_probe import draw_fraction, draw_labeled


@pytest.fixture(scope="module")
def digits():
    images, labels = load_digits(return_X_y=True)
    return images[:1000], labels[:1000], images[1000:], labels[1000:]


def test_accuracy_agrees_with_scikit_learn(digits):
    train, labels, test, truth = digits
    result = tf_scl.linear_probe(train, labels, test, truth)
    scaler = StandardScaler().fit(train)
    best = max(
        LogisticRegression(C=1 / (l2 * len(train)), max_iter=5000)
        .fit(scaler.transform(train), labels)
        .score(scaler.transform(test), truth)
        for l2 in (1e-3, 1e-2, 1e-1)
    )
    assert abs(result.accuracy - best) < 0.012
    assert result.train_size == 1000
    assert np.mean(result.predictions == truth) == result.accuracy


def test_scale_and_offset_of_the_features_do_not_matter(digits):
    train, labels, test, truth = digits
    scale = np.random.default_rng(0).uniform(0.01, 100, train.shape[1])
    plain = tf_scl.linear_probe(train[:200], labels[:200], test, truth)
    moved = tf_scl.linear_probe(train[:200] * scale + 7, labels[:200], test * scale + 7, truth)
    assert moved.accuracy == pytest.approx(plain.accuracy, abs=0.01)


def test_classes_may_be_missing_on_either_side():
    train, labels = np.array([[0.0], [0.1], [1.0], [1.1]]), np.array([4, 4, 9, 9])
    result = tf_scl.linear_probe(train, labels, np.array([[0.0], [1.0], [5.0]]), [4, 9, 7])
    assert result.predictions.tolist() == [4, 9, 9]
    assert result.accuracy == pytest.approx(2 / 3)


def test_one_example_of_a_class_is_enough():
    train, labels = np.array([[0.0], [0.1], [1.0]]), np.array([0, 0, 1])
    assert tf_scl.linear_probe(train, labels, [[1.2]], [1]).accuracy == 1.0


def test_draws_take_per_class_and_never_more_than_there_is():
    labels = np.repeat([0, 1, 2], [50, 3, 20])
    chosen = draw_labeled(labels, 10, np.random.default_rng(0))
    assert np.bincount(labels[chosen]).tolist() == [10, 3, 10]
    assert len(set(chosen)) == len(chosen)
    other = draw_labeled(labels, 10, np.random.default_rng(1))
    assert chosen.tolist() != other.tolist()


def test_fractions_take_the_same_share_of_every_class_and_at_least_one():
    labels = np.repeat([0, 1, 2], [500, 3, 205])
    chosen = draw_fraction(labels, 0.1, np.random.default_rng(0))
    assert np.bincount(labels[chosen]).tolist() == [50, 1, 20]
    assert len(set(chosen)) == len(chosen)
    other = draw_fraction(labels, 0.1, np.random.default_rng(1))
    assert chosen.tolist() != other.tolist()
    assert draw_fraction(labels, 1.0, np.random.default_rng(0)).tolist() == list(range(708))


def test_draws_take_every_form_of_labels():
    labels = np.repeat([0, 1, 2], [50, 30, 20])
    names = np.array(["cat", "dog", "eel"])[labels]
    for draw, amount in ((draw_labeled, 10), (draw_fraction, 0.1)):
        expected = draw(labels, amount, np.random.default_rng(0))
        for same in (labels[:, None], labels.astype(float), tf.constant(labels), names):
            assert draw(same, amount, np.random.default_rng(0)).tolist() == expected.tolist()
        with pytest.raises(tf_scl.InputError, match="numpy.argmax"):
            draw(np.eye(3)[labels], amount, np.random.default_rng(0))
    with pytest.raises(tf_scl.InputError, match="`per_class`.*Received: per_class=-1"):
        draw_labeled(labels, -1, np.random.default_rng(0))


@pytest.mark.parametrize("fraction", [0, 1.5, float("nan")])
def test_a_fraction_out_of_range_is_named(fraction):
    with pytest.raises(tf_scl.InputError, match=f"`fraction`.*{fraction}"):
        draw_fraction([0, 1], fraction, np.random.default_rng(0))


def test_labels_of_the_test_part_choose_nothing(digits):
    train, labels, test, truth = digits
    honest = tf_scl.linear_probe(train[:300], labels[:300], test, truth)
    wrong = tf_scl.linear_probe(train[:300], labels[:300], test, (truth + 1) % 10)
    assert wrong.l2 == honest.l2
    np.testing.assert_array_equal(wrong.predictions, honest.predictions)
    # Nor do the other test images: each is judged by itself.
    alone = tf_scl.linear_probe(train[:300], labels[:300], test[:5], truth[:5])
    np.testing.assert_array_equal(alone.predictions, honest.predictions[:5])


def test_a_column_of_labels_counts_as_labels(digits):
    """As keras.datasets.cifar10 gives them: uint8 [N, 1]."""
    train, labels, test, truth = digits
    plain = tf_scl.linear_probe(train[:200], labels[:200], test, truth)
    column = labels[:200, None].astype(np.uint8)
    for same in (truth[:, None].astype(np.uint8), tf.constant(truth[:, None]), truth.tolist()):
        result = tf_scl.linear_probe(train[:200], column, test, same)
        assert result.accuracy == plain.accuracy
        assert result.predictions.tolist() == plain.predictions.tolist()
    names = np.array([f"digit {number}" for number in range(10)])
    named = tf_scl.linear_probe(train[:200], names[labels[:200]], test, names[truth])
    assert named.accuracy == plain.accuracy
    assert named.predictions.tolist() == names[plain.predictions].tolist()


def _data(kind, rng):
    """Features [90, D] of each kind that a solver may trip over."""
    if kind == "tall":
        return rng.normal(size=(90, 4)) * [1, 10, 0.1, 100] + 5
    if kind == "wide":
        return rng.normal(size=(90, 120)) / np.arange(1, 121)
    if kind == "one direction twice":
        return np.tile(rng.normal(size=(90, 5)), 3)
    return np.hstack([rng.normal(size=(90, 4)), np.full((90, 2), 7.3)])


@pytest.mark.parametrize("kind", ["tall", "wide", "one direction twice", "constant columns"])
def test_predictions_are_those_of_newtons_method(kind):
    rng = np.random.default_rng(0)
    features = _data(kind, rng)
    shown = (features[:, :3] - features[:, :3].mean(0)) / features[:, :3].std(0)
    labels = np.argmax(shown + rng.normal(size=(90, 3)), axis=1)
    train, test = features[:60], features[60:]
    result = tf_scl.linear_probe(train, labels[:60], test, labels[60:])
    std = np.where(np.ptp(train, axis=0) == 0, 1.0, train.std(0))
    mean = train.mean(0)
    weights = newton((train - mean) / std, labels[:60], 3, result.l2)
    expected = np.argmax(logits(weights, (test - mean) / std), axis=1)
    np.testing.assert_array_equal(result.predictions, expected)


def test_a_long_probe_says_where_it_is(digits, monkeypatch, caplog):
    monkeypatch.setattr(progress, "EVERY", 0.0)
    train, labels, test, truth = digits
    with caplog.at_level(logging.INFO, "tf_scl"):
        tf_scl.linear_probe(train[:100], labels[:100], test, truth)
    said = list(dict.fromkeys(caplog.messages))
    start = "linear probe on 100 images x 64 features, 10 classes: "
    assert said[:2] == [
        f"{start}choosing the L2 strength, {n}" for n in ("1 of 5: 1", "2 of 5: 0.1")
    ]
    assert said[-1].startswith(f"{start}all folds are done, fitting with L2 strength ")
    caplog.clear()
    monkeypatch.setattr(progress, "EVERY", 1e9)
    with caplog.at_level(logging.INFO, "tf_scl"):
        tf_scl.linear_probe(train[:100], labels[:100], test, truth)
    assert not caplog.messages


@pytest.mark.parametrize(
    "train,labels,test,truth,message",
    [
        (np.ones((3, 2)), [1, 1, 1], np.ones((1, 2)), [1], r"two classes.*\[1\]"),
        (np.full((2, 2), np.nan), [0, 1], np.ones((1, 2)), [1], "4 of the 4 train features"),
        (np.ones((2, 2)), [0, 1], np.ones((0, 2)), [], "test features.*0 labels"),
        (np.ones((2, 2)), [0, 1, 2], np.ones((1, 2)), [1], "3 labels"),
        (np.ones((2, 2)), [0, 1], np.ones((1, 1)), [1], "2 and 1 dimensions"),
        (np.ones((2, 2)), np.eye(2), np.ones((1, 2)), [1], r"one-hot.*numpy.argmax.*\(2, 2\)"),
        (np.ones((2, 2)), [0, np.nan], np.ones((1, 2)), [1], "1 of 2.*such as nan"),
        (np.ones((2, 2)), [0, 1], np.ones((1, 2)), ["1"], "convert one of them"),
    ],
)
def test_bad_input_is_named(train, labels, test, truth, message):
    with pytest.raises(tf_scl.InputError, match=message):
        tf_scl.linear_probe(train, labels, test, truth)
