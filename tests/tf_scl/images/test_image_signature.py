import os

import numpy as np
import pytest

from tests.conftest import encode, photo
from tf_scl.images.check_image import FORMATS
from tf_scl.images.image_signature import is_image, is_image_file


@pytest.mark.parametrize("format", FORMATS)
def test_every_format_that_is_ingested_is_known(tmp_path, format):
    data = encode(photo(0), format)
    assert is_image(data)
    (tmp_path / "without_suffix").write_bytes(data)
    assert is_image_file(tmp_path / "without_suffix")
    suffix = {"JPEG": "JPG", "TIFF": "tif"}.get(format, format.lower())
    (tmp_path / f"a.{suffix}").write_bytes(b"")
    assert is_image_file(os.fsencode(tmp_path / f"a.{suffix}"))


def test_pixels_are_an_image():
    assert is_image(np.zeros((2, 2), np.uint8))


def test_other_files_are_none(tmp_path):
    wave = b"RIFF\0\0\0\0WAVE"
    for number, data in enumerate([b"", b"file,label\n", b"%PDF-1.7", b"PK\x03\x04", wave]):
        assert not is_image(data)
        path = tmp_path / f"{number}.csv"
        path.write_bytes(data)
        assert not is_image_file(path)
    os.mkfifo(tmp_path / "pipe")
    assert not is_image_file(tmp_path / "pipe")
    assert not is_image_file(tmp_path / "nowhere")
