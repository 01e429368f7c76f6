import keras
import numpy as np
import pytest

import tf_scl
from tests.conftest import encode
from tf_scl.data.sources.open_source import open_source
from tf_scl.drift.compare import compare, describe
from tf_scl.errors import InputError


def _image(number, level=128):
    """Even colors of one brightness, so that a mean of the pixels tells all."""
    rng = np.random.default_rng(number)
    return np.clip(rng.normal(level + rng.normal(0, 20), 5, (8, 8, 3)), 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("drift") / "model"
    layers = [keras.Input((8, 8, 3)), keras.layers.AveragePooling2D(4), keras.layers.Flatten()]
    images = np.stack([_image(number) for number in range(100)])
    tf_scl.export_saved_model(keras.Sequential(layers), path, reference=images)
    return path


def _folder(path, numbers, level=128):
    path.mkdir()
    for number in numbers:
        (path / f"{number:03d}.png").write_bytes(encode(_image(number, level)))
    return open_source(str(path))


def test_the_same_kind_and_another_one(model, tmp_path):
    same = compare(_folder(tmp_path / "same", range(200, 260)), model)
    assert not same.drift.drifted and same.listed == 60
    dark = compare(_folder(tmp_path / "dark", range(200, 260), level=40), model)
    assert dark.drift.drifted and dark.drift.outside > 0.5
    assert "drift      yes, they are of another kind" in describe(dark)
    assert "drift      none is shown\n" in describe(same)


def test_the_strangest_image_is_named_and_bad_files_are_counted(model, tmp_path):
    source = _folder(tmp_path / "photos", range(200, 240))
    (tmp_path / "photos" / "217.png").write_bytes(encode(np.full((8, 8, 3), 255, np.uint8)))
    (tmp_path / "photos" / "000.png").write_bytes(b"no image")
    found = compare(source, model)
    assert found.strangest[0] == "217.png" and found.places[0] == 18
    assert found.rejected == {"not an image": 1}
    text = describe(found)
    assert text.startswith("images     41 found, 40 looked at, 1 rejected (1 not an image)\n")
    assert "strangest  " in text and text.count("x the usual distance") == 10


def test_of_many_images_some_are_drawn(model, tmp_path):
    source = _folder(tmp_path / "photos", range(200, 260))
    found = compare(source, model, most=30)
    assert found.drift.images == 30 and found.listed == 60
    assert describe(found).startswith("images     60 found, 30 looked at (drawn at random)\n")
    assert found == compare(source, model, most=30)
    assert found.strangest != compare(source, model, most=30, seed=1).strangest


def test_copies_are_counted_once(model, tmp_path):
    """Such as those of a camera that stands still."""
    source = _folder(tmp_path / "photos", range(200, 240))
    for number in range(60):
        (tmp_path / "photos" / f"copy{number}.png").write_bytes(encode(_image(200)))
    found = compare(source, model)
    assert (found.drift.images, found.drift.copies) == (100, 60)
    assert "100 looked at, 60 are copies of others and not counted again" in describe(found)


def test_too_few_images(model, tmp_path):
    source = _folder(tmp_path / "photos", range(25))
    for number in range(10):
        (tmp_path / "photos" / f"{number:03d}.png").write_bytes(b"no image")
    with pytest.raises(InputError, match="of the 25 images of '.*' 15 could be embedded"):
        compare(source, model)


def test_a_model_without_a_reference(tmp_path):
    layers = [keras.Input((8, 8, 3)), keras.layers.Flatten()]
    tf_scl.export_saved_model(keras.Sequential(layers), tmp_path / "model")
    with pytest.raises(InputError, match="keeps no embeddings to compare with"):
        compare(_folder(tmp_path / "photos", range(30)), tmp_path / "model")
