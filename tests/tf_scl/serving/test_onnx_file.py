import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

import tf_scl
from tests.conftest import photo
from tf_scl.serving.onnx_file import export_onnx


def _model():
    keras.utils.set_random_seed(0)
    model = tf_scl.SpectralContrastive(
        tf_scl.resnet(10, (16, 16, 3), width=8), tf_scl.projection_head(12, (24,))
    )
    images = np.stack([photo(number, 16, 16) for number in range(9)]).astype(np.float32)
    model.embed(images, training=True)  # moves the normalization's averages
    return model, images


@pytest.mark.parametrize("projector", [False, True])
def test_onnxruntime_gives_what_keras_gives(tmp_path, projector):
    for name in ("tf2onnx", "onnxruntime"):
        pytest.importorskip(name, reason=f"{name} is not installed: pip install tf_scl[onnx]")
    import onnxruntime

    model, images = _model()
    path = tmp_path / "encoder.onnx"
    export_onnx(model, path, projector)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (given,), (made,) = session.get_inputs(), session.get_outputs()
    assert (given.name, given.type, given.shape[1:]) == ("images", "tensor(float)", [16, 16, 3])
    assert made.name == "embedding"
    expected = model.encoder(images, training=False)
    expected = model.projector(expected, training=False) if projector else expected
    for count in (1, 2, 9):
        (embedding,) = session.run(None, {"images": images[:count]})
        np.testing.assert_allclose(embedding, expected[:count], atol=1e-4, rtol=1e-4)
    assert [file.name for file in tmp_path.iterdir()] == ["encoder.onnx"]


def _small(*layers):
    pooling = keras.layers.GlobalAveragePooling2D()
    return keras.Sequential([keras.Input((8, 8, 4)), *layers, pooling])


def _in_float64(x, groups, layer):
    """The means of a grouped "valid" 1 x 1 convolution."""
    kernel, bias = (np.float64(weight) for weight in layer.get_weights())
    means = np.float64(x).mean((1, 2)).reshape(len(x), groups, -1)
    return (
        np.einsum("ngc,cgf->ngf", means, kernel[0, 0].reshape(-1, groups, 2)).reshape(len(x), -1)
        + bias
    )


@pytest.mark.parametrize("groups", [2, 4])
def test_grouped_convolutions(tmp_path, groups):
    onnxruntime = pytest.importorskip("onnxruntime", reason="pip install tf_scl[onnx]")
    layer = keras.layers.Conv2D(2 * groups, 1, groups=groups)
    network = _small(layer)
    layer.bias.assign(np.arange(2.0 * groups))
    export_onnx(network, tmp_path / "encoder.onnx")
    session = onnxruntime.InferenceSession(str(tmp_path / "encoder.onnx"))
    images = np.random.default_rng(0).uniform(0, 255, (3, 8, 8, 4)).astype(np.float32)
    (embedding,) = session.run(None, {"images": images})
    np.testing.assert_allclose(embedding, _in_float64(images, groups, layer), rtol=1e-4, atol=1e-3)


def test_tensors_that_layers_hold_beside_their_weights_are_in_the_file(tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime", reason="pip install tf_scl[onnx]")
    mean = np.arange(4.0)
    network = _small(keras.layers.Normalization(mean=mean, variance=np.full(4, 4.0)))
    export_onnx(network, tmp_path / "encoder.onnx")
    session = onnxruntime.InferenceSession(str(tmp_path / "encoder.onnx"))
    assert [given.name for given in session.get_inputs()] == ["images"]
    (embedding,) = session.run(None, {"images": np.full((1, 8, 8, 4), 10, np.float32)})
    np.testing.assert_allclose(embedding, [(10 - mean) / 2], rtol=1e-6)


def test_what_onnx_cannot_hold_is_refused_and_nothing_is_written(tmp_path):
    pytest.importorskip("onnxruntime", reason="pip install tf_scl[onnx]")

    class Python(keras.layers.Layer):
        def call(self, inputs):
            return tf.ensure_shape(tf.numpy_function(np.abs, [inputs], tf.float32), inputs.shape)

    with pytest.raises(tf_scl.InputError, match="cannot be exported: InvalidGraph"):
        export_onnx(_small(Python()), tmp_path / "encoder.onnx")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("missing", ["tf2onnx", "onnxruntime"])
def test_without_them_the_error_says_what_to_install(tmp_path, monkeypatch, missing):
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(tf_scl.InputError, match=r"pip install tf_scl\[onnx\]"):
        export_onnx(keras.Sequential(), tmp_path / "encoder.onnx")
    assert list(tmp_path.iterdir()) == []
