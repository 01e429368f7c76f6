import json
import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf

import tf_scl
from tests.conftest import encode, photo
from tf_scl.embedding.served_model import embed_images, embed_or_refuse, find_model
from tf_scl.errors import InputError


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    keras.utils.set_random_seed(0)
    path = tmp_path_factory.mktemp("embed") / "model"
    layers = [keras.Input((8, 8, 3)), keras.layers.Flatten(), keras.layers.Dense(32)]
    tf_scl.export_saved_model(keras.Sequential(layers), path, max_pixels=5000)
    return path


def test_a_saved_model_is_found_and_used(exported):
    model = find_model(f"{exported}/")
    assert model.path == str(exported)
    assert (model.dimension, model.max_pixels) == (32, 5000)
    pixels = photo(1, 8, 8)
    loaded = model.load()
    direct = loaded.signatures["encode_uint8"](images=tf.constant(pixels[None]))["embedding"]
    np.testing.assert_allclose(embed_images(loaded, [encode(pixels)]), direct, rtol=1e-5)
    assert embed_images(loaded, []).shape == (0, 32)


def test_an_image_that_the_model_refuses_costs_no_other(exported):
    loaded = tf.saved_model.load(str(exported))
    good = [encode(photo(number)) for number in range(3)]
    cut = encode(photo(4), "JPEG")[:-150]
    embedded, refused = embed_or_refuse(loaded, [good[0], b"text", good[1], cut, good[2]])
    assert refused == {1: "neither PNG nor JPEG", 3: "damaged or cut short"}
    np.testing.assert_allclose(embedded, embed_images(loaded, good), rtol=1e-4, atol=1e-4)
    embedded, refused = embed_or_refuse(loaded, [b""])
    assert embedded.shape == (0, 32)
    assert refused == {0: "empty, 0 bytes"}


def test_the_newest_of_the_versions_is_taken(exported, tmp_path):
    for version in ("9", "10", "notes"):
        shutil.copytree(exported, tmp_path / version)
    (tmp_path / "11").mkdir()  # not complete yet
    assert find_model(tmp_path).path == str(tmp_path / "10")


def test_the_fingerprint_is_that_of_a_copy_whatever_else_stands_there(exported, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(exported, copy)
    (copy / "README.md").write_text("a card")
    (copy / "assets.extra" / "note.json").write_text("{}")
    assert find_model(copy).fingerprint() == find_model(exported).fingerprint()


@pytest.mark.parametrize("name", ["variables/variables.data-00000-of-00001", "saved_model.pb"])
def test_the_fingerprint_is_of_graph_and_weights(exported, tmp_path, name):
    copy = tmp_path / "copy"
    shutil.copytree(exported, copy)
    model, before = find_model(copy), find_model(exported).fingerprint()
    changed = bytearray((copy / name).read_bytes())
    changed[len(changed) // 2] ^= 1
    (copy / name).write_bytes(changed)
    assert model.fingerprint() != before


def _remove_metadata(path):
    (path / "assets.extra" / "tf_scl.json").unlink()


def _write_metadata(text):
    return lambda path: (path / "assets.extra" / "tf_scl.json").write_text(text)


@pytest.mark.parametrize(
    "change,message",
    [
        (shutil.rmtree, "does not exist; give the folder of a SavedModel"),
        (lambda path: (path / "saved_model.pb").unlink(), "holds no saved_model.pb"),
        (_remove_metadata, "not one of tf_scl: it has no assets.extra/tf_scl.json"),
        (_write_metadata("{"), "is damaged"),
        (_write_metadata("{}"), "is damaged"),
        (_write_metadata("3"), "is damaged"),
        (_write_metadata(json.dumps({"dimension": "64"})), 'has the dimension "64"'),
    ],
)
def test_what_is_no_model_of_ours_is_named(exported, tmp_path, change, message):
    path = tmp_path / "model"
    shutil.copytree(exported, path)
    change(path)
    with pytest.raises(InputError, match=message) as error:
        find_model(path)
    assert str(path) in str(error.value)


def test_a_file_is_no_model(exported):
    with pytest.raises(InputError, match="saved_model.pb' is a file; give the folder"):
        find_model(exported / "saved_model.pb")


@pytest.mark.parametrize(
    "change,message",
    [
        (lambda path: shutil.rmtree(path / "variables"), "cannot be loaded and used"),
        (lambda path: (path / "saved_model.pb").write_bytes(b"no graph"), "cannot be loaded"),
        (_write_metadata(json.dumps({"dimension": 31})), r"embeddings of \(32,\), but .* says 31"),
    ],
)
def test_a_damaged_model_is_noticed_before_the_work(exported, tmp_path, change, message):
    path = tmp_path / "model"
    shutil.copytree(exported, path)
    change(path)
    with pytest.raises(InputError, match=message):
        find_model(path).load()
