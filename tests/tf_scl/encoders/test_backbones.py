import inspect
import sys
import urllib.error

import keras
import numpy as np
import pytest
import tensorflow as tf

import tf_scl
from tests.conftest import TINY_MODEL, first_fast, photo
from tests.tf_scl.encoders.tiny_vit import tiny_vit
from tf_scl import training
from tf_scl.config import ModelConfig
from tf_scl.encoders import backbones

_SMALL = "MobileNetV3Small"
# One network of each module of keras.applications.
_OF_MODULE = {build.__module__: name for name, build in backbones._applications().items()}


def _build(encoder, **settings):
    return backbones.build_encoder(ModelConfig(encoder=str(encoder), **settings))


def _refused(encoder, **settings):
    with pytest.raises(tf_scl.InputError) as caught:
        _build(encoder, **settings)
    (line,) = str(caught.value).splitlines()
    return line


def _images(count=3, size=32):
    return np.stack([photo(number, size, size) for number in range(count)])


def _saved(network, tmp_path, name="network.keras"):
    path = str(tmp_path / name)
    network.save_weights(path) if name.endswith(".weights.h5") else network.save(path)
    return path


def _plain(*layers, shape=(32, 32, 3)):
    return keras.Sequential([keras.Input(shape), keras.layers.Rescaling(1 / 255), *layers])


@pytest.fixture(scope="module")
def small():
    """A keras.applications network of random weights and moving averages."""
    keras.utils.set_random_seed(1)
    network = keras.applications.MobileNetV3Small(
        weights=None, include_top=False, pooling="avg", input_shape=(32, 32, 3)
    )
    rng = np.random.default_rng(0)
    for weight in network.weights:
        if "moving" in weight.name:
            weight.assign(rng.uniform(0.5, 1.5, weight.shape))
    return network


def test_the_default_is_the_resnet_of_the_settings():
    encoder = _build("resnet", depth=10, width=4, image_size=8, channels=1)
    assert (encoder.name, encoder.input_shape) == ("resnet10", (None, 8, 8, 1))
    assert encoder.output_shape == (None, 32)


@pytest.mark.parametrize("name", list(_OF_MODULE.values()))
def test_layers_do_what_preprocess_input_does(name):
    build = getattr(keras.applications, name)
    preprocess = sys.modules[build.__module__].preprocess_input
    pixels = np.random.default_rng(0).uniform(0, 255, (2, 5, 5, 3)).astype(np.float32)
    images = keras.Input((5, 5, 3))
    layers = keras.Model(
        images, keras.layers.Identity()(backbones._preprocessed(images, preprocess))
    )
    # Rounding of values up to 152 in float32.
    np.testing.assert_allclose(layers(pixels), preprocess(pixels.copy()), atol=3e-5)


def test_every_application_can_be_asked_for():
    assert {"ResNet50", "EfficientNetV2B0", "ConvNeXtTiny", _SMALL} <= set(
        backbones._applications()
    )
    for build in backbones._applications().values():
        accepted = set(inspect.signature(build).parameters)
        assert {"weights", "include_top", "pooling", "input_shape"} <= accepted


def test_an_application_takes_images_as_they_are(small, tmp_path):
    encoder = _build(_SMALL, weights=_saved(small, tmp_path, "small.weights.h5"))
    assert encoder.output_shape == (None, 576)
    images = _images()
    expected = np.asarray(small(images.astype(np.float32), training=False))  # it rescales itself
    np.testing.assert_allclose(encoder(images, training=False), expected, rtol=1e-4, atol=1e-6)


