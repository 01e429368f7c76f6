"""A thousand requests, most of them bad: each gets an error or a right answer, the server lives."""

import collections
import ctypes
import functools
import gc
import io
import re

import keras
import numpy as np
import PIL.Image
import pytest
import tensorflow as tf

import tf_scl
from tests.conftest import encode, photo
from tests.damaged_images import KINDS
from tests.model_server import LoadedModel, RefusedError, embedding, predict_request
from tf_scl.images.decode import decode_batch, fit_to_square

pytest.importorskip("tensorflow_serving", reason="tensorflow-serving-api is not installed")

_SEED, _REQUESTS, _SIZE, _MANY = 0, 1000, 16, 10_000
_REMAINS = 64  # MiB that may stay with the allocator after all of them
_PICTURES = ("good PNG", "good JPEG", "gray PNG", "gray JPEG", "progressive JPEG", "RGBA PNG")
_PICTURES += ("palette PNG", "16-bit PNG")  # those that PIL reads to the same pixels
_PLACES = ("name ", "in a folder", "link", "broken link", "fifo", "exact", "without permission")
_CONTENTS = [kind for kind in KINDS if not kind.startswith(_PLACES)]
_ANSWER, _ERROR, _EITHER = "answered", "refused", "either"

# A case: (signature, array, what is expected, pixels float32 [N, S, S, 3] of a right answer or
# None where the decoder of training says, pattern of what an error says).


def _bytes_of(kind, rng, turn):
    """A few good images, and one of a kind among them."""
    position, data = int(rng.integers(4)), KINDS[kind](rng, turn)
    encoded = [encode(photo(number, 20, 16)) for number in range(4)]
    encoded[position] = data
    if kind in _PICTURES:
        pixels = np.concatenate([_by_pil(one) for one in encoded])
        return "serving_default", _strings(encoded), _ANSWER, pixels, ""
    bad = kind.startswith("huge header") or kind in ("no bytes", "zeros", "noise", "text", "SVG")
    bad |= any(word in kind for word in ("GIF", "BMP", "WEBP", "TIFF", "PPM", "HTML", "PDF", "EPS"))
    expected = _ERROR if bad and "cut" not in kind and "block" not in kind else _EITHER
    return "serving_default", _strings(encoded), expected, None, rf"image_bytes\[{position}\] is "


@functools.cache
def _hundred_megapixels(format):
    return encode(PIL.Image.new("L", (10_000, 10_000)), format)


def _bomb(rng, turn):
    encoded = [encode(photo(0)), _hundred_megapixels(("PNG", "JPEG")[turn % 2])]
    text = r"image_bytes\[1\] is 10000 x 10000 pixels"
    return "serving_default", _strings(encoded), _ERROR, None, text


def _empty(rng, turn):
    array = [_strings([]), np.zeros((0, 5, 9, 3), np.float32), np.zeros((0, 16, 16, 3), np.uint8)]
    return _NAMES[turn % 3], array[turn % 3], _ANSWER, np.zeros((0, 16, 16, 3), np.float32), ""


def _pixels(rng, turn):
    sides = (_SIZE, _SIZE) if turn % 2 else rng.integers(1, 60, 2)
    images = rng.integers(0, 256, (int(rng.integers(1, 9)), *sides, 3)).astype(np.uint8)
    if turn % 4 < 2:
        return "encode_uint8", images, _ANSWER, _fitted(images), ""
    fitted = fit_to_square(images, _SIZE).numpy()
    return "encode_images", images.astype(np.float32), _ANSWER, fitted, ""


def _no_number(rng, turn):
    images = np.zeros((5, 16, 20, 3), np.float32)
    index = int(rng.integers(5))
    where = tuple(rng.integers(images.shape[1:]))
    images[(index, *where)] = (np.nan, np.inf, -np.inf, 1e38, 65_535)[turn % 5]
    return "encode_images", images, _ERROR, None, rf"images\[{index}\] holds"


