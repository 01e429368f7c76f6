"""Is a file an image that training can use? If so, in a form that every decoder reads alike."""

import dataclasses
import io
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import PIL.ExifTags
import PIL.Image
import tensorflow as tf

from tf_scl.images.decode import decode_image
from tf_scl.typing import Array

# Reasons for a rejection, as they stand in the summary.
EMPTY = "empty file (0 bytes)"
NOT_AN_IMAGE = "not an image"
OTHER_FORMAT = "not PNG, JPEG, GIF, BMP, WebP, TIFF or PPM"
TOO_LARGE = "too many pixels"
DAMAGED = "damaged or cut short"
UNSUPPORTED = "unsupported pixel format"

# What PIL may open. Some of its other formats start programs or fetch libraries of their own (EPS
# runs Ghostscript), and some have no signature and take anything for an image.
FORMATS = ("PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF", "PPM")

_AS_THEY_ARE = {("PNG", "L"), ("PNG", "RGB"), ("JPEG", "L"), ("JPEG", "RGB")}
_UPRIGHT = {  # EXIF's orientation, and how to undo it
    2: PIL.Image.Transpose.FLIP_LEFT_RIGHT,
    3: PIL.Image.Transpose.ROTATE_180,
    4: PIL.Image.Transpose.FLIP_TOP_BOTTOM,
    5: PIL.Image.Transpose.TRANSPOSE,
    6: PIL.Image.Transpose.ROTATE_270,
    7: PIL.Image.Transpose.TRANSVERSE,
    8: PIL.Image.Transpose.ROTATE_90,
}
_MAX_EXIF = 2**16  # bytes, as much as a JPEG's segment holds
_MAX_READS = 4  # of each byte of a file: its tags and its pixels are each read twice at most
_MAX_WORK = 30  # times max_pixels: a progressive JPEG goes over its pixels about ten times
_JPEG_TOLERANCE = 8  # of 255, on average: two decoders differ by 1 or 2, quality 95 costs noise 4


class RejectedImageError(Exception):
    """A file that is set aside; `reason` is one of the constants above."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


@dataclasses.dataclass(frozen=True)
class CheckedImage:
    """An image that decodes.

    Attributes:
        encoded: bytes of a PNG or JPEG file, 8 bits, gray or RGB, upright: the
            file itself where it was one, else a lossless PNG of its pixels (a
            JPEG of quality 95 where a JPEG was shrunk).
        format: "png" or "jpeg".
        height, width: Pixels.
        channels: 1 or 3.
    """

    encoded: bytes
    format: str
    height: int
    width: int
    channels: int


def check_image(
    data: bytes | Array, max_pixels: int, short_side: int | None = None
) -> CheckedImage:
    """Decodes an image completely and brings it into the one form of our records.

    It is turned as its EXIF (or XMP) orientation says. Palettes and CMYK
    become RGB, color profiles are not applied; 16-bit gray keeps its upper 8
    bits; alpha is dropped and the colors under it stay (as TensorFlow's
    decoder does, so a served image is seen as it was in training); of an
    animation, or a file of several pages, the first is taken.

    Args:
        data: bytes of a file, or its pixels: uint8 [H, W], [H, W, 1] or
            [H, W, 3].
        max_pixels: Int. Images with more are rejected from their header,
            before anything is allocated.
        short_side: Int. Images whose shorter side is longer are shrunk to it,
            with their aspect kept. None leaves all as large as they are.

    Returns:
        `CheckedImage`.

    Raises:
        RejectedImageError: With the reason.
    """
    if isinstance(data, np.ndarray):
        image, kind, as_it_is = _from_pixels(data, max_pixels), "PNG", False
    else:
        image, kind, as_it_is = _from_file(data, max_pixels)
    shrunk = False
    if short_side is not None and min(image.size) > short_side:
        image, shrunk = _shrink(image, short_side), True
    for stored_kind, encoded in _encodings(data, image, kind, as_it_is, shrunk):
        if _decodes(encoded, stored_kind, image):
            channels = len(image.getbands())
            return CheckedImage(encoded, stored_kind.lower(), image.height, image.width, channels)
    raise RejectedImageError(
        UNSUPPORTED, f"TensorFlow does not decode {image.width} x {image.height} pixels"
    )


def _from_pixels(pixels: Array, max_pixels: int) -> PIL.Image.Image:
    shape = pixels.shape
    layouts = ((), (1,), (3,))
    if pixels.dtype != np.uint8 or pixels.size == 0 or len(shape) < 2 or shape[2:] not in layouts:
        raise RejectedImageError(
            UNSUPPORTED, f"{pixels.dtype} {list(shape)}, not uint8 [H, W], [H, W, 1] or [H, W, 3]"
        )
    _require_few(shape[1], shape[0], max_pixels)
    return PIL.Image.fromarray(pixels[..., 0] if shape[2:] == (1,) else pixels)


def _from_file(data: bytes, max_pixels: int) -> tuple[PIL.Image.Image, str, bool]:
    """The image, gray or RGB and upright; its format; and whether the file can stay as it is."""
    if not data:
        raise RejectedImageError(EMPTY, "nothing in it")
    with warnings.catch_warnings():
        # Of odd metadata, and of sizes beyond PIL's own limit, which is ours to set.
        warnings.filterwarnings("ignore", module=r"PIL\.")
        image = _open(data, max_pixels)
        try:
            image.load()
        except MemoryError:
            raise
        except Exception as error:  # PIL's decoders raise a dozen types on damage
            raise RejectedImageError(DAMAGED, f"{image.format}: {error}") from error
        turn = _UPRIGHT.get(_orientation(image))
        plain = _to_gray_or_rgb(image)
    kind = "JPEG" if image.format == "MPO" else str(image.format)  # several JPEG in one file
    animation = kind == "PNG" and getattr(image, "is_animated", False)
    as_it_is = (kind, image.mode) in _AS_THEY_ARE and turn is None and not animation
    plain.info = {}  # no profile, no comment and no transparent color goes on
    return plain if turn is None else plain.transpose(turn), kind, as_it_is


class _Guarded(io.BytesIO):
    """A file as PIL may read it: no byte over and over, and EXIF of one segment only.

    Each tag and each tile of a TIFF can claim the whole file, and so can each
    tag of EXIF: without limits a few MB take hours, or hundreds of GB.
    """

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self._left = _MAX_READS * len(data) + 2**16
        self._seen_exif = False

    def read(self, size: int | None = -1) -> bytes:
        data = super().read(size)
        self._left -= len(data)
        if self._left < 0:
            raise OSError("it has the same bytes read again and again")
        if data.startswith(b"Exif\0\0"):
            if self._seen_exif:
                return bytes(len(data))
            self._seen_exif = True
        return data


def _open(data: bytes, max_pixels: int) -> PIL.Image.Image:
    try:
        image = PIL.Image.open(_Guarded(data), formats=FORMATS)
    except PIL.Image.DecompressionBombError as error:
        raise RejectedImageError(TOO_LARGE, str(error)) from error
    except PIL.UnidentifiedImageError as error:
        raise _unidentified(data) from error
    except Exception as error:
        raise RejectedImageError(DAMAGED, str(error)) from error
    _require_few(image.width, image.height, max_pixels)
    if _work(image, data) > _MAX_WORK * max_pixels:
        raise RejectedImageError(TOO_LARGE, "so many scans or comments would take hours to read")
    return image


def _unidentified(data: bytes) -> RejectedImageError:
    """The rejection of what PIL did not open, from its first bytes alone."""
    PIL.Image.init()
    for name, (_, accept) in PIL.Image.OPEN.items():
        if accept is not None and accept(data[:16].ljust(16)):  # some fail on fewer than 16
            if name in FORMATS:
                return RejectedImageError(DAMAGED, f"{name}: the header cannot be read")
            return RejectedImageError(OTHER_FORMAT, f"it starts as {name} does")
    return RejectedImageError(NOT_AN_IMAGE, f"it starts with {data[:8]!r}")


def _require_few(width: int, height: int, max_pixels: int) -> None:
    if width * height > max_pixels:
        raise RejectedImageError(
            TOO_LARGE, f"{width} x {height} is more than max_pixels = {max_pixels}"
        )


def _work(image: PIL.Image.Image, data: bytes) -> int:
    """Pixels, or bytes, that a decoder goes over where a small file can make these many."""
    if image.format in ("JPEG", "MPO"):  # each scan may cover the whole image
        return data.count(b"\xff\xda") * image.width * image.height
    tile = getattr(image, "tile", None)
    if tile and tile[0][0] == "ppm_plain":  # each comment is cut out of a MiB of text
        return data.count(b"#") * min(len(data), 2**20)
    return 0


def _orientation(image: PIL.Image.Image) -> int:
    """EXIF's orientation 1..8; 1 where there is none, or none that can be read."""
    if len(image.info.get("exif", b"")) > _MAX_EXIF:
        return 1
    try:
        return image.getexif().get(PIL.ExifTags.Base.Orientation, 1)
    except Exception:  # damaged in one of many ways, which spoils no pixel
        return 1