def test_blue_and_red_change_places_where_the_network_wants_them_so(monkeypatch, tmp_path):
    """ResNet50's preprocessing before a tiny network, also saved, loaded and exported."""

    def tiny(weights, include_top, pooling, input_shape):
        return keras.Sequential(
            [
                keras.Input(input_shape),
                keras.layers.Conv2D(4, 3, bias_initializer="random_normal"),
                keras.layers.GlobalAveragePooling2D(),
            ]
        )

    tiny.__module__ = keras.applications.ResNet50.__module__
    monkeypatch.setattr(backbones, "_applications", lambda: {"Tiny": tiny})
    encoder = _build("Tiny")
    network = encoder.get_layer(index=-2)
    images = _images().astype(np.float32)
    expected = network(keras.applications.resnet.preprocess_input(images.copy()))
    np.testing.assert_allclose(encoder(images), expected, rtol=1e-4, atol=1e-4)
    again = tf_scl.load_model(_saved(encoder, tmp_path))
    np.testing.assert_allclose(again(images), expected, rtol=1e-4, atol=1e-4)
    tf_scl.export_saved_model(encoder, str(tmp_path / "served"))
    served = tf.saved_model.load(str(tmp_path / "served")).signatures["encode_images"]
    np.testing.assert_allclose(served(images=images)["embedding"], expected, rtol=1e-4, atol=1e-4)


def test_moving_averages_keep_up_with_short_trainings():
    momenta = {layer.momentum for layer in backbones._normalizations(_build(_SMALL))}
    assert momenta == {0.9}  # 0.999 as Keras builds it


@pytest.mark.parametrize(
    "form", first_fast(["network.weights.h5", "encoder.weights.h5", "encoder.keras"])
)
def test_weights_of_a_file_are_taken(small, tmp_path, form):
    first = _build(_SMALL, weights=_saved(small, tmp_path, "small.keras"))
    network = small if form.startswith("network") else first
    encoder = _build(_SMALL, weights=_saved(network, tmp_path, form))
    for found, expected in zip(encoder.weights, small.weights, strict=True):
        np.testing.assert_array_equal(found, expected)


def test_weights_of_a_resnet_are_taken_too(tmp_path):
    sizes = {"depth": 10, "width": 4, "image_size": 8}
    before = _build("resnet", **sizes)
    after = _build("resnet", weights=_saved(before, tmp_path, "a.weights.h5"), **sizes)
    np.testing.assert_array_equal(after(_images(2, 8)), before(_images(2, 8)))
    line = _refused("resnet", weights=str(tmp_path / "a.weights.h5"), **{**sizes, "width": 8})
    assert "a.weights.h5' are of another architecture than the encoder 'resnet'" in line


@pytest.mark.slow
def test_weights_of_another_architecture_are_refused(small, tmp_path):
    of_small = _saved(small, tmp_path, "small.weights.h5")
    line = _refused("MobileNet", weights=of_small)
    assert f"'{of_small}' are of another architecture than the encoder 'MobileNet'" in line
    line = _refused("MobileNet", weights=_saved(small, tmp_path, "small.keras"))
    assert "it holds 206 arrays, and not 135" in line
    # Twice as deep: all that the smaller one asks for is there.
    deep = _saved(tiny_vit(blocks=4), tmp_path, "deep.weights.h5")
    shallow = _saved(tiny_vit(), tmp_path)
    assert "another architecture" in _refused(shallow, weights=deep)
    # As many arrays, of other shapes.
    wide = _saved(tiny_vit(width=32), tmp_path, "wide.keras")
    assert "shape (8, 8, 3, 32) in the place of (8, 8, 3, 16)" in _refused(shallow, weights=wide)
    wide = _saved(tiny_vit(width=32), tmp_path, "wide.weights.h5")
    assert "another architecture" in _refused(shallow, weights=wide)


@pytest.mark.parametrize("setting", ["encoder", "weights"])
@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut short", b"text"])
def test_a_damaged_file_is_named(tmp_path, setting, content):
    path = tmp_path / ("bad.keras" if setting == "encoder" else "bad.weights.h5")
    path.write_bytes(content)
    settings = {"encoder": "resnet", **TINY_MODEL, setting: str(path)}
    line = _refused(**settings)
    assert str(path) in line and ("cannot be loaded" in line or "cannot be read" in line)


def test_a_file_that_is_not_there_or_of_another_kind_is_named(tmp_path):
    assert "nowhere.keras' does not exist" in _refused(tmp_path / "nowhere.keras")
    assert "nowhere.h5' does not exist" in _refused("resnet", weights=str(tmp_path / "nowhere.h5"))
    assert "'some/model.pt' is no .keras file" in _refused("some/model.pt")
    assert "'some/w.npz' is no .keras or .h5 file" in _refused("resnet", weights="some/w.npz")


