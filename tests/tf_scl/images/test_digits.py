import numpy as np
import PIL.Image
import pytest
from sklearn.datasets import load_digits

from tf_scl.images.digits import write_digits


def test_files_are_the_digits(tmp_path):
    folder = write_digits(tmp_path / "digits")
    digits = load_digits()
    files = sorted(folder.glob("*/*.png"), key=lambda path: path.name)
    assert len(files) == 1797
    for path, image, label in zip(files, digits.images, digits.target, strict=True):
        assert path.parent.name == str(label)
        pixels = np.asarray(PIL.Image.open(path)).astype(float)
        np.testing.assert_allclose(pixels * 16 / 255, image, atol=0.04)


def test_complete_or_not_at_all(tmp_path, monkeypatch):
    def fail(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(PIL.Image.Image, "save", fail)
    with pytest.raises(KeyboardInterrupt):
        write_digits(tmp_path / "digits")
    assert list(tmp_path.iterdir()) == []


def test_an_existing_folder_is_left_alone(tmp_path):
    (tmp_path / "digits").mkdir()
    write_digits(tmp_path / "digits")
    assert list((tmp_path / "digits").iterdir()) == []