def _to_gray_or_rgb(image: PIL.Image.Image) -> PIL.Image.Image:
    if image.mode in ("L", "RGB"):
        return image
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format in ("PNG", "PPM")):
        return PIL.Image.fromarray((np.asarray(image).astype(np.uint32) >> 8).astype(np.uint8))
    if image.mode in ("1", "LA"):
        return image.convert("L")
    if image.mode in ("P", "PA", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "LAB", "HSV"):
        return image.convert("RGB")
    raise RejectedImageError(UNSUPPORTED, f"{image.format} of mode {image.mode!r}")


def _shrink(image: PIL.Image.Image, short_side: int) -> PIL.Image.Image:
    scale = short_side / min(image.size)
    size = [max(short_side, round(side * scale)) for side in image.size]
    return image.resize(size, PIL.Image.Resampling.BILINEAR)


def _encodings(
    data: bytes | Array, image: PIL.Image.Image, kind: str, as_it_is: bool, shrunk: bool
) -> Iterator[tuple[str, bytes]]:
    """What could be stored, in the order of preference."""
    if isinstance(data, bytes) and as_it_is and not shrunk:
        yield kind, data
    if shrunk and kind == "JPEG":
        yield "JPEG", _save(image, "JPEG", quality=95, subsampling=0)
    yield "PNG", _save(image, "PNG")


def _save(image: PIL.Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def _decodes(encoded: bytes, kind: str, image: PIL.Image.Image) -> bool:
    """Whether the decoder of training and serving reads the same size and colors."""
    try:
        decoded = decode_image(encoded, 3).numpy()
    except tf.errors.InvalidArgumentError:
        return False
    if decoded.shape != (image.height, image.width, 3):
        return False
    step = min(image.size) // 128 | 1  # of a large image, a grid: centers of odd squares
    width, height = image.width // step, image.height // step
    box = (0, 0, width * step, height * step)
    grid = image.resize((width, height), PIL.Image.Resampling.NEAREST, box).convert("RGB")
    same = decoded[step // 2 :: step, step // 2 :: step][:height, :width].astype(np.int16)
    return np.abs(same - grid).mean() <= (_JPEG_TOLERANCE if kind == "JPEG" else 0)
