"""A folder of images, good ones and every kind of bad one; the same seed gives the same bytes."""

import os
import struct
import zlib
from functools import cache, partial

import numpy as np
import PIL.Image

from tests.conftest import encode, photo

FORMATS = ("PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF", "PPM")
_CLASSES = 4


def write_damaged_images(folder, count, seed):
    """Writes files of all `KINDS` in turn into a few class folders.

    Besides, and not counted, an empty folder and a link to the folder above
    it, both named like images.

    Args:
        folder: Path of a folder that does not exist.
        count: Int, number of files.
        seed: Int.

    Returns:
        Dict from path below the folder (bytes) to kind, of `count` entries:
        all that a listing finds which follows links, but not in a circle.
    """
    rng, root = np.random.default_rng(seed), os.fsencode(folder)
    for number in range(_CLASSES):
        os.makedirs(os.path.join(root, b"class%d" % number))
    os.mkdir(os.path.join(root, b"class0", b"empty.png"))
    os.symlink(b"..", os.path.join(root, b"class0", b"above.png"))
    kinds, good, names = {}, [], list(KINDS)
    for number in range(count):
        kind, turn = names[number % len(names)], number // len(names)
        data = KINDS[kind](rng, turn)
        if kind in GOOD:
            data = good[rng.integers(len(good))] if kind == _DUPLICATE else data
            good.append(data)
        stem = b"class%d/%05d" % (number % _CLASSES, number)
        path = _PLACES.get(kind, _write)(root, stem, _NAMES.get(kind, b".png"), data)
        kinds[path] = kind
    return kinds


# Contents: functions of a random generator and of the number of times that the kind was written.


def _image(rng):
    height, width = rng.integers(5, 41, 2)
    return PIL.Image.fromarray(photo(int(rng.integers(2**31)), int(height), int(width)))


def _encoded(format, rng, turn, **options):
    return encode(_image(rng), format, **options)


def _animated(format, rng, turn):
    first, *others = (_image(rng).resize((20, 10)) for _ in range(3))
    return encode(first, format, save_all=True, append_images=others)


def _turned(format, rng, turn):
    exif = PIL.Image.Exif()
    exif[PIL.ExifTags.Base.Orientation] = 1 + turn % 8
    return encode(_image(rng), format, exif=exif)


def _sixteen_bit(rng, turn):
    return encode(PIL.Image.fromarray(rng.integers(0, 2**16, (9, 7)).astype(np.uint16)))


def _palette(rng, turn):
    return encode(_image(rng).quantize(16), transparency=turn % 16)


def _broken_exif(rng, turn):
    start = (b"", b"II*\0\x08\0\0\0", b"MM\0*\0\0\0\x08\0\xff")[turn % 3]
    return encode(_image(rng), "JPEG", exif=b"Exif\0\0" + start + rng.bytes(60))


def _cut(format, rng, turn):
    data = _encoded(format, rng, turn)
    return data[: len(data) * (turn % 10) // 10]


def _flipped(format, rng, turn):
    data = bytearray(_encoded(format, rng, turn))
    for _ in range(1 + turn % 8):
        data[rng.integers(len(data))] ^= 1 << rng.integers(8)
    return bytes(data)


def _overwritten(format, rng, turn):
    """A block somewhere is noise; every other time, zeros."""
    data = _encoded(format, rng, turn)
    start, length = rng.integers(len(data)), rng.integers(1, 65)
    block = (bytes(length) if turn % 2 else rng.bytes(length))[: len(data) - start]
    return data[:start] + block + data[start + len(block) :]


def _block_lost(format, rng, turn):
    data = _encoded(format, rng, turn)
    start, end = sorted(rng.integers(len(data), size=2))
    return data[:start] + data[end:]


def _block_repeated(format, rng, turn):
    data = _encoded(format, rng, turn)
    start, end = sorted(rng.integers(len(data), size=2))
    return data[:end] + data[start:]


def _png_chunk(kind, data):
    body = kind + data
    return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))


