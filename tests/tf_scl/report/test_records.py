import base64
import io
import os

import numpy as np
import PIL.Image
import pytest
import tensorflow as tf

from tests.conftest import encode, photo
from tf_scl.data.features import encode_example
from tf_scl.errors import InputError
from tf_scl.images.check_image import check_image
from tf_scl.report.records import read_class_names, read_thumbnails, thumbnail


def write_records(path, classes):
    """A record file of images, one for each (class name or None, label or None)."""
    with tf.io.TFRecordWriter(str(path)) as writer:
        for number, (name, label) in enumerate(classes):
            image = check_image(encode(photo(number)), 10_000)
            text = os.fsencode(name) if name else None
            filename = os.fsencode(f"{name}/{number}.png")
            writer.write(encode_example(image, filename, "0", label, text))
    return [str(path)]


def _pixels(uri):
    data = base64.b64decode(uri.removeprefix("data:image/png;base64,"))
    with PIL.Image.open(io.BytesIO(data)) as image:
        assert image.format == "PNG"
        return np.asarray(image)


def test_names_of_classes_by_their_label(tmp_path):
    one = write_records(tmp_path / "one", [("zebra", 3), (None, None)])
    other = write_records(tmp_path / "other", [("ant", 0), ("bär", 1)])
    assert read_class_names(one + other) == ["ant", "bär", "class 2", "zebra"]
    assert read_class_names(write_records(tmp_path / "none", [(None, None)])) == []


def test_names_need_not_be_text(tmp_path):
    files = write_records(tmp_path / "a", [("caf\udce9", 0)])
    assert read_class_names(files) == ["caf\\xe9"]
    (found,) = read_thumbnails(files, [0]).values()
    assert (found.label, found.name) == ("caf\\xe9", "caf\\xe9/0.png")


def test_thumbnails_are_the_images_asked_for(tmp_path):
    files = write_records(tmp_path / "a", [("cat", 0), (None, None)])
    files += write_records(tmp_path / "b", [("dog", 1)])
    found = read_thumbnails(files, np.array([2, 1, 1]))
    assert sorted(found) == [1, 2]
    np.testing.assert_array_equal(_pixels(found[1].image), photo(1))
    np.testing.assert_array_equal(_pixels(found[2].image), photo(0))
    assert (found[1].label, found[2].label) == (None, "dog")
    assert found[2].name == "dog/0.png"
    assert read_thumbnails(files, []) == {}
    with pytest.raises(InputError, match="record 3 is asked for"):
        read_thumbnails(files, [0, 3])


def test_thumbnails_are_small_and_keep_gray_and_color():
    gray = np.arange(64, dtype=np.uint8).reshape(8, 8)
    np.testing.assert_array_equal(_pixels(thumbnail(gray)), gray)
    np.testing.assert_array_equal(_pixels(thumbnail(gray[..., None])), gray)
    assert _pixels(thumbnail(photo(0, 300, 100))).shape == (72, 24, 3)
    assert _pixels(thumbnail(PIL.Image.new("RGBA", (5, 4)))).shape == (4, 5, 3)
