"""What tensorflow-addons computes, stored for tests that cannot import it beside Keras 3.

tensorflow-addons is at its end of life and wants Keras 2. With uv and Python
3.10, from the repository's root:

    uv venv --python 3.10 /tmp/addons
    uv pip install --python /tmp/addons/bin/python \\
        'tensorflow==2.15.*' tensorflow-addons==0.23.0 'numpy<2'
    /tmp/addons/bin/python tests/tf_scl/augmentation/make_addons_vectors.py

This writes `addons_vectors.npz` beside this file:

| array                | meaning                                                            |
|----------------------|--------------------------------------------------------------------|
| `versions`           | strings, package and version                                       |
| `blur_images`        | float32 [2, 16, 14, 3], 0..255                                     |
| `blur_sigmas`        | float64 [3]                                                        |
| `blur_sides`         | int64 [3], of the square filters in pixels: 2 * ceil(6 sigma) + 1  |
| `blur_constant`      | float32 [3, 2, 16, 14, 3], blurred with zeros outside the image    |
| `blur_constant_ones` | float32 [3, 1, 16, 14, 1], an image of ones, blurred likewise      |
| `blur_reflect`       | float32 [3, 2, 16, 14, 3], blurred with the image mirrored outside |
| `yiq_images`         | float32 [2, 6, 5, 3], 0.3..0.55: no result leaves 0..1             |
| `yiq_factors`        | float64 [N, 3]: delta_hue (radians), scale_saturation, scale_value |
| `yiq_adjusted`       | float32 [N, 2, 6, 5, 3]                                            |
"""

import importlib.metadata
import math
import os
import pathlib

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow_addons as tfa

_SIGMAS = (0.5, 1.0, 2.0)
_FACTORS = [
    (0.0, 0.5, 1.0),
    (0.0, 1.5, 1.0),
    (0.0, 1.0, 0.6),
    (0.0, 1.0, 1.3),
    (0.3, 1.0, 1.0),
    (-0.6, 1.0, 1.0),
    (0.3, 0.5, 1.3),
    (-0.6, 1.5, 0.6),
]


def main():
    rng = np.random.default_rng(0)
    arrays = {"versions": _versions("tensorflow-addons", "tensorflow", "numpy")}
    arrays.update(_blur(rng.uniform(0, 255, (2, 16, 14, 3)).astype(np.float32)))
    arrays.update(_yiq(rng.uniform(0.3, 0.55, (2, 6, 5, 3)).astype(np.float32)))
    np.savez_compressed(pathlib.Path(__file__).parent / "addons_vectors.npz", **arrays)


def _versions(*packages):
    return np.array([f"{name} {importlib.metadata.version(name)}" for name in packages])


def _blur(images):
    ones = np.ones((1, *images.shape[1:3], 1), np.float32)
    sides = [2 * math.ceil(6 * sigma) + 1 for sigma in _SIGMAS]

    def blur(images, padding):
        pairs = zip(_SIGMAS, sides, strict=True)
        return np.stack(
            [tfa.image.gaussian_filter2d(images, side, sigma, padding) for sigma, side in pairs]
        )

    return {
        "blur_images": images,
        "blur_sigmas": np.array(_SIGMAS),
        "blur_sides": np.array(sides),
        "blur_constant": blur(images, "CONSTANT"),
        "blur_constant_ones": blur(ones, "CONSTANT"),
        "blur_reflect": blur(images, "REFLECT"),
    }


def _yiq(images):
    adjusted = np.stack([tfa.image.adjust_hsv_in_yiq(images, *factors) for factors in _FACTORS])
    assert 0 < adjusted.min() and adjusted.max() < 1
    return {"yiq_images": images, "yiq_factors": np.array(_FACTORS), "yiq_adjusted": adjusted}


if __name__ == "__main__":
    main()
