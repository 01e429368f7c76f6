import keras
import numpy as np
import pytest

import tf_scl
from tests.conftest import encode
from tf_scl.data.sources.open_source import open_source
from tf_scl.errors import InputError
from tf_scl.labels.labels_file import read_labels_file
from tf_scl.suggestion.suggest import describe, labels_table, suggest

_COLORS = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255)}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("suggest") / "model"
    layers = [keras.Input((8, 8, 3)), keras.layers.GlobalAveragePooling2D()]
    tf_scl.export_saved_model(keras.Sequential(layers), path)
    return path


@pytest.fixture
def source(tmp_path):
    """12 red, 8 green and 4 blue images, and a bad one."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / "bad.png").write_bytes(b"no image")
    for (name, color), count in zip(_COLORS.items(), (12, 8, 4), strict=True):
        for number in range(count):
            pixels = np.clip(rng.normal(color, 20, (8, 8, 3)), 0, 255).astype(np.uint8)
            (folder / f"{name}-{number}.png").write_bytes(encode(pixels))
    return open_source(str(folder))


def test_one_of_each_kind_is_suggested(source, model):
    found = suggest(source, model, 3)
    assert [name.partition("-")[0] for name in found.names] == ["red", "green", "blue"]
    assert found.images == 24 and found.rejected == {"not an image": 1} and found.labeled == {}
    assert describe(found) == (
        "3 of 24 images are suggested, each for a cluster; together these hold 100 % of the images"
    )
    assert labels_table(found) == "filename,label\n" + "".join(f"{n},\n" for n in found.names)


def test_labels_so_far_are_taken_into_account(source, model, tmp_path):
    (tmp_path / "labels.csv").write_text(
        "filename,label\nred-1.png,warm\n./blue-2.png,cold\nelsewhere.png,cold\n"
    )
    labels = read_labels_file(tmp_path / "labels.csv")
    found = suggest(source, model, 1, labels)
    assert found.names[0].startswith("green") and found.suggestions[0].doubt is not None
    assert found.labeled == {"cold": 1, "warm": 1}
    assert describe(found) == "1 of 24 images are suggested, beside 2 that have a label"


def test_labels_of_other_images(source, model, tmp_path):
    (tmp_path / "labels.csv").write_text("filename,label\nx.png,a\ny.png,b\n")
    labels = read_labels_file(tmp_path / "labels.csv")
    with pytest.raises(
        InputError, match="no line names an image of .*line 2 names 'x.png'.*blue-0"
    ):
        suggest(source, model, 1, labels)
