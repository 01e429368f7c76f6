import keras
import numpy as np
import pytest
import tensorflow as tf

import tf_scl
from tests.conftest import crops
from tf_scl.models import checks


def _encoder(shape=(8, 8, 3), output=None):
    images = keras.Input(shape)
    flat = keras.layers.Flatten()(images)
    return keras.Model(images, output(images, flat) if output else flat)


@pytest.mark.parametrize("method", [tf_scl.SpectralContrastive, tf_scl.SimSiam])
@pytest.mark.parametrize(
    "output,message",
    [
        (lambda x, flat: x, r"add `keras.layers.GlobalAveragePooling2D\(\)`"),
        (
            lambda x, flat: keras.ops.reshape(flat, (-1, 8, 24)),
            r"add `keras.layers.GlobalAveragePooling1D\(\)`",
        ),
        (lambda x, flat: {"a": flat, "b": x}, r"Received: a dict of \['a', 'b'\]"),
        (lambda x, flat: [flat, flat], r"Received: \(shape \(None, 192\), shape \(None, 192\)\)"),
    ],
)
def test_what_an_encoder_must_give_is_named(method, output, message):
    with pytest.raises(tf_scl.InputError, match=f"features \\[N, D\\].*{message}"):
        method(_encoder(output=output), augmentation=crops(8))


@pytest.mark.parametrize("accumulate", [1, 2])
def test_an_unbuilt_encoder_is_checked_by_the_first_batch(accumulate):
    encoder = keras.Sequential([keras.layers.Conv2D(4, 3)])
    model = tf_scl.SpectralContrastive(encoder, augmentation=crops(8), accumulate=accumulate)
    model.compile()
    with pytest.raises(tf_scl.InputError, match="^the encoder.*GlobalAveragePooling2D") as error:
        model.fit(np.zeros((4, 8, 8, 3), np.uint8), verbose=0)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "shape,message",
    [
        ((3, 8, 8), r"channels last.*\(None, 3, 8, 8\).*Permute"),
        ((64,), r"one batch of images.*\(None, 64\)"),
    ],
)
def test_what_an_encoder_must_take_is_named(shape, message):
    with pytest.raises(tf_scl.InputError, match=message):
        tf_scl.SpectralContrastive(_encoder(shape), augmentation=crops(8))


def test_an_encoder_of_two_inputs_is_named():
    inputs = [keras.Input((8, 8, 3)), keras.Input((8, 8, 3))]
    encoder = keras.Model(inputs, keras.layers.Flatten()(keras.layers.Add()(inputs)))
    with pytest.raises(tf_scl.InputError, match="one batch of images"):
        tf_scl.SpectralContrastive(encoder)


def test_the_advice_on_channels_first_works():
    advised = keras.Sequential([keras.layers.Permute((3, 1, 2)), _encoder((3, 8, 8))])
    model = tf_scl.SpectralContrastive(advised, augmentation=crops(8))
    model.compile(keras.optimizers.SGD(1e-6))
    model.fit(np.zeros((4, 8, 8, 3), np.uint8), verbose=0)


def test_long_structures_are_described_in_few_words():
    images = [np.zeros((8, 8, 3))] * 2000
    assert checks.describe(images) == f"({'shape (8, 8, 3), ' * 3}... 2,000 in all)"
    with pytest.raises(tf_scl.InputError, match="numpy.stack") as error:
        checks.images_in((images, None, None))
    assert len(str(error.value)) < 400


@pytest.mark.parametrize("augmented", [True, False])
@pytest.mark.parametrize("replicas", ["one_replica", "two_replicas"])
def test_data_without_a_shape_get_it_from_the_encoder(request, augmented, replicas):
    images = np.random.default_rng(0).integers(0, 256, (4, 8, 8, 3)).astype(np.uint8)
    element, kinds = (images, tf.uint8) if augmented else ((images,) * 2, (tf.uint8,) * 2)
    data = tf.data.Dataset.from_generator(lambda: iter([element]), kinds)
    with request.getfixturevalue(replicas).scope():
        views = crops(8) if augmented else None
        model = tf_scl.SpectralContrastive(_encoder(), keras.layers.Dense(2), views)
        model.compile(keras.optimizers.SGD(1e-6))
    model.fit(data, verbose=0)
    if augmented:
        assert model.predict(data, verbose=0).shape == (4, 192)


def test_data_without_a_shape_and_an_encoder_without_one_are_named():
    data = tf.data.Dataset.from_generator(lambda: iter([np.zeros((4, 8, 8, 3))]), tf.uint8)
    model = tf_scl.SpectralContrastive(
        keras.Sequential([keras.layers.Flatten()]), augmentation=crops(8)
    )
    model.compile()
    with pytest.raises(tf_scl.InputError, match="neither.*an unknown shape.*output_signature"):
        model.fit(data, verbose=0)


@pytest.mark.parametrize("shape", [(4, 8, 8), (4, 8, 8, 1), (64,)])
def test_images_of_another_form_than_the_encoder_takes_are_named(shape):
    """Where the data set tells it, and where only the first batch does."""
    model = tf_scl.SpectralContrastive(_encoder(), augmentation=crops(8))
    model.compile()
    known = tf.data.Dataset.from_tensors(np.zeros(shape, np.uint8))
    unknown = tf.data.Dataset.from_generator(lambda: iter([np.zeros(shape)]), tf.uint8)
    for data in (known, unknown):
        for run in (model.fit, model.evaluate, model.predict):
            with pytest.raises(tf_scl.InputError, match=r"\[N, H, W, 3\].*Received") as error:
                run(data, verbose=0)
            assert "\n" not in str(error.value)
