"""Exports of the encoders that people bring, against what Keras computes.

Weights are drawn at random, statistics are those of a batch and then moved, so
that each normalization does something and features differ between images. The
variances are larger than those of the batch: rounding, which an untrained
network would multiply by some hundred, then stays small.
"""

import ctypes
import gc

import keras
import numpy as np
import pytest
import tensorflow as tf

import tf_scl
from tests.conftest import exhaustive_but, photo

# In parts of the largest output.
_FLOAT32, _BFLOAT16 = 1e-5, 0.03

# The smallest size that each takes.
_SIZES = {
    "ConvNeXtTiny": 32,
    "DenseNet121": 32,
    "EfficientNetB0": 32,
    "EfficientNetV2B0": 32,
    "InceptionV3": 75,
    "MobileNet": 32,
    "MobileNetV2": 32,
    "MobileNetV3Large": 32,
    "MobileNetV3Small": 32,
    "NASNetMobile": 32,
    "ResNet50": 32,
    "ResNet50V2": 32,
    "VGG16": 32,
    "VGG19": 32,
    "Xception": 71,
}
# Of each kind of layer that is exported in a way of its own at least one: depthwise convolutions,
# squeeze and excitation, hard sigmoids, residual sums.
_SAMPLE = ("MobileNet", "MobileNetV3Small", "ResNet50")


def _encoder(name):
    keras.utils.set_random_seed(0)
    shape = (_SIZES[name], _SIZES[name], 3)
    network = getattr(keras.applications, name)(
        weights=None, include_top=False, pooling="avg", input_shape=shape
    )
    rescaling = keras.layers.Rescaling(1 / 127.5, -1.0)
    return keras.Sequential([keras.Input(shape), rescaling, network])


def _randomize(encoder, images):
    normalizations = [
        layer
        for layer in encoder._flatten_layers()
        if isinstance(layer, keras.layers.BatchNormalization)
    ]
    rng = np.random.default_rng(0)
    for variable in encoder.trainable_variables:
        if len(variable.shape) == 1:  # gamma, beta, biases
            drawn = rng.uniform(-0.3, 0.3, variable.shape)
            variable.assign(drawn + (1.0 if "gamma" in variable.name else 0.0))
    for layer in normalizations:
        layer.momentum = 0.0
    encoder(images, training=True)
    for layer in normalizations:
        variance = np.asarray(layer.moving_variance) + 1e-6
        moved = rng.uniform(-0.3, 0.3, variance.shape) * np.sqrt(variance)
        layer.moving_mean.assign(np.asarray(layer.moving_mean) + moved)
        layer.moving_variance.assign(variance * rng.uniform(1.5, 3.0, variance.shape))


def _off(found, expected):
    assert found.shape == expected.shape
    return np.abs(found - expected).max() / np.abs(expected).max()


@pytest.fixture(autouse=True)
def _memory_given_back():
    yield
    keras.backend.clear_session()
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)


@pytest.mark.parametrize("name", exhaustive_but(_SAMPLE, _SIZES))
def test_exports_compute_what_keras_computes(tmp_path, name):
    onnxruntime = pytest.importorskip("onnxruntime", reason="pip install tf_scl[onnx]")
    encoder = _encoder(name)
    images = np.stack([photo(number, *encoder.input_shape[1:3]) for number in range(8)])
    images = images.astype(np.float32)
    _randomize(encoder, images)
    expected = np.asarray(encoder(images, training=False))
    # An encoder whose features did not depend on the image would agree with a wrong one.
    assert np.abs(expected - expected.mean(0)).max() > 5 * _FLOAT32 * np.abs(expected).max()
    for weights, allowed in (("float32", _FLOAT32), ("bfloat16", _BFLOAT16)):
        path = str(tmp_path / weights)
        tf_scl.export_saved_model(encoder, path, weights=weights)
        embed = tf.saved_model.load(path).signatures["encode_images"]
        assert _off(embed(images=images)["embedding"].numpy(), expected) < allowed, weights
    path = str(tmp_path / "encoder.onnx")
    tf_scl.export_onnx(encoder, path)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    assert _off(session.run(None, {"images": images})[0], expected) < _FLOAT32, "onnx"
