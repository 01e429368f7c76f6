import numpy as np
import PIL.Image
import pytest
import tensorflow as tf

from tests.conftest import photo
from tf_scl.augmentation import ops, resampling
from tf_scl.augmentation.resampling import crop_resize

_FORMS = [resampling._by_gathers, resampling._by_products]


def _batch(n=3, height=24, width=32):
    return np.stack([photo(seed, height, width) for seed in range(n)]).astype(np.float32)


def _random_boxes(rng, count, height, width):
    """Anywhere inside the image, the whole of it among them."""
    sides = rng.uniform(0.1, 1.0, (count, 2)) * (height, width)
    sides[0] = height, width
    starts = rng.uniform(0.0, 1.0, (count, 2)) * ((height, width) - sides)
    return tf.constant(np.concatenate([starts, sides], axis=1), tf.float32)


@pytest.mark.parametrize("form", _FORMS)
@pytest.mark.parametrize("size", [1, 8, 24, 40])
@pytest.mark.parametrize("box", [(0, 0, 24, 32), (3.3, 5.1, 14.6, 20.2), (10, 2, 5, 7)])
def test_crop_resize_equals_pil(monkeypatch, form, size, box):
    for one in _FORMS:
        monkeypatch.setattr(resampling, one.__name__, form)
    images = _batch()
    top, left, height, width = box
    result = crop_resize(images, tf.constant([box] * 3, tf.float32), tf.constant([False] * 3), size)
    for image, got in zip(images, result.numpy(), strict=True):
        for channel in range(3):
            expected = PIL.Image.fromarray(image[..., channel]).resize(
                (size, size), PIL.Image.BILINEAR, box=(left, top, left + width, top + height)
            )
            np.testing.assert_allclose(got[channel], np.asarray(expected), atol=2e-3)


@pytest.mark.parametrize("extent,size,taps", [(24, 24, 2), (24, 48, 2), (25, 24, 3), (96, 32, 6)])
def test_no_box_inside_an_image_touches_more_pixels(extent, size, taps):
    """The weights of the whole matrix that are not zero, for boxes of every place and length."""
    assert resampling._taps(extent, size) == taps
    rng = np.random.default_rng(0)
    length = extent * np.concatenate([rng.uniform(0.1, 1, 500), rng.uniform(0.97, 1, 500), [1]])
    start = rng.uniform(0.0, 1.0, 1001) * (extent - length)
    weights = resampling._triangle(
        tf.constant(start, tf.float32), tf.constant(length, tf.float32), extent, size
    )
    assert (np.asarray(weights) > 1e-6).sum(axis=2).max() <= taps


@pytest.mark.parametrize("height,width,size", [(24, 32, 32), (40, 28, 9), (33, 50, 3), (50, 70, 4)])
def test_both_forms_are_one(height, width, size):
    rng = np.random.default_rng(size)
    images = tf.constant(rng.integers(0, 256, (4, height, width, 3)), tf.uint8)
    boxes = _random_boxes(rng, 8, height, width)
    columns = tf.concat([boxes[:4, 1], boxes[4:, 1] + boxes[4:, 3]], axis=0)
    widths = tf.concat([boxes[:4, 3], -boxes[4:, 3]], axis=0)
    gathered, multiplied = (
        form(images, (boxes[:, 0], boxes[:, 2]), (columns, widths), size) for form in _FORMS
    )
    np.testing.assert_allclose(gathered, multiplied, atol=2e-3)


def test_the_form_depends_on_how_much_an_image_can_shrink(monkeypatch):
    used = []
    for form in _FORMS:

        def noted(*args, form=form):
            used.append(form)
            return form(*args)

        monkeypatch.setattr(resampling, form.__name__, noted)
    boxes, flips = tf.constant([[0.0, 0, 20, 64]]), tf.constant([False])
    for size in (4, 3):  # 32 and 43 taps
        crop_resize(tf.zeros([1, 20, 64, 1]), boxes, flips, size)
    assert used == _FORMS


def test_each_image_has_its_own_box_and_flip():
    images = _batch(2)
    boxes = tf.constant([[0, 0, 24, 24], [0, 8, 24, 24]], tf.float32)
    planes = crop_resize(images, boxes, tf.constant([False, True]), 24)
    result = ops.to_channels_last(planes).numpy()
    np.testing.assert_allclose(result[0], images[0, :, :24], atol=1e-3)
    np.testing.assert_allclose(result[1], images[1, :, 8:][:, ::-1], atol=1e-3)


@pytest.mark.parametrize("dtype", [np.uint8, np.float16, np.float64, np.int32])
def test_images_of_any_dtype_have_one_result(dtype):
    images = np.round(_batch(2))
    boxes, flips = tf.constant([[1.5, 2, 9, 9]] * 4), tf.constant([True, False] * 2)
    expected = crop_resize(images, boxes, flips, 8)
    got = crop_resize(images.astype(dtype), boxes, flips, 8)
    assert got.dtype == tf.float32
    np.testing.assert_allclose(got, expected, atol=1e-4)


def test_crop_resize_of_a_size_known_only_when_it_runs():
    images = tf.constant(_batch())
    boxes, flips = tf.constant([[1.0, 2, 9, 9]] * 3), tf.constant([False] * 3)

    @tf.function(input_signature=[tf.TensorSpec([None, None, None, 3])])
    def crop(images):
        return crop_resize(images, boxes, flips, 8)

    np.testing.assert_allclose(crop(images), crop_resize(images, boxes, flips, 8), atol=1e-3)
