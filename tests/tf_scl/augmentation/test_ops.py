import colorsys

import numpy as np
import PIL.Image
import PIL.ImageEnhance
import pytest
import scipy.ndimage
import tensorflow as tf

from tests.conftest import photo
from tf_scl.augmentation import ops


def _batch(n=3, height=24, width=32):
    return np.stack([photo(seed, height, width) for seed in range(n)]).astype(np.float32)


@pytest.mark.parametrize("size", [8, 24, 40])
@pytest.mark.parametrize("box", [(0, 0, 24, 32), (3.3, 5.1, 14.6, 20.2), (10, 2, 5, 7)])
def test_crop_resize_equals_pil(size, box):
    images = _batch()
    top, left, height, width = box
    result = ops.crop_resize(
        images, tf.constant([box] * 3, tf.float32), tf.constant([False] * 3), size
    )
    for image, got in zip(images, result.numpy(), strict=True):
        for channel in range(3):
            expected = PIL.Image.fromarray(image[..., channel]).resize(
                (size, size), PIL.Image.BILINEAR, box=(left, top, left + width, top + height)
            )
            np.testing.assert_allclose(got[..., channel], np.asarray(expected), atol=2e-3)


def test_each_image_has_its_own_box_and_flip():
    images = _batch(2)
    boxes = tf.constant([[0, 0, 24, 24], [0, 8, 24, 24]], tf.float32)
    result = ops.crop_resize(images, boxes, tf.constant([False, True]), 24).numpy()
    np.testing.assert_allclose(result[0], images[0, :, :24], atol=1e-3)
    np.testing.assert_allclose(result[1], images[1, :, 8:][:, ::-1], atol=1e-3)


@pytest.mark.parametrize(
    "function,enhancer",
    [
        (ops.adjust_brightness, PIL.ImageEnhance.Brightness),
        (ops.adjust_contrast, PIL.ImageEnhance.Contrast),
        (ops.adjust_saturation, PIL.ImageEnhance.Color),
    ],
)
def test_colour_factors_equal_pil(function, enhancer):
    images, factors = _batch(), [0.6, 1.0, 1.4]
    result = function(images, tf.constant(factors)).numpy()
    for image, factor, got in zip(images, factors, result, strict=True):
        expected = enhancer(PIL.Image.fromarray(image.astype(np.uint8))).enhance(factor)
        # PIL rounds its greys and its result to whole numbers.
        np.testing.assert_allclose(got, np.asarray(expected, np.float32), atol=1.6)


@pytest.mark.parametrize("turn", [-0.1, 0.0, 0.1, 0.25])
def test_hue_turns_yiqs_colour_plane(turn):
    image = 96 + photo(0, 6, 6) / 4  # no clipping
    result = ops.adjust_hue(tf.constant(image[None], tf.float32), tf.constant([turn])).numpy()[0]
    for before, after in zip(image.reshape(-1, 3), result.reshape(-1, 3), strict=True):
        y0, i0, q0 = colorsys.rgb_to_yiq(*(before / 255))
        y1, i1, q1 = colorsys.rgb_to_yiq(*(after / 255))
        turned = complex(i0, q0) * np.exp(2j * np.pi * turn)
        # colorsys has the matrix of 1953 to two digits.
        assert abs(y1 - y0) < 2e-3
        assert abs(complex(i1, q1) - turned) < 5e-3


def test_grayscale_is_pils_luma():
    images = _batch(1)
    expected = np.asarray(PIL.Image.fromarray(images[0].astype(np.uint8)).convert("L"), np.float32)
    for channel in np.moveaxis(ops.grayscale(images).numpy()[0], -1, 0):
        np.testing.assert_allclose(channel, expected, atol=0.6)


def test_gaussian_blur_equals_scipy():
    images, sigmas = _batch(), [0.3, 1.0, 2.0]
    result = ops.gaussian_blur(tf.constant(images), tf.constant(sigmas)).numpy()
    for image, sigma, got in zip(images, sigmas, result, strict=True):
        sigma = (sigma, sigma, 0)
        blur = dict(mode="constant", truncate=20)
        inside = scipy.ndimage.gaussian_filter(np.ones(image.shape), sigma, **blur)
        expected = scipy.ndimage.gaussian_filter(image.astype(np.float64), sigma, **blur) / inside
        np.testing.assert_allclose(got, expected, atol=2e-3)


def test_where_chooses_by_image():
    images = tf.ones([3, 2, 2, 1])
    result = ops.where(tf.constant([True, False, True]), 2 * images, images)
    np.testing.assert_array_equal(result[:, 0, 0, 0], [2, 1, 2])
