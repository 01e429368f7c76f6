import numpy as np
import pytest
from scipy.special import log_softmax, softmax

from tf_scl.classification.temperature import (
    MAX_TEMPERATURE,
    MIN_TEMPERATURE,
    expected_calibration_error,
    fit_temperature,
)
from tf_scl.errors import InputError


def _drawn(n, temperature, seed=0):
    """Logits, and targets drawn with the probabilities of logits / temperature."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(n, 4)) * 3
    targets = np.array([rng.choice(4, p=p) for p in softmax(logits / temperature, axis=1)])
    return logits, targets


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_the_temperature_of_the_draw_is_found(temperature):
    found = fit_temperature(*_drawn(20_000, temperature))
    assert found == pytest.approx(temperature, rel=0.05)


def test_no_temperature_of_a_grid_is_better():
    logits, targets = _drawn(200, 2.0)

    soft = (200 * np.eye(4)[targets] + 1 / 4) / 201

    def loss(temperature):
        return -np.mean(np.sum(soft * log_softmax(logits / temperature, axis=1), axis=1))

    best = loss(fit_temperature(logits, targets))
    assert all(best <= loss(t) + 1e-9 for t in np.geomspace(MIN_TEMPERATURE, MAX_TEMPERATURE, 500))


def test_images_that_are_all_right_are_no_certainty():
    confidence = []
    for copies in (1, 10, 100):
        logits, targets = np.tile(5 * np.eye(3), (copies, 1)), np.tile([0, 1, 2], copies)
        temperature = fit_temperature(logits, targets)
        confidence.append(softmax(logits[0] / temperature).max())
    # The mean of 3 n right images and one of any class.
    assert confidence == pytest.approx([(3 * n + 1 / 3) / (3 * n + 1) for n in (1, 10, 100)])


def test_images_that_are_all_wrong_end_at_the_bound():
    assert fit_temperature(5 * np.eye(3), [1, 2, 0]) == pytest.approx(MAX_TEMPERATURE, rel=1e-3)


def test_with_weights_images_count_as_if_repeated():
    rng = np.random.default_rng(0)
    logits, targets = rng.normal(size=(200, 3)) * 4, rng.integers(0, 3, 200)
    times = 1 + (np.arange(200) % 3)
    repeated = fit_temperature(logits.repeat(times, axis=0), targets.repeat(times))
    assert fit_temperature(logits, targets, times) == pytest.approx(repeated, rel=0.02)
    rows = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    error = expected_calibration_error(rows, targets, weights=times / times.mean())
    expected = expected_calibration_error(rows.repeat(times, axis=0), targets.repeat(times))
    assert error == pytest.approx(expected)


def test_the_calibration_error_by_hand():
    # Confidences 0.9, 0.9 (one right), 0.6 (right), in bins of width 0.5: all in one.
    probabilities = np.array([[0.9, 0.1], [0.9, 0.1], [0.4, 0.6]])
    targets = [0, 1, 1]
    assert expected_calibration_error(probabilities, targets, bins=2) == pytest.approx(
        abs(2 / 3 - 0.8)
    )
    # Of ten bins 0.9 and 0.6 are the upper ends of two: 2/3 |1/2 - 0.9| + 1/3 |1 - 0.6|.
    assert expected_calibration_error(probabilities, targets, bins=10) == pytest.approx(0.4)
    assert expected_calibration_error([[1.0, 0.0]], [0]) == 0


def test_what_was_drawn_is_calibrated_and_what_was_sharpened_is_not():
    logits, targets = _drawn(20_000, 1.0)
    assert expected_calibration_error(softmax(logits, axis=1), targets) < 0.02
    assert expected_calibration_error(softmax(3 * logits, axis=1), targets) > 0.05


@pytest.mark.parametrize(
    ("logits", "targets", "message"),
    [
        (np.zeros((0, 2)), np.zeros(0, int), r"N >= 1 images.*\(0, 2\) and \(0,\)"),
        (np.zeros(3), [0, 1, 1], r"\(3,\) and \(3,\)"),
        (np.zeros((3, 2)), [0, 1], r"\(3, 2\) and \(2,\)"),
        ([[np.nan, 0.0]], [0], "must be finite"),
        ([[0.0, 1.0]], [2], r"targets must be in 0\.\.1. Received: 2\.\.2"),
    ],
)
def test_what_does_not_match_is_named(logits, targets, message):
    for function in (fit_temperature, expected_calibration_error):
        with pytest.raises(InputError, match=message):
            function(logits, targets)
