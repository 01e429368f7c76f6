import io
import struct
import zlib

import numpy as np
import PIL.Image
import pytest

from tests.conftest import encode, photo
from tf_scl.data import check_image as module
from tf_scl.data.check_image import RejectedImageError, check_image
from tf_scl.data.decode import decode_image

_MAX = 100_000_000


def huge_png_header(width=60_000, height=60_000):
    """A PNG of a few bytes whose header promises width x height pixels."""

    def chunk(kind, data):
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0" * 99))
        + chunk(b"IEND", b"")
    )


def sixteen_bit_png():
    """Grey, 16 bits, and the upper 8 bits of its pixels."""
    pixels = np.random.default_rng(0).integers(0, 2**16, (9, 7)).astype(np.uint16)
    buffer = io.BytesIO()
    PIL.Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue(), (pixels >> 8).astype(np.uint8)


def _pixels(checked):
    return np.asarray(PIL.Image.open(io.BytesIO(checked.encoded)))


@pytest.mark.parametrize("format", ["PNG", "JPEG"])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_plain_files_are_kept_byte_by_byte(format, mode):
    data = encode(photo(0), format, mode)
    checked = check_image(data, _MAX)
    assert checked.encoded == data
    assert checked.format == format.lower()
    assert (checked.height, checked.width) == (24, 32)
    assert checked.channels == {"L": 1, "RGB": 3}[mode]


def test_palette_becomes_rgb():
    image = PIL.Image.fromarray(photo(0)).quantize(16)
    checked = check_image(encode(image), _MAX)
    np.testing.assert_array_equal(_pixels(checked), np.asarray(image.convert("RGB")))


def test_alpha_is_dropped():
    rgba = np.dstack([photo(0), np.full((24, 32), 7, np.uint8)])
    np.testing.assert_array_equal(_pixels(check_image(encode(rgba), _MAX)), photo(0))


def test_grey_with_alpha_becomes_grey():
    grey = np.asarray(PIL.Image.fromarray(photo(0)).convert("L"))
    image = PIL.Image.merge("LA", [PIL.Image.fromarray(grey)] * 2)
    np.testing.assert_array_equal(_pixels(check_image(encode(image), _MAX)), grey)


def test_sixteen_bits_keep_the_upper_eight():
    data, upper = sixteen_bit_png()
    np.testing.assert_array_equal(_pixels(check_image(data, _MAX)), upper)


def test_one_bit_becomes_black_and_white():
    image = PIL.Image.fromarray(photo(0)).convert("1")
    np.testing.assert_array_equal(
        _pixels(check_image(encode(image), _MAX)), np.asarray(image).astype(np.uint8) * 255
    )


def test_cmyk_jpeg_becomes_rgb():
    data = encode(photo(0), "JPEG", "CMYK")
    expected = PIL.Image.open(io.BytesIO(data)).convert("RGB")
    np.testing.assert_array_equal(_pixels(check_image(data, _MAX)), np.asarray(expected))


@pytest.mark.parametrize("format", ["BMP", "GIF", "WEBP", "TIFF"])
def test_other_formats_become_png(format):
    data = encode(photo(0), format)
    checked = check_image(data, _MAX)
    assert checked.format == "png"
    expected = PIL.Image.open(io.BytesIO(data)).convert("RGB")
    np.testing.assert_array_equal(_pixels(checked), np.asarray(expected))


@pytest.mark.parametrize(
    "name",
    ["palette", "rgba", "grey", "grey+alpha", "16 bit", "1 bit", "jpeg"],
)
@pytest.mark.parametrize("channels", [1, 3])
def test_serving_sees_a_file_as_training_did(name, channels):
    """Decoding the raw file equals decoding its record: no training/serving skew."""
    rgb = PIL.Image.fromarray(photo(0))
    grey = rgb.convert("L")
    data = {
        "palette": lambda: encode(rgb.quantize(16)),
        "rgba": lambda: encode(np.dstack([photo(0), photo(1)[..., :1]])),
        "grey": lambda: encode(grey),
        "grey+alpha": lambda: encode(PIL.Image.merge("LA", [grey, grey])),
        "16 bit": lambda: sixteen_bit_png()[0],
        "1 bit": lambda: encode(rgb.convert("1")),
        "jpeg": lambda: encode(rgb, "JPEG"),
    }[name]()
    raw = decode_image(data, channels)
    record = decode_image(check_image(data, _MAX).encoded, channels)
    np.testing.assert_array_equal(raw, record)


@pytest.mark.parametrize(
    "data,reason",
    [
        (b"", module.EMPTY),
        (b"this is a text file, not an image\n" * 10, module.NOT_AN_IMAGE),
        (encode(photo(0), "JPEG")[:-200], module.DAMAGED),
        (encode(photo(0), "PNG")[:-200], module.DAMAGED),
        (encode(photo(0), "PNG")[:20], None),
        (huge_png_header(), module.TOO_LARGE),
        (huge_png_header(10_001, 10_000), module.TOO_LARGE),
        (encode(PIL.Image.new("F", (4, 4)), "TIFF"), module.UNSUPPORTED),
        # Kept by a check in grey alone, this one ended a training in colour.
        (encode(PIL.Image.new("L", (80_000_000, 1))), module.UNSUPPORTED),
    ],
)
def test_bad_files_are_rejected_with_their_reason(data, reason):
    with pytest.raises(RejectedImageError) as caught:
        check_image(data, _MAX)
    if reason:
        assert caught.value.reason == reason
    assert caught.value.detail
