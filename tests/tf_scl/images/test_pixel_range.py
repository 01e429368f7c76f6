import numpy as np
import pytest
import tensorflow as tf

from tests.conftest import photo
from tf_scl.images.pixel_range import are_scaled_bytes, looks_scaled, why_refused

_PIXELS = np.stack([photo(seed) for seed in range(3)])
_SCALED = {
    "0..1": _PIXELS / 255.0,
    "0..1, float32": (_PIXELS / 255).astype(np.float32),
    "-1..1": _PIXELS / 127.5 - 1,
    "0..1, resized beyond it": 1.1 * _PIXELS / 255.0,
    "the first image black": np.concatenate([0.0 * _PIXELS, _PIXELS / 255]),
}
_RIGHT = {
    "uint8": _PIXELS,
    "float": _PIXELS.astype(np.float32),
    "not whole": _PIXELS + 0.25,
    "black uint8": 0 * _PIXELS,
    "black float": np.zeros((2, 4, 4, 3), np.float32),
    "dark uint8": (_PIXELS > 100).astype(np.uint8),
    "dark float": (_PIXELS > 100).astype(np.float32),
    "one bright image": np.concatenate([_PIXELS[:1] / 255, _PIXELS[1:]]),
    "NaN": np.full((2, 4, 4, 3), np.nan, np.float32),
    "no image": np.zeros((0, 4, 4, 3), np.float32),
}


@pytest.mark.parametrize("name", _SCALED)
def test_scaled_images_are_told(name):
    images = _SCALED[name]
    assert looks_scaled(images) and tf.function(looks_scaled, jit_compile=True)(images)
    reason = why_refused(images)
    assert f"between {images.min():.3g} and {images.max():.3g}" in reason
    assert "0..255" in reason and "by 255" in reason and "127.5" in reason and "\n" not in reason


@pytest.mark.parametrize("name", _RIGHT)
def test_others_are_not_however_dark(name):
    assert not looks_scaled(_RIGHT[name])
    assert why_refused(_RIGHT[name]) is None


@pytest.mark.parametrize("scale,offset", [(255, 0), (127.5, -1)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_bytes_that_were_scaled_are_told_even_of_one_image(scale, offset, dtype):
    images = (_PIXELS[:1] / scale + offset).astype(dtype)
    assert are_scaled_bytes(images)


def test_one_dark_image_is_not_refused_even_if_it_was_resized():
    noise = np.random.default_rng(0).integers(0, 2, (1, 64, 64, 3)).astype(np.float32)
    for antialias in (True, False):
        resized = tf.image.resize(noise, [24, 24], antialias=antialias)
        assert tf.reduce_max(resized) <= 1.0 and not are_scaled_bytes(resized)
    for images in (noise, 0 * noise, _PIXELS.astype(np.float32), np.full((1, 2, 2, 1), np.nan)):
        assert not are_scaled_bytes(tf.constant(images, tf.float32))
