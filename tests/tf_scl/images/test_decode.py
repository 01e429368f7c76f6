import io

import numpy as np
import PIL.Image
import pytest
import tensorflow as tf

from tests.conftest import encode, photo
from tf_scl.images import decode


@pytest.mark.parametrize("mode,channels", [("RGB", 3), ("L", 3), ("L", 1)])
def test_png_pixels_equal_pils(mode, channels):
    image = PIL.Image.fromarray(photo(0)).convert(mode)
    expected = np.asarray(image.convert({1: "L", 3: "RGB"}[channels])).reshape(24, 32, channels)
    np.testing.assert_array_equal(decode.decode_image(encode(image), channels), expected)


@pytest.mark.parametrize("height,width", [(24, 32), (33, 61), (1, 1), (7, 200)])
@pytest.mark.parametrize("options", [{}, {"subsampling": 0}, {"progressive": True}])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_jpeg_pixels_equal_pils(height, width, options, mode):
    data = encode(photo(0, height, width), "JPEG", mode, quality=80, **options)
    expected = np.asarray(PIL.Image.open(io.BytesIO(data)).convert("RGB"))
    np.testing.assert_array_equal(decode.decode_image(data, 3), expected)


def test_the_right_size_is_left_alone():
    image = photo(0, 16, 16)
    np.testing.assert_array_equal(decode.fit_to_square(image, 16), image)


@pytest.mark.parametrize("height,width", [(24, 32), (33, 20), (100, 31), (5, 9)])
def test_the_central_square_is_resized(height, width):
    image, size = photo(0, height, width), 16
    short = min(height, width)
    top, left = (height - short) // 2, (width - short) // 2
    square = image[top : top + short, left : left + short].astype(np.float32)
    bands = [PIL.Image.fromarray(square[..., c]) for c in range(3)]
    resized = [band.resize((size, size), PIL.Image.BILINEAR) for band in bands]
    expected = np.dstack([np.asarray(band) for band in resized])
    np.testing.assert_allclose(decode.fit_to_square(image, size), expected, atol=0.05)


def test_a_batch_is_fitted_as_its_images_are():
    images = np.stack([photo(0), photo(1)])
    batch = decode.fit_to_square(images, 16)
    for image, fitted in zip(images, batch, strict=True):
        np.testing.assert_allclose(decode.fit_to_square(image, 16), fitted, atol=1e-4)


def test_a_long_thin_image_costs_no_memory():
    """Its square is cut before it is resized; else this would be 24 GB."""
    image = np.zeros((1, 2_000_000, 3), np.uint8)
    assert decode.fit_to_square(image, 32).shape == (32, 32, 3)


def test_decode_batch_takes_images_of_any_size():
    encoded = [encode(photo(0, 16, 16)), encode(photo(1, 40, 30), "JPEG")]
    batch = decode.decode_batch(tf.constant(encoded), 16, 3)
    assert batch.shape == (2, 16, 16, 3)
    np.testing.assert_array_equal(batch[0], photo(0, 16, 16))
