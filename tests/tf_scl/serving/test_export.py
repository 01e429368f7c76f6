import json
import os
import re
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

import tf_scl
from tests.conftest import encode, photo
from tf_scl.serving.export import read_metadata


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A ResNet with statistics of its own, and its SavedModel."""
    keras.utils.set_random_seed(0)
    encoder = tf_scl.resnet(10, (16, 16, 3), width=8)
    images = np.stack([photo(number, 16, 16) for number in range(32)])
    encoder(images, training=True)  # moves the normalization's averages
    path = tmp_path_factory.mktemp("export") / "model"
    tf_scl.export_saved_model(encoder, path, {"note": "a test"})
    return encoder, str(path)


def test_signatures_are_as_documented(exported):
    loaded = tf.saved_model.load(exported[1])
    bytes_in = loaded.signatures["serving_default"].structured_input_signature[1]
    images_in = loaded.signatures["encode_images"].structured_input_signature[1]
    pixels_in = loaded.signatures["encode_uint8"].structured_input_signature[1]
    assert bytes_in == {"image_bytes": tf.TensorSpec([None], tf.string, "image_bytes")}
    assert images_in == {"images": tf.TensorSpec([None, None, None, 3], tf.float32, "images")}
    assert pixels_in == {"images": tf.TensorSpec([None, None, None, 3], tf.uint8, "images")}
    for signature in loaded.signatures.values():
        outputs = signature.structured_outputs
        assert list(outputs) == ["embedding"]
        assert outputs["embedding"].dtype == tf.float32
        assert outputs["embedding"].shape[-1] == 64


def test_all_signatures_equal_the_encoder(exported):
    encoder, path = exported
    images = np.stack([photo(number, 16, 16) for number in range(3)])
    expected = encoder(images, training=False)
    loaded = tf.saved_model.load(path)
    floats = tf.constant(images, tf.float32)
    by_pixels = loaded.signatures["encode_images"](images=floats)["embedding"]
    png = tf.constant([encode(image) for image in images])
    by_bytes = loaded.signatures["serving_default"](image_bytes=png)["embedding"]
    by_uint8 = loaded.signatures["encode_uint8"](images=tf.constant(images))["embedding"]
    np.testing.assert_allclose(by_pixels, expected, atol=1e-5)
    np.testing.assert_allclose(by_uint8, expected, atol=1e-5)
    np.testing.assert_allclose(by_bytes, expected, atol=1e-5)


def test_jpeg_bytes_of_any_size_equal_their_pixels(exported):
    encoder, path = exported
    data = encode(photo(5, 50, 40), "JPEG", quality=95)
    pixels = tf.io.decode_jpeg(data, 3, dct_method="INTEGER_ACCURATE")
    resized = tf.round(tf.image.resize(pixels[5:45], [16, 16], antialias=True))
    loaded = tf.saved_model.load(path)
    embedding = loaded.signatures["serving_default"](image_bytes=tf.constant([data]))["embedding"]
    np.testing.assert_allclose(embedding, encoder(resized[None], training=False), atol=1e-5)


def test_loads_with_tensorflow_alone(exported, tmp_path):
    """In a fresh process where neither keras nor tf_scl can be imported."""
    encoder, path = exported
    image = photo(1, 16, 16)
    (tmp_path / "image.png").write_bytes(encode(image))
    script = f"""
import sys, json
sys.modules.update(keras=None, tf_scl=None, tfx=None)
import tensorflow as tf
model = tf.saved_model.load({path!r})
data = tf.constant([open("image.png", "rb").read()])
print(json.dumps(model.signatures["serving_default"](data)["embedding"].numpy().tolist()))
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    embedding = json.loads(done.stdout.splitlines()[-1])
    np.testing.assert_allclose(embedding, encoder(image[None], training=False), atol=1e-5)


def test_metadata(exported):
    assert read_metadata(exported[1]) == {
        "image_size": 16,
        "channels": 3,
        "dimension": 64,
        "weights": "float32",
        "max_pixels": 50_000_000,
        "note": "a test",
    }


def test_warm_up_requests_are_where_tensorflow_serving_looks(exported):
    path = f"{exported[1]}/assets.extra/tf_serving_warmup_requests"
    assert len(list(tf.data.TFRecordDataset(path))) == 3 * 2


