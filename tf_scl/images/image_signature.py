"""Whether something looks like an image, from its first bytes or its name, without a decoder."""

import os

import numpy as np

from tf_scl.typing import Array

SUFFIXES = (
    *(".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".gif", ".bmp", ".dib", ".webp"),
    *(".tif", ".tiff", ".ppm", ".pgm", ".pbm", ".pnm"),
)
_SIGNATURES = (
    b"\x89PNG\r\n\x1a\n",
    b"\xff\xd8\xff",
    b"GIF87a",
    b"GIF89a",
    b"BM",
    *(b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
    *(b"P%d" % number for number in range(1, 7)),
)


def is_image(data: bytes | Array) -> bool:
    """Whether the first bytes are those of a format that `check_image` takes.

    Args:
        data: bytes, or pixels, which are an image.
    """
    if isinstance(data, np.ndarray):
        return True
    webp = data[:4] == b"RIFF" and data[8:12] == b"WEBP"
    return webp or data.startswith(_SIGNATURES)


def is_image_file(path: str | bytes) -> bool:
    """Whether a file is called as images are, or else begins as they do.

    Args:
        path: bytes or str, local.
    """
    if os.fsdecode(os.path.splitext(path)[1]).lower() in SUFFIXES:
        return True
    try:
        if not os.path.isfile(path):  # a pipe would never end
            return False
        with open(path, "rb") as file:
            return is_image(file.read(16))
    except OSError:
        return False
