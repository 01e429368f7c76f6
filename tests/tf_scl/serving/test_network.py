import keras
import numpy as np
import pytest
import tensorflow as tf

import tf_scl
from tests.conftest import photo
from tf_scl.encoders.convolution import Conv2D
from tf_scl.serving.network import ExportedWeights, inference_model


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    model = tf_scl.SpectralContrastive(
        tf_scl.resnet(10, (8, 8, 3), width=8), tf_scl.projection_head(12, (24,))
    )
    model.embed(_images(), training=True)  # moves the normalization's averages
    return model


def _images():
    return np.stack([photo(number, 8, 8) for number in range(8)]).astype(np.float32)


def test_of_a_model_the_encoder_and_with_the_projector_both(model):
    features = model.encoder(_images(), training=False)
    embeddings = model.embed(_images(), training=False)
    assert inference_model(model) is inference_model(model.encoder) is model.encoder
    np.testing.assert_array_equal(inference_model(model)(_images(), training=False), features)
    projected = inference_model(model, projector=True)
    assert projected.output_shape == (None, 12)
    np.testing.assert_allclose(projected(_images(), training=False), embeddings, atol=1e-6)


@pytest.mark.parametrize("projector", [False, True])
def test_it_is_saved_for_keras(model, tmp_path, projector):
    network = inference_model(model, projector)
    network.save(tmp_path / "encoder.keras")
    loaded = tf_scl.load_model(tmp_path / "encoder.keras")
    expected = network(_images(), training=False)
    np.testing.assert_allclose(loaded(_images(), training=False), expected, atol=1e-6)


def test_an_encoder_has_no_projector(model):
    with pytest.raises(tf_scl.InputError, match="give the whole model .*, not its encoder"):
        inference_model(model.encoder, projector=True)


def test_weights_are_copies_that_compute_the_same(model):
    stored = ExportedWeights(model.encoder, "float32")
    expected = model.encoder(_images(), training=False)
    np.testing.assert_allclose(stored.bind()(_images()), expected, atol=1e-5)
    # Of every convolution and its normalization a kernel and an offset.
    convolutions = [layer for layer in model.encoder.layers if isinstance(layer, Conv2D)]
    assert len(stored.module.variables) == 2 * len(convolutions)


def test_bfloat16_is_for_matrices_and_kernels(model):
    exact = ExportedWeights(model.encoder, "float32").module.variables
    stored = ExportedWeights(model.encoder, "bfloat16")
    for copy, weight in zip(stored.module.variables, exact, strict=True):
        assert copy.dtype == (tf.bfloat16 if len(weight.shape) > 1 else tf.float32)
        # Eight bits of a number are kept: it is rounded by 2^-9 of it at most.
        np.testing.assert_allclose(tf.cast(copy, tf.float32), weight, rtol=2**-8)
    outputs, expected = stored.bind()(_images()), model.encoder(_images(), training=False)
    assert outputs.dtype == tf.float32
    cosine = np.sum(outputs * expected, 1) / (
        np.linalg.norm(outputs, axis=1) * np.linalg.norm(expected, axis=1)
    )
    assert cosine.min() > 0.9995


def test_another_precision_is_refused(model):
    with pytest.raises(tf_scl.InputError, match="Received: weights='int8'"):
        ExportedWeights(model.encoder, "int8")


def test_inside_the_scope_of_a_strategy(two_replicas, tmp_path):
    with two_replicas.scope():
        encoder = tf_scl.resnet(10, (8, 8, 3), width=4)
        expected = encoder(_images(), training=False)
        tf_scl.export_saved_model(encoder, tmp_path / "model")
    loaded = tf.saved_model.load(str(tmp_path / "model"))
    embedding = loaded.signatures["encode_images"](images=_images())["embedding"]
    np.testing.assert_allclose(embedding, expected, atol=1e-5)


def test_under_mixed_precision_outputs_are_float32():
    network = keras.Sequential(
        [keras.Input((4, 4, 1)), keras.layers.Flatten(), keras.layers.Dense(3)]
    )
    dtype = keras.DTypePolicy("mixed_bfloat16")
    mixed = keras.Sequential(
        [keras.Input((4, 4, 1)), keras.layers.Flatten(), keras.layers.Dense(3, dtype=dtype)]
    )
    mixed.set_weights(network.get_weights())
    images = np.random.default_rng(0).uniform(0, 1, (5, 4, 4, 1)).astype(np.float32)
    outputs = ExportedWeights(mixed, "bfloat16").bind()(images)
    assert outputs.dtype == tf.float32
    np.testing.assert_allclose(outputs, network(images), atol=0.05)


def _encoder(outputs, shape=(8, 8, 3), **options):
    images = keras.Input(shape)
    return keras.Model(images, outputs(keras.layers.Conv2D(4, 3, **options)(images)))


@pytest.mark.parametrize(
    "outputs, remedy",
    [
        (lambda y: y, r"output \(None, 6, 6, 4\); add keras.layers.GlobalAveragePooling2D"),
        (keras.layers.Reshape((36, 4)), "add keras.layers.GlobalAveragePooling1D"),
        (lambda y: keras.ops.mean(y, [1, 2, 3]), r"output \(None,\); add keras.layers.Reshape"),
        (
            lambda y: {"features": keras.layers.Flatten()(y)},
            r"output {'features': '\(None, 144\)'}; .*encoder.output\['features'\]",
        ),
        (lambda y: [keras.layers.Flatten()(y)] * 2, r"encoder.output\[0\]"),
        (lambda y: [keras.layers.Flatten()(y)], r"encoder.output\[0\]"),
    ],
    ids=["map", "sequence", "numbers", "dict", "list", "list of one"],
)
def test_an_encoder_that_gives_no_vectors_is_refused_with_the_remedy(outputs, remedy):
    with pytest.raises(tf_scl.InputError, match=f"Received: Functional with .*{remedy}") as error:
        inference_model(_encoder(outputs))
    assert "\n" not in str(error.value)


def test_the_remedy_for_several_outputs_is_one():
    encoder = _encoder(lambda y: {"features": keras.layers.Flatten()(y)})
    one = keras.Model(encoder.input, encoder.output["features"])
    assert inference_model(one) is one


def test_channels_first_are_refused_and_the_remedy_is_one():
    def outputs(y):
        return keras.layers.Dense(5)(keras.layers.Flatten()(y))

    encoder = _encoder(outputs, (3, 8, 8), data_format="channels_first")
    with pytest.raises(tf_scl.InputError, match="channels last, .* wrap it: ") as error:
        inference_model(encoder)
    wrapped = eval(str(error.value).split("wrap it: ")[1], {"keras": keras, "encoder": encoder})
    assert inference_model(wrapped).output_shape == (None, 5)


def test_an_encoder_of_several_images_is_refused():
    inputs = [keras.Input((8, 8, 3)) for _ in range(4)]
    encoder = keras.Model(inputs, keras.layers.Flatten()(keras.layers.Add()(inputs)))
    with pytest.raises(tf_scl.InputError, match="an input of fixed square size"):
        inference_model(encoder)


def test_weights_keep_the_dtype_of_their_layers():
    layers = [keras.layers.Flatten(), keras.layers.Dense(3, dtype="bfloat16")]
    network = keras.Sequential([keras.Input((8, 8, 3)), *layers])
    expected = tf.cast(network(_images()), tf.float32)
    np.testing.assert_array_equal(ExportedWeights(network, "float32").bind()(_images()), expected)