def test_of_a_whole_model_the_encoder_or_with_the_projector_both(tmp_path):
    keras.utils.set_random_seed(0)
    encoder = keras.Sequential(
        [keras.Input((8, 8, 3)), keras.layers.AveragePooling2D(4), keras.layers.Flatten()]
    )
    model = tf_scl.SpectralContrastive(encoder, tf_scl.projection_head(6, (12,)))
    images = np.stack([photo(number, 8, 8) for number in range(3)]).astype(np.float32)
    features = model.encoder(images, training=False)
    for projector, expected in ((False, features), (True, model.projector(features))):
        path = str(tmp_path / f"{projector}")
        tf_scl.export_saved_model(model, path, projector=projector)
        signature = tf.saved_model.load(path).signatures["encode_images"]
        np.testing.assert_allclose(signature(images=images)["embedding"], expected, atol=1e-5)
        assert read_metadata(path)["dimension"] == expected.shape[1]


@pytest.mark.slow
def test_bfloat16_weights_take_half_the_room_and_answer_alike(tmp_path):
    keras.utils.set_random_seed(0)
    encoder = tf_scl.resnet(10, (16, 16, 3), width=32)
    images = np.stack([photo(number, 16, 16) for number in range(8)]).astype(np.float32)
    encoder(images, training=True)
    embeddings, sizes = [], []
    for weights in ("float32", "bfloat16"):
        path = tmp_path / weights
        tf_scl.export_saved_model(encoder, path, weights=weights)
        sizes.append(sum(file.stat().st_size for file in (path / "variables").iterdir()))
        signature = tf.saved_model.load(str(path)).signatures["encode_images"]
        embeddings.append(signature(images=images)["embedding"])
        assert embeddings[-1].dtype == tf.float32
    assert sizes[1] < 0.52 * sizes[0]
    error = np.linalg.norm(embeddings[1] - embeddings[0], axis=1)
    assert (error < 0.02 * np.linalg.norm(embeddings[0], axis=1)).all()


@pytest.mark.parametrize("max_pixels", [0, 1.5, True, "many"])
def test_a_limit_that_is_none_is_refused(exported, tmp_path, max_pixels):
    with pytest.raises(tf_scl.InputError, match="whole number, at least 1. Received: max_pixels="):
        tf_scl.export_saved_model(exported[0], tmp_path / "model", max_pixels=max_pixels)


def test_an_existing_folder_is_not_overwritten(exported):
    with pytest.raises(FileExistsError, match="export to a new folder"):
        tf_scl.export_saved_model(exported[0], exported[1])


def test_complete_or_not_at_all(tmp_path, monkeypatch):
    def fail(*_, **__):
        raise OSError("disk full")

    monkeypatch.setattr(tf.io.gfile, "makedirs", fail)
    encoder = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Flatten()])
    with pytest.raises(OSError, match="disk full"):
        tf_scl.export_saved_model(encoder, tmp_path / "model")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("shape", [(4, 5, 1), (None, None, 1), (7,)])
def test_an_encoder_without_a_square_input_is_refused(tmp_path, shape):
    encoder = keras.Sequential([keras.Input(shape), keras.layers.Activation("relu")])
    with pytest.raises(ValueError, match=re.escape(str((None, *shape)))):
        tf_scl.export_saved_model(encoder, tmp_path / "model")


def test_a_model_without_a_known_input_is_refused_with_the_remedy(tmp_path):
    class Subclassed(keras.Model):
        pass

    with pytest.raises(ValueError, match=r"Subclassed with input None; wrap it: keras.Sequential"):
        tf_scl.export_saved_model(Subclassed(), tmp_path / "model")


