"""The bundled data: scikit-learn's handwritten digits, as a folder of PNG files."""

import os
import pathlib
import shutil
import tempfile

import numpy as np
import PIL.Image


def write_digits(folder):
    """Writes the 1,797 8 x 8 grey images as FOLDER/<digit>/<number>.png.

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
    aside = pathlib.Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        pixels = np.round(digits.images * (255 / 16)).astype(np.uint8)
        for number, (image, label) in enumerate(zip(pixels, digits.target, strict=True)):
            path = aside / str(label) / f"{number:04d}.png"
            path.parent.mkdir(exist_ok=True)
            PIL.Image.fromarray(image).save(path)
        aside.chmod(0o755)
        os.rename(aside, folder)
    except BaseException:
        shutil.rmtree(aside, ignore_errors=True)
        raise
    return folder
