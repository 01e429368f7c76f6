"""The bundled data: scikit-learn's handwritten digits, as a folder of PNG files."""

import pathlib

import numpy as np
import PIL.Image

from tf_scl.files import atomic_write
from tf_scl.typing import PathLike


def write_digits(folder: PathLike) -> pathlib.Path:
    """Writes the 1,797 8 x 8 gray images as FOLDER/<digit>/<number>.png.

    The folder appears complete or not at all; one that exists is left alone.

    Args:
        folder: Path.

    Returns:
        The folder, as `pathlib.Path`.
    """
    from sklearn.datasets import load_digits

    folder = pathlib.Path(folder)
    if folder.exists():
        return folder
    digits = load_digits()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(folder) as partial:
        pixels = np.round(digits.images * (255 / 16)).astype(np.uint8)
        for number, (image, label) in enumerate(zip(pixels, digits.target, strict=True)):
            path = pathlib.Path(partial, str(label), f"{number:04d}.png")
            path.parent.mkdir(parents=True, exist_ok=True)
            PIL.Image.fromarray(image).save(path)
    return folder
