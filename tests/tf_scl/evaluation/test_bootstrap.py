import numpy as np
import pytest
from scipy import stats

import tf_scl
from tf_scl.evaluation.bootstrap import accuracy_interval, difference_interval


@pytest.mark.parametrize("right,images", [(353, 353), (351, 353), (12, 12), (0, 5), (700, 1000)])
@pytest.mark.parametrize("level", [0.95, 0.8])
def test_one_accuracy_has_the_interval_of_clopper_and_pearson(right, images, level):
    correct = np.arange(images) < right
    exact = stats.binomtest(right, images).proportion_ci(level, method="exact")
    ours = accuracy_interval(correct, level, resamples=100_000)
    np.testing.assert_allclose(ours, exact, atol=0.05 * (exact.high - exact.low))
    # 1000 resamples will do.
    np.testing.assert_allclose(
        accuracy_interval(correct, level), exact, atol=0.12 * (exact.high - exact.low)
    )


@pytest.mark.parametrize("images,accuracy", [(40, 0.95), (350, 0.99), (350, 0.9), (2000, 0.6)])
def test_the_accuracy_is_inside_as_often_as_promised(images, accuracy):
    """Over 1000 test parts: 95 %, or more where the binomial is coarse."""
    rng = np.random.default_rng(0)
    inside = 0
    for seed in range(1000):
        low, high = accuracy_interval(rng.random(images) < accuracy, resamples=400, seed=seed)
        inside += low <= accuracy <= high
    assert 930 <= inside <= 1000


@pytest.mark.parametrize("worse,better", [(4, 0), (6, 0), (9, 2), (12, 2), (40, 25), (40, 22)])
def test_a_difference_is_seen_where_the_exact_test_of_mcnemar_sees_it(worse, better):
    a, b = np.ones(300, bool), np.ones(300, bool)
    a[:worse], b[worse : worse + better] = False, False
    p = stats.binomtest(better, worse + better).pvalue
    low, high = difference_interval(a, b, resamples=50_000)
    assert low < (better - worse) / 300 < high
    assert (high < 0) == (p < 0.05)
    flipped = difference_interval(b, a, resamples=50_000)
    np.testing.assert_allclose(flipped, (-high, -low), atol=2e-3)


def test_pairing_shows_what_two_intervals_would_hide():
    rng = np.random.default_rng(0)
    a = rng.random(1000) < 0.7
    b = a.copy()
    b[np.flatnonzero(a)[:20]] = False
    assert difference_interval(a, b)[0] > 0
    assert accuracy_interval(a)[0] < accuracy_interval(b)[1]


def test_equal_answers_differ_by_no_more_than_was_looked_at():
    low, high = difference_interval(np.ones(300, bool), np.ones(300, bool))
    assert -0.02 < low < 0 < high < 0.02


def _two_way(rng, draws, images, of_draws, of_images):
    """Right or wrong, with a chance that varies with the draw and with the image."""
    logit = 1.5 + of_draws * rng.normal(size=(draws, 1)) + of_images * rng.normal(size=images)
    return rng.random((draws, images)) < 1 / (1 + np.exp(-logit))


@pytest.mark.parametrize("of_draws,of_images", [(0.0, 2.0), (0.15, 1.0), (0.3, 0.5)])
def test_the_interval_of_few_draws_covers_draws_and_images(of_draws, of_images):
    rng = np.random.default_rng(0)
    truth = _two_way(rng, 6000, 2000, of_draws, of_images).mean()
    inside, images_alone = 0, 0
    for seed in range(400):
        correct = _two_way(rng, 5, 400, of_draws, of_images)
        low, high = accuracy_interval(correct, resamples=400, seed=seed)
        inside += low <= truth <= high
        low, high = accuracy_interval(correct.mean(0), resamples=400, seed=seed)
        images_alone += low <= truth <= high
    assert inside >= 0.92 * 400
    if of_draws == 0.3:
        assert images_alone < 0.7 * 400


