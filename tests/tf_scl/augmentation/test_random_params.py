import collections
import itertools

import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

from tf_scl.augmentation import random_params

_SEED = [3, 4]


def _boxes(height=100, width=100, scale=(0.2, 0.5), ratio=(3 / 4, 4 / 3), count=20_000):
    return random_params.crop_boxes(_SEED, count, height, width, scale, ratio).numpy()


def test_area_and_ratio_have_their_distributions():
    # With scale <= 0.5 and these ratios every first draw fits: pure distributions.
    boxes = _boxes()
    area = boxes[:, 2] * boxes[:, 3] / 100**2
    assert scipy.stats.kstest(area, "uniform", (0.2, 0.3)).pvalue > 0.01
    log_ratio = np.log(boxes[:, 3] / boxes[:, 2])
    low, high = np.log(3 / 4), np.log(4 / 3)
    assert scipy.stats.kstest(log_ratio, "uniform", (low, high - low)).pvalue > 0.01
    for start, length in ((0, 2), (1, 3)):
        place = boxes[:, start] / (100 - boxes[:, length])
        assert scipy.stats.kstest(place, "uniform").pvalue > 0.01


def test_boxes_lie_inside_the_image():
    boxes = _boxes(30, 70, scale=(0.2, 1.0))
    assert (boxes >= -1e-3).all()
    assert (boxes[:, 0] + boxes[:, 2] <= 30 + 1e-3).all()
    assert (boxes[:, 1] + boxes[:, 3] <= 70 + 1e-3).all()


def test_rejection_follows_torchvisions_rule():
    """The mean area where draws are rejected, against a plain loop of the rule."""
    rng = np.random.default_rng(0)
    expected = []
    for _ in range(20_000):
        for _ in range(10):
            area = 100 * 100 * rng.uniform(0.2, 1.0)
            ratio = np.exp(rng.uniform(np.log(3 / 4), np.log(4 / 3)))
            w, h = np.sqrt(area * ratio), np.sqrt(area / ratio)
            if w <= 100 and h <= 100:
                expected.append(w * h)
                break
        else:
            expected.append(100 * 100)
    boxes = _boxes(scale=(0.2, 1.0))
    assert scipy.stats.ks_2samp(boxes[:, 2] * boxes[:, 3], expected).pvalue > 0.01


def test_where_nothing_fits_the_box_is_centered_with_the_nearest_ratio():
    # Whole-image area but a ratio of 2 on a square image can never fit.
    boxes = _boxes(scale=(0.99, 1.0), ratio=(2.0, 2.0), count=5)
    np.testing.assert_allclose(boxes, [[25, 0, 50, 100]] * 5, rtol=1e-5)


@pytest.mark.parametrize("strength,low,high", [(0.4, 0.6, 1.4), (1.5, 0.0, 2.5)])
def test_factors(strength, low, high):
    values = random_params.uniform_factors(_SEED, 20_000, strength).numpy()
    assert scipy.stats.kstest(values, "uniform", (low, high - low)).pvalue > 0.01


def test_happens_with_its_probability():
    count = int(random_params.bernoulli(_SEED, 20_000, 0.2).numpy().sum())
    assert scipy.stats.binomtest(count, 20_000, 0.2).pvalue > 0.01


def test_every_order_is_equally_likely():
    rows = random_params.permutations(_SEED, 24_000, 4).numpy()
    counts = collections.Counter(map(tuple, rows))
    assert sorted(counts) == sorted(itertools.permutations(range(4)))
    assert scipy.stats.chisquare(list(counts.values())).pvalue > 0.01


def test_numbers_are_spread_evenly_whatever_the_seed():
    firsts = [random_params.uniform([9, step], [1], 0.0, 1.0).numpy()[0] for step in range(500)]
    assert scipy.stats.kstest(firsts, "uniform").pvalue > 0.01


@pytest.mark.parametrize("columns", [(), (1,), (2,), (10,)])
@pytest.mark.parametrize("jit", [False, True])
def test_a_row_depends_on_its_number_alone(columns, jit):
    """Against the rows of TensorFlow's own numbers, which are made from the first on."""
    bits = tf.random.stateless_uniform(
        [40, *columns], _SEED, None, None, tf.int32, alg="philox"
    ).numpy()
    expected = (bits.view(np.uint32) >> 8) * 2.0**-24

    @tf.function(jit_compile=jit)
    def rows(first):
        return random_params.uniform(_SEED, [3, *columns], 0.0, 1.0, first)

    for first in (0, 1, 6, 37):
        np.testing.assert_array_equal(rows(tf.constant(first)), expected[first : first + 3])


def test_every_draw_of_a_row_depends_on_its_number_alone():
    def all_of(count, first):
        return [
            random_params.crop_boxes(_SEED, count, 30, 40, (0.2, 1.0), (0.75, 1.5), first),
            random_params.uniform(_SEED, [count], -1.0, 1.0, first),
            random_params.bernoulli(_SEED, count, 0.5, first),
            random_params.permutations(_SEED, count, 4, first),
            random_params.uniform_factors(_SEED, count, 0.4, first),
        ]

    for whole, part in zip(all_of(12, 0), all_of(5, 7), strict=True):
        np.testing.assert_array_equal(part, whole[7:])
