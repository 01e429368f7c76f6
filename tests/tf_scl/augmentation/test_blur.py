import pathlib

import numpy as np
import pytest
import scipy.ndimage
import tensorflow as tf

from tests.conftest import photo
from tf_scl.augmentation import blur
from tf_scl.augmentation.blur import gaussian_blur
from tf_scl.augmentation.ops import to_channels_last


def _batch(n=3, height=24, width=32):
    return np.stack([photo(seed, height, width) for seed in range(n)]).astype(np.float32)


def _planes(images):
    return tf.transpose(tf.constant(images, tf.float32), [0, 3, 1, 2])


def _scipys(image, sigma):
    """Of an image [H, W, C]: weights outside it left out, the others made to add up to one."""
    blur = dict(sigma=(sigma, sigma, 0), mode="constant", truncate=20)
    inside = scipy.ndimage.gaussian_filter(np.ones(image.shape), **blur)
    return scipy.ndimage.gaussian_filter(image.astype(np.float64), **blur) / inside


# By products; one axis by shifts; both.
@pytest.mark.parametrize("height,width", [(24, 32), (32, 60), (60, 56)])
def test_gaussian_blur_equals_scipy(height, width):
    images, sigmas = _batch(3, height, width), [0.3, 1.0, 2.0]
    result = to_channels_last(gaussian_blur(_planes(images), tf.constant(sigmas), 2.0)).numpy()
    for image, sigma, got in zip(images, sigmas, result, strict=True):
        np.testing.assert_allclose(got, _scipys(image, sigma), atol=2e-3)


@pytest.mark.parametrize("axis", [2, 3])
@pytest.mark.parametrize("largest", [0.1, 0.7, 2.0, 6.3])
def test_a_kernel_cut_at_its_radius_is_the_whole_one(axis, largest):
    """Of the worst image for it too, which is black near a place and white far from it."""
    rng = np.random.default_rng(0)
    planes = rng.uniform(0, 255, (4, 3, 80, 70)).astype(np.float32)
    radius = int(np.ceil(5 * largest))
    planes[2] = 255.0
    planes[2, :, 40 - radius : 41 + radius, 35 - radius : 36 + radius] = 0.0
    planes[3] = 255.0
    planes[3, :, : radius + 1, : radius + 1] = 0.0
    sigma = tf.constant([0.1, 0.5 * largest, largest, largest], tf.float32)
    cut = blur._by_shifts(tf.constant(planes), sigma, radius, axis)
    whole = blur._by_product(tf.constant(planes), sigma, axis)
    np.testing.assert_allclose(cut, whole, atol=5e-4)


@pytest.mark.parametrize("side", [24, 64])
def test_no_standard_deviation_no_change(side):
    planes = _planes(_batch(2, side, side))
    result = gaussian_blur(planes, tf.constant([0.0, 2.0]), 2.0)
    np.testing.assert_array_equal(result[0], planes[0])
    assert np.abs(result[1] - planes[1]).max() > 1


def test_blur_of_a_size_known_only_when_it_runs():
    planes = _planes(_batch(3, 64, 64))

    @tf.function(input_signature=[tf.TensorSpec([None, 3, None, None])])
    def blurred(planes):
        return gaussian_blur(planes, tf.fill([tf.shape(planes)[0]], 1.5), 1.5)

    np.testing.assert_allclose(
        blurred(planes), gaussian_blur(planes, tf.fill([3], 1.5), 1.5), atol=1e-3
    )


def test_blur_equals_tensorflow_addons():
    """What tensorflow-addons 0.23 made of the same images (make_addons_vectors.py)."""
    with np.load(pathlib.Path(__file__).with_name("addons_vectors.npz")) as file:
        addons = dict(file)
    images = addons["blur_images"]
    for number, sigma in enumerate(addons["blur_sigmas"]):
        sigmas = tf.fill([len(images)], np.float32(sigma))
        blurred = gaussian_blur(_planes(images), sigmas, float(sigma))
        # Ours has weights that add up to one inside the image; addons went on with zeros.
        expected = addons["blur_constant"][number] / addons["blur_constant_ones"][number]
        np.testing.assert_allclose(to_channels_last(blurred), expected, atol=2e-3)