def _chunks(copies, rng, turn):
    """A PNG, one chunk of which is there `copies` times."""
    data = encode(_image(rng).quantize(8), dpi=(72, 72), exif=b"II*\0\x08\0\0\0\0\0")
    ends = [8]
    while ends[-1] < len(data):
        ends.append(ends[-1] + 12 + int.from_bytes(data[ends[-1] : ends[-1] + 4], "big"))
    return _copies_of_one(data, ends, turn, copies)


def _segments(copies, rng, turn):
    """A JPEG, one segment of whose header is there `copies` times."""
    data = _encoded("JPEG", rng, turn, comment=b"comment", progressive=turn % 2 == 1)
    ends = [2]
    while data[ends[-1] + 1] != 0xDA:
        ends.append(ends[-1] + 2 + int.from_bytes(data[ends[-1] + 2 : ends[-1] + 4], "big"))
    return _copies_of_one(data, ends, turn, copies)


def _copies_of_one(data, ends, turn, copies):
    one = turn % (len(ends) - 1)
    start, end = ends[one : one + 2]
    return data[:start] + data[start:end] * copies + data[end:]


@cache
def _zeros_compressed():
    return zlib.compress(bytes(10**8), 9)


def _bomb(chunk, rng, turn):
    """A PNG with a text or a profile of 100 MB in 100 kB."""
    data = _encoded("PNG", rng, turn)
    return data[:33] + _png_chunk(chunk, b"name\0\0" + _zeros_compressed()) + data[33:]


def _huge(format, rng, turn):
    """A header that promises 60,000 x 60,000 pixels, or 2^31 - 1 where there is room for that."""
    side = (60_000, 2**31 - 1)[turn % 2]
    data = bytearray(_encoded(format, rng, turn, **({"exif": b"0"} if format == "WEBP" else {})))
    if format == "PNG":
        header = struct.pack(">II", side, side) + data[24:29]
        data[8:33] = _png_chunk(b"IHDR", header)
    elif format == "JPEG":
        struct.pack_into(">HH", data, data.index(b"\xff\xc0") + 5, 60_000, 60_000)
    elif format == "GIF":
        struct.pack_into("<HH", data, 6, 60_000, 60_000)
    elif format == "BMP":
        struct.pack_into("<ii", data, 18, side, side)
    elif format == "WEBP":
        data[24:30] = struct.pack("<I", 60_000)[:3] * 2
    elif format == "TIFF":
        for tag in (256, 257):
            at = data.index(struct.pack("<HHI", tag, 4, 1))
            struct.pack_into("<I", data, at + 8, side)
    else:
        data[:] = b"P6 %d %d 255\n" % (side, side) + data
    return bytes(data)


def _text(text, rng, turn):
    return text * (1 + turn % 5)


# Places: functions of the folder, stem and end of a name, and contents; they return the path.


def _write(root, stem, end, data):
    with open(os.path.join(root, stem + end), "wb") as file:
        file.write(data)
    return stem + end


def _in_a_folder(root, stem, end, data):
    os.mkdir(os.path.join(root, stem + end))
    return _write(root, stem + end + b"/inside", end, data)


def _without_permission(root, stem, end, data):
    os.chmod(os.path.join(root, _write(root, stem, end, data)), 0)  # root reads it all the same
    return stem + end


def _link(root, stem, end, data):
    hidden = _write(root, os.path.dirname(stem) + b"/." + os.path.basename(stem), end, data)
    os.symlink(os.path.basename(hidden), os.path.join(root, stem + end))
    return stem + end


def _broken_link(root, stem, end, data):
    os.symlink(b"nowhere", os.path.join(root, stem + end))
    return stem + end


def _link_loop(root, stem, end, data):
    os.symlink(os.path.basename(stem + end), os.path.join(root, stem + end))
    return stem + end


def _fifo(root, stem, end, data):
    os.mkfifo(os.path.join(root, stem + end))
    return stem + end


_DUPLICATE = "exact duplicate"
_png = partial(_encoded, "PNG")

