import numpy as np
import PIL.Image
import pytest

import tf_scl
from tests.conftest import encode
from tf_scl.data.sources.open_source import open_source
from tf_scl.report.views_grid import draw_views


def _picture(folder, count=4, **changes):
    config = tf_scl.preset("laptop").replace(changes)
    return np.asarray(draw_views(open_source(folder), config, count))


def test_tiles_are_the_images_and_their_views(tmp_path):
    """Four plain colors, and a policy that changes nothing: every tile is known."""
    colors = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (90, 90, 90)]
    for number, color in enumerate(colors):
        path = tmp_path / "images" / f"{number}.png"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(encode(PIL.Image.new("RGB", (20, 20), color)))
    still = {"jitter": 0.0, "grayscale": 0.0}
    picture = _picture(tmp_path / "images", augment=still)
    for color in colors:
        # Three tiles of 128 x 128 pixels.
        assert (picture == color).all(axis=2).sum() == 3 * 128 * 128


def test_views_differ_and_depend_on_the_seed(image_folder):
    one = _picture(image_folder)
    np.testing.assert_array_equal(one, _picture(image_folder))
    assert (one != _picture(image_folder, train={"seed": 1})).any()


def test_gray_images_are_drawn(image_folder):
    picture = _picture(image_folder, model={"channels": 1})
    assert picture.shape[2] == 3


def test_a_source_without_a_usable_image_is_named(tmp_path):
    for number in range(4):
        (tmp_path / f"{number}.png").write_bytes(b"no image")
    with pytest.raises(tf_scl.InputError, match="holds no image that can be used"):
        _picture(tmp_path)
