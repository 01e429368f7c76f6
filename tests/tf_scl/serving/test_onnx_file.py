import sys

import keras
import numpy as np
import pytest

import tf_scl
from tests.conftest import photo
from tf_scl.serving.onnx_file import export_onnx


def _model():
    keras.utils.set_random_seed(0)
    model = tf_scl.SpectralContrastive(
        tf_scl.resnet(10, (16, 16, 3), width=8), tf_scl.projection_head(12, (24,))
    )
    images = np.stack([photo(number, 16, 16) for number in range(9)]).astype(np.float32)
    model.embed(images, training=True)  # moves the normalisation's averages
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


def test_without_tf2onnx_the_error_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tf2onnx", None)
    with pytest.raises(tf_scl.InputError, match=r"pip install tf_scl\[onnx\]"):
        export_onnx(keras.Sequential(), tmp_path / "encoder.onnx")
    assert list(tmp_path.iterdir()) == []
