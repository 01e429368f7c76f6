import logging

import numpy as np
import pytest
import tensorflow as tf
from sklearn.datasets import load_digits

import tf_scl
from tf_scl.evaluation import progress, sgd_probe
from tf_scl.evaluation.sgd_probe import sgd_epoch, sgd_linear_probe


@pytest.fixture(scope="module")
def digits():
    images, labels = load_digits(return_X_y=True)
    return images[:1000] / 16, labels[:1000], images[1000:] / 16, labels[1000:]


def _gaussians(rng, centers, count):
    labels = rng.integers(len(centers), size=count)
    return centers[labels] + rng.normal(size=(count, centers.shape[1])), labels


def _reference_epoch(weights, bias, features, targets, order, batch_size, rate, momentum):
    """torch.optim.SGD on nn.CrossEntropyLoss, one number at a time."""
    weights, bias = weights.copy(), bias.copy()
    buffer_w, buffer_b = np.zeros_like(weights), np.zeros_like(bias)
    for start in range(0, len(order), batch_size):
        rows = order[start : start + batch_size]
        gradient_w, gradient_b = np.zeros_like(weights), np.zeros_like(bias)
        for row in rows:
            logits = [features[row] @ weights[:, c] + bias[c] for c in range(len(bias))]
            total = sum(np.exp(logit) for logit in logits)
            for c, logit in enumerate(logits):
                slope = (np.exp(logit) / total - (c == targets[row])) / len(rows)
                gradient_w[:, c] += slope * features[row]
                gradient_b[c] += slope
        buffer_w, buffer_b = momentum * buffer_w + gradient_w, momentum * buffer_b + gradient_b
        weights, bias = weights - rate * buffer_w, bias - rate * buffer_b
    return np.vstack([weights, bias])


def test_an_epoch_is_that_of_a_plain_loop():
    rng = np.random.default_rng(0)
    features, targets = rng.normal(size=(25, 4)), rng.integers(0, 3, 25)
    start, order = rng.normal(size=(5, 3)), rng.permutation(25)
    weights, velocity = start.copy(), np.zeros((5, 3))
    sgd_epoch(weights, velocity, features, targets, order, 8, 0.7)  # the last batch has one row
    expected = _reference_epoch(start[:-1], start[-1], features, targets, order, 8, 0.7, 0.9)
    np.testing.assert_allclose(weights, expected, rtol=1e-10)


def test_agrees_with_l_bfgs_to_a_fifth_of_a_point():
    """50,000 test images: one is 0.002 points. Many more images than weights."""
    rng = np.random.default_rng(0)
    centers = 0.8 * rng.normal(size=(6, 12))
    train, labels = _gaussians(rng, centers, 8000)
    test, truth = _gaussians(rng, centers, 50_000)
    # Features of the size that the paper's lr is for: a mean square of a few tenths.
    ours = sgd_linear_probe(train / 8, labels, test / 8, truth, epochs=30)
    converged = tf_scl.linear_probe(train, labels, test, truth)
    assert 0.7 < converged.accuracy < 0.99
    assert abs(ours.accuracy - converged.accuracy) < 0.002
    assert np.mean(ours.predictions == converged.predictions) > 0.98


def test_the_schedule_and_the_first_weights_are_the_papers(digits, monkeypatch):
    rates, first = [], []

    def record(weights, velocity, features, targets, order, batch_size, rate):
        first.append(weights.copy())
        rates.append(rate)
        assert batch_size == 256 and sorted(order) == list(range(1000))

    monkeypatch.setattr(sgd_probe, "sgd_epoch", record)
    wide = [np.tile(part, 40) if part.ndim == 2 else part for part in digits]
    result = sgd_linear_probe(*wide)
    np.testing.assert_allclose(rates, [30.0] * 60 + [3.0] * 20 + [0.3] * 20)
    assert abs(first[0][:-1].std() - 0.01) < 2e-4 and abs(first[0][:-1].mean()) < 2e-4
    assert not first[0][-1].any()
    assert list(result.accuracies) == [1, *range(5, 101, 5)]
    rates.clear()
    assert list(sgd_linear_probe(*wide, epochs=7).accuracies) == [1, 5, 7]
    np.testing.assert_allclose(rates, [30.0] * 5 + [3.0] + [0.3])


