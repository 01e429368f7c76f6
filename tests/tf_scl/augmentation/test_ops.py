import colorsys
import itertools
import pathlib

import numpy as np
import PIL.Image
import PIL.ImageEnhance
import PIL.ImageOps
import pytest
import tensorflow as tf

from tests.conftest import photo
from tf_scl.augmentation import ops


def _batch(n=3, height=24, width=32):
    return np.stack([photo(seed, height, width) for seed in range(n)]).astype(np.float32)


def _planes(images):
    return tf.transpose(tf.constant(images, tf.float32), [0, 3, 1, 2])


def _adjust(images, order=(0, 1, 2, 3), brightness=1, contrast=1, saturation=1, hue=0, gray=False):
    """`adjust_colors` with numbers, or a list of one for each image."""
    n = len(images)
    values = (np.broadcast_to(np.float32(v), n) for v in (brightness, contrast, saturation, hue))
    order = np.broadcast_to(np.int32(order), (n, 4))
    planes = ops.adjust_colors(_planes(images), order, *values, np.broadcast_to(gray, n))
    return ops.to_channels_last(planes).numpy()


@pytest.mark.parametrize(
    "name,enhancer",
    [
        ("brightness", PIL.ImageEnhance.Brightness),
        ("contrast", PIL.ImageEnhance.Contrast),
        ("saturation", PIL.ImageEnhance.Color),
    ],
)
def test_color_factors_equal_pil(name, enhancer):
    images, factors = _batch(), [0.6, 1.0, 1.4]
    result = _adjust(images, **{name: factors})
    for image, factor, got in zip(images, factors, result, strict=True):
        expected = enhancer(PIL.Image.fromarray(image.astype(np.uint8))).enhance(factor)
        # PIL rounds its grays and its result to whole numbers.
        np.testing.assert_allclose(got, np.asarray(expected, np.float32), atol=1.6)


@pytest.mark.parametrize("turn", [-0.5, -0.1, 0.0, 0.1, 0.25, 0.5, 1.3])
def test_hue_is_turned_in_hsv(turn):
    # Grays, primaries, ties of two channels, and random colors.
    corners = 255.0 * np.array(list(itertools.product([0, 0.5, 1], repeat=3)))
    colors = np.concatenate([corners, np.random.default_rng(0).uniform(0, 255, (73, 3))])
    result = _adjust(colors.reshape(1, 10, 10, 3), hue=turn).reshape(-1, 3)
    for before, after in zip(colors, result, strict=True):
        hue, saturation, value = colorsys.rgb_to_hsv(*(before / 255))
        expected = 255 * np.array(colorsys.hsv_to_rgb((hue + turn) % 1, saturation, value))
        np.testing.assert_allclose(after, expected, atol=1e-3)


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_colors_change_in_the_order_of_each_image(order):
    images = _batch(2)
    factors = {"brightness": 1.4, "contrast": 0.5, "saturation": 1.4, "hue": 0.2}
    expected = images
    for step in order:
        name = list(factors)[step]
        expected = _adjust(expected, **{name: factors[name]})
    # The other image has another order, and so does not hide a mix-up of rows.
    got = _adjust(images, [order, order[::-1]], **factors)
    np.testing.assert_allclose(got[0], expected[0], atol=2e-3)
    assert np.abs(got[1] - expected[1]).max() > 1


def test_no_factor_no_turn_no_change():
    np.testing.assert_allclose(_adjust(_batch()), _batch(), atol=1e-3)


def test_one_channel_has_brightness_and_contrast():
    images = _batch()
    gray = images @ np.float32([[0.299], [0.587], [0.114]])
    both = _adjust(gray, brightness=0.6, contrast=1.4, saturation=0.1, hue=0.3, gray=True)
    mean = (0.6 * gray).mean(axis=(1, 2, 3), keepdims=True)
    expected = np.clip(mean + 1.4 * (0.6 * gray - mean), 0, 255)
    np.testing.assert_allclose(both, expected, atol=1e-3)


def test_gray_is_pils_luma():
    images = _batch(2)
    result = _adjust(images, gray=[True, False])
    expected = np.asarray(PIL.Image.fromarray(images[0].astype(np.uint8)).convert("L"), np.float32)
    for channel in np.moveaxis(result[0], -1, 0):
        np.testing.assert_allclose(channel, expected, atol=0.6)
    np.testing.assert_allclose(result[1], images[1], atol=1e-3)


def test_solarize_equals_pil():
    images = _batch()
    result = ops.to_channels_last(ops.solarize(_planes(images))).numpy()
    for image, got in zip(images, result, strict=True):
        expected = PIL.ImageOps.solarize(PIL.Image.fromarray(image.astype(np.uint8)), 128)
        np.testing.assert_array_equal(got, np.asarray(expected, np.float32))


@pytest.fixture(scope="module")
def addons():
    """What tensorflow-addons 0.23 made of the same images (make_addons_vectors.py)."""
    with np.load(pathlib.Path(__file__).with_name("addons_vectors.npz")) as file:
        return dict(file)


def test_saturation_and_brightness_equal_tensorflow_addons(addons):
    images = addons["yiq_images"]
    checked = 0
    for (turn, saturation, value), expected in zip(
        addons["yiq_factors"], addons["yiq_adjusted"], strict=True
    ):
        if turn == 0:
            result = _adjust(255 * images, brightness=value, saturation=saturation) / 255
            np.testing.assert_allclose(result, expected, atol=2e-4)
            checked += 1
    assert checked >= 4


def test_where_chooses_by_image():
    planes = tf.ones([3, 1, 2, 2])
    result = ops.where(tf.constant([True, False, True]), 2 * planes, planes)
    np.testing.assert_array_equal(result[:, 0, 0, 0], [2, 1, 2])