def _wrong_rank(rng, turn):
    name, rank = _NAMES[turn % 3], (0, 1, 2, 3, 5, 6)[turn // 3 % 6]
    dtype = (object, np.float32, np.uint8)[turn % 3]
    if dtype is not object:
        return name, np.zeros((3,) * rank, dtype), _ERROR, None, ""
    array = np.full((2,) * (rank if rank != 1 else 2), encode(photo(0)), object)
    return name, array, _ERROR, None, ""


def _wrong_dtype(rng, turn):
    dtype = (np.float64, np.int32, np.float16, bool, np.complex64, np.int64)[turn // 3 % 6]
    return _NAMES[turn % 3], np.zeros((2, 16, 16, 3), dtype), _ERROR, None, ""


def _wrong_channels(rng, turn):
    channels, dtype = (0, 1, 2, 4)[turn // 2 % 4], (np.float32, np.uint8)[turn % 2]
    images = np.zeros((2, 16, 16, channels), dtype)
    return _NAMES[1 + turn % 2], images, _ERROR, None, ""


def _no_pixels(rng, turn):
    sides = ((0, 16), (16, 0), (0, 0))[turn // 2 % 3]
    images = np.zeros((2, *sides, 3), (np.float32, np.uint8)[turn % 2])
    return _NAMES[1 + turn % 2], images, _ERROR, None, "hold nothing"


def _many(rng, turn):
    images = np.stack([photo(number, 16, 16) for number in range(50)] * (_MANY // 50))
    if turn % 3 == 0:
        encoded = [encode(image) for image in images[:50]] * (_MANY // 50)
        return "serving_default", _strings(encoded), _ANSWER, images.astype(np.float32), ""
    dtype = (None, np.float32, np.uint8)[turn % 3]
    return _NAMES[turn % 3], images.astype(dtype), _ANSWER, images.astype(np.float32), ""


def _many_and_the_last_is_bad(rng, turn):
    name, images, _, _, _ = _many(rng, turn % 2)
    if name == "serving_default":
        images[-1] = images[-1][:40]
        return name, images, _ERROR, None, rf"image_bytes\[{_MANY - 1}\] is damaged"
    images[-1, 3, 3, 0] = np.nan
    return name, images, _ERROR, None, rf"images\[{_MANY - 1}\] holds"


_NAMES = ("serving_default", "encode_images", "encode_uint8")
_RARE = {"10,000 images": _many, "10,000 images, the last bad": _many_and_the_last_is_bad}
_OTHERS = {
    "100 megapixels in one color": _bomb,
    "empty batch": _empty,
    "pixels": _pixels,
    "NaN, infinity, 1e38": _no_number,
    "wrong rank": _wrong_rank,
    "wrong dtype": _wrong_dtype,
    "wrong channels": _wrong_channels,
    "no pixels": _no_pixels,
}


def _strings(encoded):
    return np.array([*encoded, None], object)[:-1]  # the None keeps numpy from making them alike


def _by_pil(data):
    """Float32 [1, S, S, 3] of what PIL reads."""
    image = PIL.Image.open(io.BytesIO(data))
    if image.mode == "I;16":
        image = PIL.Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    return _fitted(np.asarray(image.convert("RGB"))[None])


def _fitted(images):
    return np.round(fit_to_square(images, _SIZE).numpy())


def _cases():
    """_REQUESTS of (name of the kind, case): encoded images and others by turns."""
    rng = np.random.default_rng(_SEED)
    for turn, (name, make) in enumerate(list(_RARE.items()) * 3):
        yield name, make(rng, turn // 2)
    others = list(_OTHERS.items())
    for number in range(_REQUESTS - 3 * len(_RARE)):
        turn = number // 2
        if number % 2:
            name, make = others[turn % len(others)]
            yield name, make(rng, turn // len(others))
        else:
            kind = _CONTENTS[turn % len(_CONTENTS)]
            yield f"bytes: {kind}", _bytes_of(kind, rng, turn // len(_CONTENTS))


def _outcome(server, network, case):
    """ "answered" or "refused", and what is wrong with that or None."""
    signature, array, expected, pixels, text = case
    name = "image_bytes" if signature == "serving_default" else "images"
    try:
        answer = embedding(server.predict(predict_request(signature, **{name: array})))
    except RefusedError as error:
        if error.code != "INVALID_ARGUMENT":
            return _ERROR, f"code {error.code}: {error}"
        if expected == _ANSWER or not re.search(text, str(error)):
            return _ERROR, str(error)[-300:]
        return _ERROR, None
    if expected == _ERROR:
        return _ANSWER, "it should have been refused"
    if answer.dtype != np.float32 or answer.shape != (len(array), network.output_shape[-1]):
        return _ANSWER, f"{answer.dtype} {answer.shape}"
    if not np.isfinite(answer).all():
        return _ANSWER, "not finite"
    pixels = decode_batch(array, _SIZE, 3).numpy() if pixels is None else pixels
    if len(pixels):
        right = network.predict_on_batch(pixels[:50])  # of more, these are repeated
        right = np.tile(right, (len(answer) // len(right), 1))
        if np.abs(answer - right).max() > 1e-3:
            return _ANSWER, f"off by {np.abs(answer - right).max()}"
    return _ANSWER, None


def _resident():
    """MiB that the process holds, after what is free was given back."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    with open("/proc/self/status") as status:
        fields = dict(line.split(":", 1) for line in status)
    return int(fields["VmRSS"].split()[0]) / 1024, int(fields["VmHWM"].split()[0]) / 1024


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    keras.utils.set_random_seed(0)
    encoder = tf_scl.resnet(10, (_SIZE, _SIZE, 3), width=4)
    encoder(np.stack([photo(number, _SIZE, _SIZE) for number in range(32)]), training=True)
    path = tmp_path_factory.mktemp("fuzz") / "1"
    tf_scl.export_saved_model(encoder, path)
    server = LoadedModel(str(path))
    yield server, encoder
    server.stop()


@pytest.mark.slow
def test_every_request_gets_an_error_or_a_right_answer(served):
    server, network = served
    for make in (*_RARE.values(), *_OTHERS.values()):  # the first of a kind allocates for good
        for turn in range(6):
            _outcome(server, network, make(np.random.default_rng(1), turn))
    before, _ = _resident()
    table, wrong = collections.Counter(), []
    for kind, case in _cases():
        outcome, fault = _outcome(server, network, case)
        table[kind, case[0], outcome] += 1
        if fault:
            wrong.append(f"{kind}, {case[0]}: {outcome}, {fault}")
    after, peak = _resident()
    _print_table(table)
    print(f"{table.total()} requests, seed {_SEED}; tensorflow {tf.__version__}")
    print(f"memory {before:.0f} MiB before, {after:.0f} after, {peak:.0f} at most")
    assert not wrong, "\n".join(wrong[:20])
    assert table.total() == _REQUESTS
    assert after < before + _REMAINS


def _print_table(table):
    print(
        f"\n| {'kind of request':42} | {'signature':15} | answered | refused |\n|---|---|---|---|"
    )
    for kind, signature in sorted({key[:2] for key in table}):
        counts = [table[kind, signature, outcome] for outcome in (_ANSWER, _ERROR)]
        print(f"| {kind:42} | {signature:15} | {counts[0]:8} | {counts[1]:7} |")