_NAMES = {
    "name with the suffix of another format": b".jpg",
    "name without a suffix": b"",
    "name that is not UTF-8": b"-caf\xe9.png",
    "name in Unicode": "-名前🙂.png".encode(),
    "name with a newline": b"-two\nlines.png",
    "name with quotes": b"""-it's "$HOME" `id` \\.png""",
    "name with a pattern": b"-[0-9]*?{a,b}%s.png",
    "name that is very long": b"-" + b"n" * 240 + b".png",
}
_PLACES = {
    "in a folder named like an image": _in_a_folder,
    "link to an image": _link,
    "without permission": _without_permission,
    "broken link": _broken_link,
    "link loop": _link_loop,
    "fifo": _fifo,
}

# These are kept, with the pixels that PIL sees.
_GOOD = {
    **{f"good {format}": partial(_encoded, format) for format in FORMATS},
    **{f"turned {format}": partial(_turned, format) for format in ("JPEG", "PNG", "WEBP", "TIFF")},
    **{f"animated {format}": partial(_animated, format) for format in ("GIF", "PNG", "WEBP")},
    "TIFF of several pages": partial(_animated, "TIFF"),
    "gray JPEG": partial(_encoded, "JPEG", mode="L"),
    "CMYK JPEG": partial(_encoded, "JPEG", mode="CMYK"),
    "RGB JPEG": partial(_encoded, "JPEG", keep_rgb=True),
    "progressive JPEG": partial(_encoded, "JPEG", progressive=True),
    "JPEG with broken EXIF": _broken_exif,
    "JPEG with more behind it": lambda rng, turn: _encoded("JPEG", rng, turn) + rng.bytes(99),
    "gray PNG": partial(_png, mode="L"),
    "gray PNG with alpha": partial(_png, mode="LA"),
    "RGBA PNG": partial(_png, mode="RGBA"),
    "palette PNG": _palette,
    "1-bit PNG": partial(_png, mode="1"),
    "16-bit PNG": _sixteen_bit,
    "lossless WEBP": partial(_encoded, "WEBP", lossless=True),
    "compressed TIFF": partial(_encoded, "TIFF", compression="tiff_lzw"),
    **dict.fromkeys(_NAMES, _png),
    **dict.fromkeys(("in a folder named like an image", "link to an image", _DUPLICATE), _png),
}
# These are rejected.
_BAD = {
    **{f"huge header of {format}": partial(_huge, format) for format in FORMATS},
    "no bytes": partial(_text, b""),
    "zeros": partial(_text, bytes(500)),
    "noise": lambda rng, turn: b"?" + rng.bytes(500),
    "text": partial(_text, b"Not an image, but a text.\n"),
    "SVG": partial(_text, b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>\n'),
    "HTML": partial(_text, b"<!DOCTYPE html><html><body>404 Not Found</body></html>\n"),
    "PDF": partial(_text, b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\n"),
    "EPS": partial(_text, b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EOF\n"),
    "JPEG2000": partial(_encoded, "JPEG2000"),
    "ICO": partial(_encoded, "ICO"),
    "PNG with a text bomb": partial(_bomb, b"zTXt"),
    "PNG with a profile bomb": partial(_bomb, b"iCCP"),
    **dict.fromkeys(("broken link", "link loop", "fifo"), _png),
}
# These may be either: not all damage can be seen.
_DAMAGED = {
    **{f"cut {format}": partial(_cut, format) for format in FORMATS},
    **{f"flipped bits of {format}": partial(_flipped, format) for format in FORMATS},
    **{f"overwritten {format}": partial(_overwritten, format) for format in FORMATS},
    **{f"block of {format} lost": partial(_block_lost, format) for format in FORMATS},
    **{f"block of {format} repeated": partial(_block_repeated, format) for format in FORMATS},
    "chunk of PNG lost": partial(_chunks, 0),
    "chunk of PNG repeated": partial(_chunks, 2),
    "segment of JPEG lost": partial(_segments, 0),
    "segment of JPEG repeated": partial(_segments, 2),
    "without permission": _png,
}
KINDS = {**_GOOD, **_BAD, **_DAMAGED}
GOOD, BAD = frozenset(_GOOD), frozenset(_BAD)