def test_a_file_of_a_vit_is_an_encoder(tmp_path):
    network = tiny_vit()
    encoder = _build(_saved(network, tmp_path))
    assert (encoder.input_shape, encoder.output_shape) == ((None, 32, 32, 3), (None, 16))
    np.testing.assert_allclose(encoder(_images()), network(_images()), rtol=1e-5, atol=1e-6)
    images = _images().astype(np.float32)
    tf_scl.export_saved_model(encoder, str(tmp_path / "served"))
    served = tf.saved_model.load(str(tmp_path / "served")).signatures["encode_images"]
    np.testing.assert_allclose(served(images=images)["embedding"], network(images), atol=1e-5)


def test_a_file_of_any_size_takes_that_of_the_settings(tmp_path):
    layers = keras.layers.Conv2D(4, 3), keras.layers.GlobalAveragePooling2D()
    network = _plain(*layers, shape=(None, None, 3))
    path = _saved(network, tmp_path)
    assert _build(path, image_size=16).input_shape == (None, 16, 16, 3)
    assert "cannot take images of 4 x 4" in _refused(
        _saved(_plain(keras.layers.Conv2D(4, 9), layers[1], shape=(None, None, 3)), tmp_path),
        image_size=4,
    )


def test_a_file_of_a_model_of_tf_scl_gives_its_encoder(tmp_path):
    model = training.build_model(tf_scl.Config().replace({"model": TINY_MODEL}))
    encoder = _build(_saved(model, tmp_path), image_size=8)
    np.testing.assert_array_equal(encoder(_images(2, 8)), model.encoder(_images(2, 8)))
    weights = _saved(model, tmp_path, "model.keras")
    again = _build("resnet", weights=weights, **TINY_MODEL)
    np.testing.assert_array_equal(again(_images(2, 8)), model.encoder(_images(2, 8)))


def test_a_frozen_file_is_trained_unless_the_rate_is_zero(tmp_path):
    network = tiny_vit()
    network.trainable = False
    path = _saved(network, tmp_path)
    assert _build(path).trainable_weights
    assert not _build(path, backbone_rate=0.0).trainable_weights


def test_what_an_encoder_gives_must_be_vectors(tmp_path):
    maps = _saved(_plain(keras.layers.Conv2D(4, 3)), tmp_path)
    line = _refused(maps)
    assert f"the encoder '{maps}': " in line
    assert "add `keras.layers.GlobalAveragePooling2D()` to its end" in line
    images = keras.Input((32, 32, 3))
    x = keras.layers.GlobalAveragePooling2D()(images)
    two = keras.Model(images, {"a": x, "b": keras.layers.Dense(2)(x)})
    assert "must give features [N, D], one tensor. Received: a dict of ['a', 'b']" in _refused(
        _saved(two, tmp_path)
    )
    tokens = _saved(_plain(keras.layers.Reshape((64, 48))), tmp_path)
    assert "keras.layers.GlobalAveragePooling1D()" in _refused(tokens)


def test_images_that_an_encoder_does_not_take(tmp_path):
    assert _refused(_SMALL, image_size=16) == (
        f"model.image_size 16 is smaller than the encoder '{_SMALL}' takes; "
        "use model.image_size 32 or more"
    )
    assert "use model.image_size 71 or more" in _refused("Xception")
    assert "takes images of 3 channels and model.channels is 1" in _refused(_SMALL, channels=1)
    path = _saved(tiny_vit(), tmp_path)
    assert "32 x 32 pixels and model.image_size is 64; use model.image_size 32" in _refused(
        path, image_size=64
    )
    assert "model.channels is 1; use model.channels 3" in _refused(path, channels=1)


@pytest.mark.parametrize("name", ["MobilNetV3Small", "mobilenetv3small"])
def test_an_unknown_name_comes_with_those_like_it(name):
    line = _refused(name)
    assert f"no encoder '{name}'" in line and f"did you mean {_SMALL}" in line
    assert "no encoder 'foo'" in _refused("foo") and "did you mean" not in _refused("foo")


