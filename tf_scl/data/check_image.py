"""Is a file an image that training can use? If so, in a form that every decoder reads alike."""

import dataclasses
import io
import warnings

import numpy as np
import PIL.Image
import tensorflow as tf

# Reasons for a rejection, as they stand in the summary.
EMPTY = "empty file (0 bytes)"
NOT_AN_IMAGE = "not an image"
TOO_LARGE = "too many pixels"
DAMAGED = "damaged or cut short"
UNSUPPORTED = "unsupported pixel format"
UNREADABLE = "cannot be read"

_AS_THEY_ARE = {("PNG", "L"), ("PNG", "RGB"), ("JPEG", "L"), ("JPEG", "RGB")}


class RejectedImageError(Exception):
    """A file that is set aside; `reason` is one of the constants above."""

    def __init__(self, reason, detail):
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


@dataclasses.dataclass(frozen=True)
class CheckedImage:
    """An image that decodes.

    Attributes:
        encoded: bytes of a PNG or JPEG file, 8 bits, grey or RGB: the file
            itself where it was one, else a lossless PNG of its pixels.
        format: "png" or "jpeg".
        height, width: Pixels.
        channels: 1 or 3.
    """

    encoded: bytes
    format: str
    height: int
    width: int
    channels: int


def check_image(data, max_pixels):
    """Decodes a file completely and brings it into the one form of our records.

    Palettes become RGB; 16-bit grey keeps its upper 8 bits; alpha is dropped
    (as TensorFlow's decoder does, so a served image is seen as it was in
    training); of an animation the first frame is taken.

    Args:
        data: bytes of the file.
        max_pixels: Int. Images with more are rejected from their header,
            before anything is allocated.

    Returns:
        `CheckedImage`.

    Raises:
        RejectedImageError: With the reason.
    """
    if not data:
        raise RejectedImageError(EMPTY, "nothing in it")
    image = _open(data, max_pixels)
    try:
        image.load()
    except MemoryError:
        raise
    except Exception as error:  # PIL's decoders raise a dozen types on damage
        raise RejectedImageError(DAMAGED, f"{image.format}: {error}") from error
    encoded, kind = data, image.format
    if (image.format, image.mode) not in _AS_THEY_ARE or not _decodes(data, image):
        image = _to_grey_or_rgb(image)
        buffer = io.BytesIO()
        image.save(buffer, "PNG")
        encoded, kind = buffer.getvalue(), "PNG"
        if not _decodes(encoded, image):
            raise RejectedImageError(
                UNSUPPORTED, f"TensorFlow does not decode {image.width} x {image.height} pixels"
            )
    return CheckedImage(
        encoded=encoded,
        format=kind.lower(),
        height=image.height,
        width=image.width,
        channels=len(image.getbands()),
    )


def _open(data, max_pixels):
    try:
        with warnings.catch_warnings():
            # PIL's own limit on pixels is ours to set, and an error, not a warning.
            warnings.simplefilter("ignore", PIL.Image.DecompressionBombWarning)
            image = PIL.Image.open(io.BytesIO(data))
    except PIL.Image.DecompressionBombError as error:
        raise RejectedImageError(TOO_LARGE, str(error)) from error
    except PIL.UnidentifiedImageError as error:
        raise RejectedImageError(NOT_AN_IMAGE, f"it starts with {data[:8]!r}") from error
    except Exception as error:
        raise RejectedImageError(DAMAGED, str(error)) from error
    if image.width * image.height > max_pixels:
        raise RejectedImageError(
            TOO_LARGE,
            f"{image.width} x {image.height} is more than ingest.max_pixels = {max_pixels}",
        )
    return image


def _to_grey_or_rgb(image):
    if image.mode in ("L", "RGB"):
        return image
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format == "PNG"):
        return PIL.Image.fromarray((np.asarray(image).astype(np.uint32) >> 8).astype(np.uint8))
    if image.mode in ("1", "LA", "La"):
        return image.convert("L")
    if image.mode in ("P", "PA", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "LAB", "HSV"):
        return image.convert("RGB")
    raise RejectedImageError(UNSUPPORTED, f"{image.format} of mode {image.mode!r}")


def _decodes(encoded, image):
    """Whether the decoder of training and serving reads the same size, in colour too."""
    try:
        decoded = tf.io.decode_image(encoded, 3, expand_animations=False)
    except tf.errors.InvalidArgumentError:
        return False
    return tuple(decoded.shape) == (image.height, image.width, 3)
