import struct

import numpy as np
import PIL.Image
import pytest
import tensorflow as tf

from tests.conftest import encode, photo
from tests.damaged_images import KINDS
from tf_scl.images.decode import decode_batch
from tf_scl.serving.decoding import decode_or_raise

_LIMIT = 10_000


@tf.function(input_signature=[tf.TensorSpec([None], tf.string), tf.TensorSpec([], tf.int32)])
def _decode(encoded, first):
    return decode_or_raise(encoded, first, 16, 3, _LIMIT)


def _refusal_of(data, first=0):
    """The error of a batch in which it is the third of five."""
    good = [encode(photo(number)) for number in range(4)]
    with pytest.raises(tf.errors.InvalidArgumentError) as error:
        _decode(tf.constant([*good[:2], data, *good[2:]]), first)
    return error.value.message


def _colors(format, **options):
    return encode(photo(1, 30, 20), format, **options)


_READABLE = {
    "PNG": _colors("PNG"),
    "JPEG": _colors("JPEG"),
    "gray PNG": _colors("PNG", mode="L"),
    "gray JPEG": _colors("JPEG", mode="L"),
    "progressive JPEG": _colors("JPEG", progressive=True),
    "PNG with alpha": _colors("PNG", mode="RGBA"),
    "gray PNG with alpha": _colors("PNG", mode="LA"),
    "palette PNG": _colors("PNG", mode="P"),
    "16-bit PNG": encode(PIL.Image.fromarray(np.arange(600, dtype=np.uint16).reshape(30, 20) * 99)),
}


def test_pixels_are_those_of_training():
    encoded = tf.constant(list(_READABLE.values()))
    pixels = _decode(encoded, 0)
    assert pixels.dtype == tf.float32
    np.testing.assert_array_equal(pixels, decode_batch(encoded, 16, 3))


def test_they_keep_their_order():
    images = [np.full((16, 16, 3), number, np.uint8) for number in range(100)]
    pixels = _decode(tf.constant([encode(image) for image in images]), 0)
    np.testing.assert_array_equal(pixels, images)


def test_nothing_gives_nothing():
    assert _decode(tf.constant([], tf.string), 0).shape == (0, 16, 16, 3)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty, 0 bytes"),
        (b"\x89PNG\r\n\x1a\n", "damaged or cut short"),
        (b"\xff\xd8\xff", "damaged or cut short"),
        (_colors("PNG")[:300], "damaged or cut short"),
        (_colors("JPEG")[:300], "damaged or cut short"),
        (_colors("JPEG")[:-60], "damaged or cut short"),
        (_colors("GIF"), "neither PNG nor JPEG"),
        (_colors("GIF", save_all=True, append_images=[PIL.Image.new("RGB", (20, 30))]), "neither"),
        (_colors("WEBP"), "neither PNG nor JPEG"),
        (b"<html>404</html>", "neither PNG nor JPEG"),
        (bytes(1000), "neither PNG nor JPEG"),
    ],
)
def test_the_bad_one_is_named(data, reason):
    assert f"image_bytes[2] is {reason}" in _refusal_of(data)
    assert f"image_bytes[258] is {reason}" in _refusal_of(data, first=256)


def test_the_first_of_several_is_named():
    bad = [b"", _colors("PNG")[:300], b"GIF89a"]
    for order in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
        with pytest.raises(tf.errors.InvalidArgumentError, match=r"image_bytes\[0\]"):
            _decode(tf.constant([bad[number] for number in order]), 0)
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"image_bytes\[1\]"):
        _decode(tf.constant([_colors("PNG"), *bad]), 0)


@pytest.mark.parametrize("format", ["PNG", "JPEG"])
@pytest.mark.parametrize("turn", [0, 1])
def test_a_huge_one_is_refused_from_its_header(format, turn):
    data = KINDS[f"huge header of {format}"](np.random.default_rng(0), turn)
    side = 2**31 - 1 if (format, turn) == ("PNG", 1) else 60_000
    message = f"image_bytes[2] is {side} x {side} pixels, more than the {_LIMIT} that"
    assert message in _refusal_of(data)


@pytest.mark.parametrize(
    ("width", "height", "reason"),
    [
        (0, 20, "damaged"),
        (0, 0, "damaged"),
        (2**31, 1, "2147483648 x 1 pixels"),
        (2**32 - 1, 2**32 - 1, "2147483648 x 2147483648 pixels"),  # or more: no int64 holds it
        (10_001, 1, "10001 x 1 pixels"),
    ],
)
def test_any_size_in_a_header_is_refused(width, height, reason):
    data = bytearray(_colors("PNG"))
    struct.pack_into(">II", data, 16, width, height)
    assert f"image_bytes[2] is {reason}" in _refusal_of(bytes(data))


def test_the_limit_itself_is_allowed():
    assert _decode(tf.constant([encode(photo(0, 100, 100))]), 0).shape == (1, 16, 16, 3)
    assert "101 x 100 pixels" in _refusal_of(encode(photo(0, 100, 101)))


def test_a_jpeg_of_endless_scans_is_refused():
    data = _colors("JPEG", progressive=True)
    start = data.rindex(b"\xff\xda")
    many = data[:start] + data[start:-2] * 2000 + data[-2:]
    assert "image_bytes[2] is a JPEG of 2009 scans" in _refusal_of(many)