def test_weights_that_nobody_offers():
    line = _refused(_SMALL, weights="noisy")
    assert "model.weights takes none, imagenet, or the path of a .weights.h5 or .keras" in line
    assert "takes none, or the path" in _refused("resnet", weights="imagenet")


def test_without_a_network_nothing_is_downloaded(monkeypatch):
    def unreachable(*args, **kwargs):
        raise urllib.error.URLError("Name or service not known")

    monkeypatch.setattr("keras.src.utils.file_utils.urlretrieve", unreachable)
    monkeypatch.setattr("keras.src.utils.file_utils.os.path.exists", lambda path: False)
    line = _refused(_SMALL, weights="imagenet")
    assert f"the encoder '{_SMALL}' with weights 'imagenet' cannot be downloaded (URL fetch" in line
    assert "Name or service not known); try where there is a network, or give a file" in line


def test_a_preset_needs_kerashub(monkeypatch):
    monkeypatch.setitem(sys.modules, "keras_hub", None)
    for name in ("vit_base_patch16_224_imagenet", "hf://someone/vit"):
        assert _refused(name) == (
            f"the encoder '{name}' would be a preset of KerasHub, which is not installed: "
            "pip install 'tf_scl[hub]'"
        )


def test_a_preset_of_kerashub_is_an_encoder(tmp_path):
    hub = pytest.importorskip("keras_hub", reason="pip install tf_scl[hub]")
    network = hub.models.ViTBackbone((32, 32, 3), 8, 2, 2, 16, 32)
    folder = str(tmp_path / "preset")
    network.save_to_preset(folder)
    scale, offset = [1 / 100, 1 / 110, 1 / 120], [-1.0, -1.1, -1.2]
    hub.layers.ImageConverter(scale=scale, offset=offset).save_to_preset(folder)
    encoder = _build(folder, weights="preset")
    tokens = network(_images().astype(np.float32) * scale + offset)
    np.testing.assert_allclose(encoder(_images()), np.mean(tokens, 1), rtol=1e-4, atol=1e-5)
    assert "takes none, preset, or the path" in _refused(folder, weights="imagenet")
    line = _refused("vit_base_patch16_224_imagenett")
    assert "did you mean vit_base_patch16_224_imagenet" in line


def test_layers_compute_in_the_precision_of_the_settings(small, tmp_path):
    changes = {"train": {"precision": "mixed_bfloat16"}, "model": {"encoder": _SMALL}}
    encoder = training.build_model(tf_scl.Config().replace(changes)).encoder
    dtypes = {layer.compute_dtype for layer in encoder.get_layer(index=-2).layers}
    assert dtypes == {"bfloat16"}
    assert encoder(_images()).dtype == tf.float32


@pytest.mark.slow
def test_statistics_of_all_replicas_are_taken(two_replicas, tmp_path):
    """Batch normalization of Keras's own: two replicas take the step of one."""
    network = _plain(
        keras.layers.Conv2D(4, 3, use_bias=False),
        keras.layers.BatchNormalization(momentum=0.5),
        keras.layers.ReLU(),
        keras.layers.GlobalAveragePooling2D(),
        shape=(8, 8, 3),
    )
    path = _saved(network, tmp_path)
    settings = {**TINY_MODEL, "encoder": path}
    config = tf_scl.Config().replace({"model": settings, "train": {"views_in": "input"}})
    views = tuple(
        _images(8, 8)[order].astype(np.float32) for order in (slice(8), slice(None, None, -1))
    )
    after = []
    for strategy in (tf.distribute.get_strategy(), two_replicas):
        with strategy.scope():
            keras.utils.set_random_seed(0)
            model = training.build_model(config)
            model.compile(keras.optimizers.SGD(0.1))
        data = tf.data.Dataset.from_tensors(views).unbatch().batch(8)
        model.fit(data, verbose=0)
        after.append([np.asarray(weight) for weight in model.encoder.weights])
    for one, two in zip(*after, strict=True):
        np.testing.assert_allclose(two, one, rtol=1e-4, atol=1e-5)
