import contextlib
import io

import keras
import numpy as np
import pytest
import tensorflow as tf

import tf_scl
from tests.conftest import photo
from tf_scl.errors import InputError
from tf_scl.serving.export import read_metadata
from tf_scl.serving.reference import (
    REFERENCE_FILE,
    count_pairs,
    duplicate_cosine,
    read_reference,
    reference_bytes,
)


def _encoder():
    keras.utils.set_random_seed(0)
    layers = [keras.Input((8, 8, 3)), keras.layers.Rescaling(1 / 255), keras.layers.Flatten()]
    return keras.Sequential([*layers, keras.layers.Dense(5)])


@pytest.fixture(scope="module")
def images():
    return np.stack([photo(number, 8, 8) for number in range(30)])


@pytest.fixture(scope="module")
def exported(images, tmp_path_factory):
    path = tmp_path_factory.mktemp("reference") / "model"
    encoder = _encoder()
    tf_scl.export_saved_model(encoder, path, {"a": 1}, reference=images)
    return encoder, str(path)


def test_the_model_keeps_the_embeddings_that_it_serves(exported, images):
    encoder, path = exported
    kept = read_reference(path)
    assert kept.dtype == np.float32
    np.testing.assert_allclose(kept, encoder.predict(images, verbose=0), atol=1e-5)
    served = tf.saved_model.load(path).signatures["encode_uint8"](images=tf.constant(images))
    np.testing.assert_allclose(kept, served["embedding"], atol=1e-5)


def test_the_threshold_is_noted(exported):
    noted = read_metadata(exported[1])
    assert noted["a"] == 1 and -1 < noted["duplicate_cosine"] <= 1


def test_how_many_pairs_of_the_reference_are_above_the_threshold_is_noted(exported):
    noted, kept = read_metadata(exported[1]), read_reference(exported[1])
    above = count_pairs(kept, noted["duplicate_cosine"])
    assert noted["reference_images"] == 30 and noted["reference_pairs_above"] == above


def test_pairs_are_counted_as_by_a_double_loop():
    rows = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    above = sum(unit[i] @ unit[j] >= 0.9 for i in range(40) for j in range(i))
    assert above > 5 and count_pairs(7 * rows, 0.9) == above
    assert count_pairs(rows, 1.1) == 0


def test_the_threshold_finds_copies_and_leaves_others_apart():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (200, 8, 8, 3)).astype(np.float32)

    def embed(rows):
        return tf.reshape(tf.cast(rows, tf.float32) - 127.5, [len(rows), -1])

    embeddings = embed(images).numpy()
    found = duplicate_cosine(embed, images, embeddings, 8)
    unit = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    cosines = unit @ unit.T
    np.fill_diagonal(cosines, -1)
    assert np.mean(cosines.max(axis=1) > found) <= 0.01
    views = tf_scl.TwoViews(8, (0.9, 1.0), flip=0.0, jitter=0.0, grayscale=0.0, blur=0.0)
    copies = embed(views.pair(tf.constant(images), tf.constant([3, 4]))[0]).numpy()
    copies /= np.linalg.norm(copies, axis=1, keepdims=True)
    assert np.mean(np.sum(unit * copies, axis=1) >= found) == pytest.approx(0.95, abs=0.05)


def test_an_encoder_that_gives_one_vector_for_all_has_no_copies_but_exact_ones():
    images = np.zeros((20, 8, 8, 3), np.float32)

    def embed(rows):
        return tf.ones([len(rows), 3])

    assert duplicate_cosine(embed, images, embed(images).numpy(), 8) == pytest.approx(1.0)


def test_of_many_images_a_sample_is_kept(tmp_path, monkeypatch):
    """Not the first ones, which may be of one class."""
    from tf_scl.serving import reference

    monkeypatch.setattr(reference, "REFERENCE_IMAGES", 25)
    images = np.stack([photo(number, 8, 8) for number in range(40)])
    encoder = _encoder()
    tf_scl.export_saved_model(encoder, tmp_path / "model", reference=images)
    kept, all_of_them = read_reference(str(tmp_path / "model")), encoder.predict(images, verbose=0)
    places = [int(np.abs(all_of_them - one).sum(axis=1).argmin()) for one in kept]
    np.testing.assert_allclose(kept, all_of_them[places], atol=1e-5)
    assert places == sorted(set(places)) and places[-1] > 30 and len(places) == 25