def test_a_seed_repeats_the_interval_and_another_hardly_changes_it():
    correct = np.random.default_rng(0).random((5, 300)) < 0.8
    assert accuracy_interval(correct, seed=3) == accuracy_interval(correct, seed=3)
    np.testing.assert_allclose(
        accuracy_interval(correct, seed=3), accuracy_interval(correct, seed=4), atol=0.01
    )


def test_predictions_compared_with_a_column_of_labels_are_found_out():
    labels = np.random.default_rng(0).integers(0, 10, 300)
    for predictions in (labels, (labels + 1) % 10):
        with pytest.raises(tf_scl.InputError, match=r"\(300, 300\) comes from labels of shape"):
            accuracy_interval(predictions == labels[:, None])
        with pytest.raises(tf_scl.InputError, match=r"\(300, 300\) comes from labels of shape"):
            accuracy_interval(predictions[:, None] == labels)


@pytest.mark.parametrize("accuracy", [0.0, 0.05, 0.5, 0.95, 1.0])
def test_as_many_repetitions_as_images_are_no_column(accuracy):
    correct = np.random.default_rng(0).random((40, 40)) < accuracy
    low, high = accuracy_interval(correct)
    assert low <= correct.mean() <= high
    one_image = accuracy_interval([[True]])
    assert one_image == accuracy_interval([True])


@pytest.mark.parametrize(
    "call,message",
    [
        (lambda: accuracy_interval([]), r"M >= 1.*shape \(0,\)"),
        (lambda: accuracy_interval(0.93), r"M >= 1.*shape \(\)"),
        (lambda: accuracy_interval(["right", "wrong"]), "bools or numbers"),
        (lambda: accuracy_interval(np.ones((1, 2, 3))), r"shape \(1, 2, 3\)"),
        (lambda: accuracy_interval(np.ones((50, 1))), r"\(50, 1\) comes from labels.*numpy.ravel"),
        (lambda: difference_interval(np.ones((50, 1)), np.ones(50)), "`correct_a` of shape"),
        (lambda: accuracy_interval([0, 2]), "from 0.0 to 2.0"),
        (lambda: accuracy_interval([np.nan, 1]), "between 0 and 1"),
        (lambda: accuracy_interval([0, 1], level=1.0), "level=1.0"),
        (lambda: accuracy_interval([0, 1], level="95 %"), "level='95 %'"),
        (lambda: accuracy_interval([0, 1], resamples=0), "resamples=0"),
        (lambda: difference_interval([0, 1], [0, 1, 1]), r"\(1, 2\), correct_b \(1, 3\)"),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises(tf_scl.InputError, match=message):
        call()


def test_weights_give_the_interval_of_the_weighted_difference():
    """Beside the normal approximation; and the same for all is as good as none."""
    rng = np.random.default_rng(0)
    a, b = rng.random((2, 4000)) < np.array([[0.8], [0.7]])
    weights = np.where(np.arange(4000) < 400, 10.0, 1.0)
    low, high = difference_interval(a, b, resamples=20_000, weights=weights)
    difference = a * 1.0 - b
    mean = np.average(difference, weights=weights)
    error = np.sqrt(np.sum((weights * (difference - mean)) ** 2)) / weights.sum()
    assert (low + high) / 2 == pytest.approx(mean, abs=0.1 * error)
    assert high - low == pytest.approx(2 * 1.96 * error, rel=0.08)
    alike = difference_interval(a, b, weights=np.full(4000, 3.0))
    np.testing.assert_allclose(alike, difference_interval(a, b), atol=1e-12)


@pytest.mark.parametrize("weights", [np.ones(3), [1, 0, 1, 1], [1, np.nan, 1, 1]])
def test_weights_that_do_not_fit(weights):
    with pytest.raises(tf_scl.InputError, match="a number above 0 for each of 4 test images"):
        difference_interval(np.ones(4), np.zeros(4), weights=weights)
