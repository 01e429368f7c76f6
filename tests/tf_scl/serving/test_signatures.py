import numpy as np
import pytest
import tensorflow as tf

from tests.conftest import encode, photo
from tf_scl.images.decode import fit_to_square
from tf_scl.serving.signatures import signatures


@pytest.fixture(scope="module")
def served():
    """A "network" that answers with its pixels and the size of its batch."""

    def network(images):
        count = tf.fill([tf.shape(images)[0], 1], tf.cast(tf.shape(images)[0], tf.float32))
        return tf.concat([tf.reshape(images, [-1, 8 * 8 * 3]), count], axis=1)

    return signatures(lambda: network, 8, 3, 8 * 8 * 3 + 1, 10**6)


def _inputs(images):
    return {
        "serving_default": tf.constant([encode(image) for image in images], tf.string),
        "encode_images": tf.cast(images, tf.float32),
        "encode_uint8": images,
    }


_NAMES = ("serving_default", "encode_images", "encode_uint8")


@pytest.mark.parametrize("name", _NAMES)
@pytest.mark.parametrize("size", [(8, 8), (5, 7), (30, 20)])
def test_images_of_any_size_are_fitted(served, name, size):
    images = np.stack([photo(number, *size) for number in range(3)])
    answer = served[name](_inputs(images)[name])["embedding"]
    fitted = fit_to_square(images, 8).numpy()
    fitted = fitted if name == "encode_images" else np.round(fitted)
    np.testing.assert_allclose(answer[:, :-1], fitted.reshape(3, -1), atol=1e-4)


@pytest.mark.parametrize("name", _NAMES)
def test_a_large_batch_goes_through_in_parts(served, name):
    images = np.stack([photo(number % 50, 8, 8) for number in range(600)])
    answer = served[name](_inputs(images)[name])["embedding"].numpy()
    np.testing.assert_array_equal(answer[:, :-1], images.reshape(600, -1))
    assert answer[:, -1].tolist() == [256] * 512 + [88] * 88


@pytest.mark.parametrize("name", _NAMES)
def test_an_empty_batch_gives_an_empty_answer(served, name):
    for sides in ((8, 8), (0, 0)):
        images = np.zeros((0, *sides, 3), np.uint8)
        answer = served[name](_inputs(images)[name])["embedding"]
        assert answer.shape == (0, 8 * 8 * 3 + 1)
        assert answer.dtype == tf.float32


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e30, 65_535, -256])
@pytest.mark.parametrize("index", [0, 299])
def test_a_value_that_is_no_pixel_is_named(served, value, index):
    images = np.zeros((300, 8, 8, 3), np.float32)
    images[index, 4, 5, 1] = value
    message = rf"images\[{index}\] holds NaN, infinity or values far from 0..255"
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        served["encode_images"](images)


@pytest.mark.parametrize("scale,offset", [(255.0, 0.0), (127.5, -1.0)])
def test_scaled_images_are_refused_and_dark_ones_are_not(served, scale, offset):
    images = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 3)).astype(np.float32)
    with pytest.raises(tf.errors.InvalidArgumentError, match="images were scaled: .*0..255"):
        served["encode_images"](images / scale + offset)
    for dark in (np.zeros((1, 8, 8, 3)), images > 200, 0.25 * (images > 200)):
        served["encode_images"](dark.astype(np.float32))


def test_what_resizing_overshoots_is_no_error(served):
    images = np.tile(np.float32([-20.5, 0, 275.5]), (1, 8, 8, 1))
    np.testing.assert_array_equal(
        served["encode_images"](images)["embedding"][:, :-1], images.reshape(1, -1)
    )


@pytest.mark.parametrize("name", ["encode_images", "encode_uint8"])
def test_images_without_pixels_are_an_error(served, name):
    with pytest.raises(tf.errors.InvalidArgumentError, match="images of 8 x 0 pixels hold nothing"):
        served[name](tf.zeros((2, 0, 8, 3), served[name].input_signature[0].dtype))


def test_an_encoded_one_in_the_last_part_is_named(served):
    encoded = [encode(photo(0, 8, 8))] * 600
    encoded[599] = b"no image"
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"image_bytes\[599\] is neither"):
        served["serving_default"](tf.constant(encoded))


@pytest.mark.parametrize(("size", "at_once"), [(8, 256), (64, 256), (96, 113), (224, 32)])
def test_parts_are_smaller_where_images_are_larger(size, at_once):
    def network(images):
        return tf.fill([tf.shape(images)[0], 1], tf.cast(tf.shape(images)[0], tf.float32))

    function = signatures(lambda: network, size, 1, 1, 10**6)["encode_uint8"]
    answer = function(np.zeros((at_once + 1, size, size, 1), np.uint8))["embedding"]
    assert answer[:, 0].numpy().tolist() == [at_once] * at_once + [1]