@pytest.mark.parametrize(
    "images,received",
    [
        (np.zeros((19, 8, 8, 3)), r"\(19, 8, 8, 3\)"),
        (np.zeros((30, 8, 8, 1)), r"\(30, 8, 8, 1\)"),
        (np.zeros((30, 8, 8)), r"\(30, 8, 8\)"),
    ],
)
def test_images_that_cannot_be_a_reference(tmp_path, images, received):
    with pytest.raises(InputError, match=f"at least 20 images .* Received: {received}"):
        tf_scl.export_saved_model(_encoder(), tmp_path / "model", reference=images)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "scale,message",
    [(255, "`reference`: values must be 0..255"), (np.nan, r"`reference\[0\]` holds values")],
)
def test_a_reference_of_another_range(images, tmp_path, scale, message):
    with pytest.raises(InputError, match=message):
        tf_scl.export_saved_model(_encoder(), tmp_path / "model", reference=images / scale)
    assert not list(tmp_path.iterdir())


def _kept(path, content):
    file = path / REFERENCE_FILE
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    return file


def test_a_model_without_a_reference(tmp_path):
    with pytest.raises(InputError, match="keeps no embeddings to compare with; `make run` writes"):
        read_reference(str(tmp_path / "model"))


def _npz(rows):
    buffer = io.BytesIO()
    np.savez(buffer, rows)
    return buffer.getvalue()


_ROWS = np.ones((20, 3), np.float32)


@pytest.mark.parametrize(
    "content,problem",
    [
        (b"", ""),
        (b"not numpy", ""),
        (_npz(_ROWS), "it is no array"),
        (reference_bytes(_ROWS)[:-1], ""),
        (reference_bytes(np.zeros(3)), r"it holds float32 \(3,\)"),
        (reference_bytes(_ROWS[:19]), r"it holds float32 \(19, 3\)"),
        (reference_bytes(_ROWS * np.inf), "not finite"),
    ],
)
def test_a_reference_that_is_damaged(tmp_path, content, problem):
    file = _kept(tmp_path, content)
    with pytest.raises(InputError, match=f"{file}' is damaged .*{problem}.*; export the model aga"):
        read_reference(str(tmp_path))


def test_of_damage_to_any_byte_of_the_head_no_other_error_comes(tmp_path):
    """Such as a shape that no memory holds."""
    whole = reference_bytes(_ROWS)
    for place in range(len(whole) - _ROWS.nbytes):
        for byte in (0, ord("9"), ord("("), 0xFF):
            _kept(tmp_path, whole[:place] + bytes([byte]) + whole[place + 1 :])
            with contextlib.suppress(InputError):
                assert read_reference(str(tmp_path)).shape[0] >= 20


def test_a_reference_that_cannot_be_read(tmp_path, monkeypatch):
    (tmp_path / REFERENCE_FILE).mkdir(parents=True)
    message = f"cannot read '{tmp_path}.*: Is a directory; make it readable, or export the model"
    with pytest.raises(InputError, match=message):
        read_reference(str(tmp_path))

    def denied(path):
        raise tf.errors.PermissionDeniedError(None, None, "no access to the bucket")

    monkeypatch.setattr(tf.io.gfile, "exists", denied)
    with pytest.raises(InputError, match="cannot read 'gs://.*: no access to the bucket"):
        read_reference("gs://bucket/model")


def test_an_embedding_that_is_not_finite(images, tmp_path):
    divide = keras.layers.Lambda(lambda x: x / tf.reduce_max(x, axis=1, keepdims=True))
    network = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Flatten(), divide])
    dark = images.copy()
    dark[4] = 0
    with pytest.raises(InputError, match=r"`reference\[4\]` is not finite"):
        tf_scl.export_saved_model(network, tmp_path / "1", reference=dark)
    assert not (tmp_path / "1").exists()


def test_notes_do_not_replace_what_the_export_notes(images, tmp_path):
    with pytest.raises(InputError, match="cannot say dimension, duplicate_cosine"):
        noted = {"dimension": 3, "duplicate_cosine": 0.5, "mine": 1}
        tf_scl.export_saved_model(_encoder(), tmp_path / "1", noted, reference=images)
    assert not (tmp_path / "1").exists()
