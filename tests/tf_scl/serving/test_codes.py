import keras
import numpy as np
import pytest
import tensorflow as tf

import tf_scl
from tests.conftest import photo
from tf_scl.errors import InputError
from tf_scl.serving.codes import BINARY, INT8, calibrated
from tf_scl.serving.export import read_metadata


@pytest.fixture(scope="module")
def embeddings():
    rng = np.random.default_rng(0)
    return (rng.normal(size=(500, 11)) * np.linspace(1, 3, 11) + 1).astype(np.float32)


def _cosines(rows):
    rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return rows @ rows.T


def test_a_byte_keeps_each_number_but_for_half_a_level(embeddings):
    quantizer = calibrated(INT8, embeddings)
    codes = quantizer.encode(embeddings).numpy()
    assert codes.dtype == np.int8 and codes.shape == embeddings.shape
    within = np.abs(embeddings) <= 127 * quantizer.levels
    assert within.mean() >= 0.998
    error = np.abs(quantizer.decode(codes) - embeddings)
    assert (error <= 0.5001 * quantizer.levels)[within].all()
    far = quantizer.encode(1e9 * np.sign(embeddings)).numpy()
    np.testing.assert_array_equal(far, 127 * np.sign(embeddings))


def test_cosines_of_bytes_are_those_of_embeddings(embeddings):
    codes = calibrated(INT8, embeddings).encode(embeddings).numpy().astype(np.float64)
    error = np.abs(_cosines(codes) - _cosines(embeddings.astype(float)))
    assert np.quantile(error, 0.99) < 0.02 and error.max() < 0.1  # some rows are clipped


@pytest.mark.parametrize("kind", [INT8, BINARY])
def test_sparse_features(kind):
    rng = np.random.default_rng(0)
    rows = np.maximum(rng.normal(size=(400, 16)) - 1.5, 0).astype(np.float32)
    rows[:, 3], rows[7, 3] = 0, 1.0  # one image alone shows it
    quantizer = calibrated(kind, rows)
    decoded = quantizer.decode(quantizer.encode(rows).numpy())
    if kind == INT8:
        assert np.mean(np.abs(decoded - rows) <= 0.5001 * quantizer.levels) >= 0.998
        assert decoded[7, 3] == pytest.approx(1.0, abs=0.02)
    else:
        np.testing.assert_array_equal(decoded > 0, rows > 0)


def test_bits_are_those_that_numpy_packs(embeddings):
    quantizer = calibrated(BINARY, embeddings)
    codes = quantizer.encode(embeddings).numpy()
    above = embeddings > np.median(embeddings, axis=0)
    assert codes.dtype == np.uint8 and codes.shape == (500, 2)
    np.testing.assert_array_equal(codes, np.packbits(above, axis=1))
    np.testing.assert_array_equal(quantizer.decode(codes), np.where(above, 1.0, -1.0))
    np.testing.assert_allclose(above.mean(axis=0), 0.5, atol=1e-6)


def test_of_no_rows_there_are_no_codes(embeddings):
    assert calibrated(BINARY, embeddings).encode(embeddings[:0]).shape == (0, 2)
    assert calibrated(INT8, embeddings).encode(embeddings[:0]).shape == (0, 11)


def test_a_number_that_is_always_zero():
    quantizer = calibrated(INT8, np.zeros((20, 3), np.float32))
    np.testing.assert_array_equal(quantizer.encode(np.zeros((2, 3), np.float32)), np.zeros((2, 3)))


def _encoder():
    keras.utils.set_random_seed(0)
    layers = [keras.Input((8, 8, 3)), keras.layers.Rescaling(1 / 255), keras.layers.Flatten()]
    return keras.Sequential([*layers, keras.layers.Dense(12)])


@pytest.fixture(scope="module")
def images():
    return np.stack([photo(number, 8, 8) for number in range(30)])


@pytest.mark.parametrize("kind", [INT8, BINARY])
@pytest.mark.parametrize("of", ["encoder", "classifier"])
def test_a_model_answers_with_the_codes_of_its_embeddings(images, tmp_path, kind, of):
    model = _encoder()
    if of == "classifier":
        model = tf_scl.fit_classifier(model, images, np.arange(30) % 2)
    tf_scl.export_saved_model(model, tmp_path / "1", reference=images, quantize=kind)
    noted = read_metadata(str(tmp_path / "1"))
    assert noted["quantize"] == kind and len(noted["levels"]) == (1 if kind == INT8 else 12)
    signatures = tf.saved_model.load(str(tmp_path / "1")).signatures
    encoded = tf.stack([tf.io.encode_png(image) for image in images])
    for answer in (
        signatures["encode_uint8"](images=tf.constant(images)),
        signatures["serving_default"](image_bytes=encoded),
    ):
        rows, codes = answer["embedding"].numpy(), answer["code"].numpy()
        if kind == INT8:
            level = noted["levels"][0]
            within = np.clip(rows, -127 * level, 127 * level)
            assert (np.abs(codes * level - within) <= 0.5001 * level).all()
        else:
            np.testing.assert_array_equal(codes, np.packbits(rows > noted["levels"], axis=1))
    assert ("label" in answer) == (of == "classifier")
    expected = getattr(model, "encoder", model).predict(images, verbose=0)
    np.testing.assert_allclose(rows, expected, atol=1e-5)
    nothing = signatures["serving_default"](image_bytes=tf.constant([], tf.string))
    assert nothing["code"].shape == (0, 12 if kind == INT8 else 2)


@pytest.mark.parametrize(
    "given,message",
    [
        ({"quantize": "int4"}, "int4"),
        ({"quantize": "int8"}, "`quantize='int8'` needs `reference`"),
    ],
)
def test_mistakes(tmp_path, given, message):
    with pytest.raises(InputError, match=message):
        tf_scl.export_saved_model(_encoder(), tmp_path / "1", **given)
    assert not (tmp_path / "1").exists()