def test_the_last_epoch_is_reported_and_the_best_beside_it(digits):
    result = sgd_linear_probe(*digits, epochs=12)
    assert result.accuracy == result.accuracies[12] == np.mean(result.predictions == digits[3])
    assert result.best_accuracy == max(result.accuracies.values()) >= result.accuracy
    assert result.accuracies[result.best_epoch] == result.best_accuracy
    assert result.accuracy > 0.85


def test_a_seed_repeats_the_probe(digits):
    once, again, other = (sgd_linear_probe(*digits, epochs=2, seed=seed) for seed in (1, 1, 2))
    assert once.accuracies == again.accuracies
    np.testing.assert_array_equal(once.predictions, again.predictions)
    assert (once.predictions != other.predictions).any()


def test_labels_of_the_test_part_choose_nothing(digits):
    train, labels, test, truth = digits
    honest = sgd_linear_probe(train, labels, test, truth, epochs=6)
    wrong = sgd_linear_probe(train, labels, test, (truth + 1) % 10, epochs=6)
    np.testing.assert_array_equal(honest.predictions, wrong.predictions)


def test_features_may_come_anew_in_each_epoch(digits):
    train, labels, test, truth = digits
    asked = []

    def features(epoch):
        asked.append(epoch)
        return train

    result = sgd_linear_probe(features, labels, test, truth, epochs=3)
    assert asked == [1, 2, 3]
    assert result.accuracies == sgd_linear_probe(train, labels, test, truth, epochs=3).accuracies


def test_a_column_of_labels_and_a_tensor_are_labels(digits):
    train, labels, test, truth = digits
    plain = sgd_linear_probe(*digits, epochs=2)
    column = sgd_linear_probe(
        train, labels[:, None], test, tf.constant(truth[:, None], tf.uint8), epochs=2
    )
    assert column.accuracies == plain.accuracies
    assert column.predictions.tolist() == plain.predictions.tolist()


def test_a_long_probe_says_where_it_is(digits, monkeypatch, caplog):
    monkeypatch.setattr(progress, "EVERY", 0.0)
    with caplog.at_level(logging.INFO, "tf_scl"):
        sgd_linear_probe(*digits, epochs=2)
    assert caplog.messages == [
        "linear probe by SGD, 1,000 images: epoch 1 of 2 is done",
        "linear probe by SGD, 1,000 images: epoch 2 of 2 is done",
    ]


def test_weights_that_overflow_are_named_with_what_to_do():
    rng = np.random.default_rng(0)
    train, labels = _gaussians(rng, rng.normal(size=(3, 4)), 300)
    with pytest.raises(tf_scl.InputError, match="epoch 1: learning_rate 30.*smaller"):
        sgd_linear_probe(1e20 * train, labels, 1e20 * train, labels)
    sgd_linear_probe(1e20 * train, labels, 1e20 * train, labels, 2, learning_rate=1e-40)


@pytest.mark.parametrize(
    "changes,message",
    [
        ({"epochs": 0}, "epochs=0"),
        ({"batch_size": 0}, "batch_size=0"),
        ({"epochs": 1.5}, "epochs=1.5"),
        ({"epochs": float("nan")}, "epochs=nan"),
        ({"learning_rate": 0.0}, "learning_rate=0.0"),
        ({"train_labels": np.zeros(4)}, r"two classes.*\[0\]"),
        ({"train_labels": np.eye(4)}, r"one-hot.*numpy.argmax.*\(4, 4\)"),
        ({"test_labels": ["a", "b"]}, "numbers such as 0 and text such as 'a'"),
        ({"train_features": np.ones((3, 2))}, r"train features.*\(3, 2\), 4 labels"),
        ({"train_features": np.full((4, 2), np.nan)}, "8 of the 8 train features"),
        ({"train_features": lambda epoch: np.ones((4, 3))}, "3 and 2 dimensions"),
        ({"test_features": np.ones((0, 2)), "test_labels": []}, "test features.*0 labels"),
    ],
)
def test_bad_arguments_are_named(changes, message):
    arguments = {
        "train_features": np.ones((4, 2)),
        "train_labels": np.array([0, 1, 0, 1]),
        "test_features": np.ones((2, 2)),
        "test_labels": [0, 1],
        **changes,
    }
    with pytest.raises(tf_scl.InputError, match=message):
        sgd_linear_probe(**arguments)