@pytest.mark.slow
def test_answers_are_the_same_where_weights_are_assumed_frozen(exported, tmp_path):
    """With the setting of docs/how-to/serve.md, which keeps kernels in a layout of oneDNN's."""
    encoder, path = exported
    other = keras.models.clone_model(encoder)
    other.set_weights([weight * 0.5 + 0.1 for weight in encoder.get_weights()])
    tf_scl.export_saved_model(other, tmp_path / "other")
    images = np.stack([photo(number, 16, 16) for number in range(40)]).astype(np.float32)
    np.save(tmp_path / "images.npy", images)
    script = """
import sys
import numpy as np
import tensorflow as tf
folder, *paths = sys.argv[1:]
images = np.load(folder + "/images.npy")
models = [tf.saved_model.load(path) for path in paths]
for count in (1, 40, 8, 1, 40):
    for number, model in enumerate(models):
        embed = model.signatures["encode_images"]
        embedding = embed(images=tf.constant(images[:count]))["embedding"]
        np.testing.assert_allclose(
            embedding, np.load(f"{folder}/expected{number}.npy")[:count], rtol=1e-4, atol=1e-5
        )
"""
    for number, model in enumerate((encoder, other)):
        np.save(tmp_path / f"expected{number}.npy", model(images, training=False))
    subprocess.run(
        [sys.executable, "-c", script, tmp_path, path, tmp_path / "other"],
        env={**os.environ, "TF_ONEDNN_ASSUME_FROZEN_WEIGHTS": "1"},
        check=True,
    )


class _Tied(keras.layers.Layer):
    """Its normalization must not be folded: the kernel is read twice."""

    def build(self, shape):
        self.dense = keras.layers.Dense(5, use_bias=False)
        self.normalization = keras.layers.BatchNormalization()
        self.dense.build(shape)
        self.normalization.build((*shape[:-1], 5))

    def call(self, inputs):
        hidden = self.normalization(self.dense(inputs))
        return keras.ops.matmul(hidden, keras.ops.transpose(self.dense.kernel))


class _InFunction(_Tied):
    @tf.function
    def call(self, inputs):
        return super().call(inputs)


@pytest.mark.parametrize("kind", [_Tied, _InFunction])
def test_weights_that_are_read_twice(tmp_path, kind):
    layer = kind()
    encoder = keras.Sequential(
        [keras.Input((4, 4, 3)), keras.layers.GlobalAveragePooling2D(), layer]
    )
    rng = np.random.default_rng(0)
    for variable in layer.variables:
        variable.assign(rng.uniform(0.5, 2.0, variable.shape))
    images = rng.uniform(0, 255, (3, 4, 4, 3)).astype(np.float32)
    gamma, beta, mean, variance = (
        np.float64(each)
        for each in (
            layer.normalization.gamma,
            layer.normalization.beta,
            layer.normalization.moving_mean,
            layer.normalization.moving_variance,
        )
    )
    kernel = np.float64(layer.dense.kernel)
    hidden = np.float64(images).mean((1, 2)) @ kernel
    hidden = gamma * (hidden - mean) / np.sqrt(variance + 1e-3) + beta
    encoder(images)  # a tf.function keeps its graph
    for weights, allowed in (("float32", 1e-5), ("bfloat16", 1e-2)):
        path = str(tmp_path / weights)
        tf_scl.export_saved_model(encoder, path, weights=weights)
        embed = tf.saved_model.load(path).signatures["encode_images"]
        np.testing.assert_allclose(embed(images=images)["embedding"], hidden @ kernel.T, allowed)


class _Python(keras.layers.Layer):
    def call(self, inputs):
        return tf.ensure_shape(tf.numpy_function(np.abs, [inputs], tf.float32), inputs.shape)


class _OwnVariable(keras.layers.Layer):
    def build(self, shape):
        self.scale = tf.Variable(tf.ones(shape[-1]))

    def call(self, inputs):
        return inputs * self.scale


@pytest.mark.parametrize(
    "kind, reason", [(_Python, "it calls Python"), (_OwnVariable, "weights made with add_weight")]
)
def test_what_would_run_in_this_process_alone_is_refused(tmp_path, kind, reason):
    encoder = keras.Sequential([keras.Input((4, 4, 1)), kind(), keras.layers.Flatten()])
    with pytest.raises(tf_scl.InputError, match=reason) as error:
        tf_scl.export_saved_model(encoder, tmp_path / "model")
    assert "\n" not in str(error.value)
    assert list(tmp_path.iterdir()) == []


def test_images_of_other_channels_are_refused(tmp_path):
    encoder = keras.Sequential([keras.Input((4, 4, 2)), keras.layers.Flatten()])
    with pytest.raises(tf_scl.InputError, match="1 or 3 channels.* Received: 2 channels"):
        tf_scl.export_saved_model(encoder, tmp_path / "model")
