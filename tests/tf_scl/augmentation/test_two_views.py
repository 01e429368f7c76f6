import keras
import numpy as np
import pytest
import tensorflow as tf

import tf_scl
from tests.conftest import first_fast, photo

_ALL = dict(size=16, flip=0.5, jitter=1.0, grayscale=0.5, blur=0.5, solarize=0.5)


def _images(n=8, channels=3):
    return np.stack([photo(seed) for seed in range(n)])[..., :channels]


def test_shapes_range_and_difference():
    first, second = tf_scl.TwoViews(**_ALL)(_images())
    for view in (first, second):
        assert view.shape == (8, 16, 16, 3)
        assert view.dtype == tf.float32
        assert -1e-3 <= float(tf.reduce_min(view)) and float(tf.reduce_max(view)) <= 255.001
    per_image = tf.reduce_mean(tf.abs(first - second), axis=(1, 2, 3))
    assert (per_image.numpy() > 1).all()


def test_same_seed_same_sequence_of_views():
    runs = []
    for _ in range(2):
        layer = tf_scl.TwoViews(seed=5, **_ALL)
        runs.append([layer(_images())[0].numpy() for _ in range(2)])
    np.testing.assert_array_equal(runs[0], runs[1])
    assert np.abs(runs[0][0] - runs[0][1]).max() > 1
    other = tf_scl.TwoViews(seed=6, **_ALL)(_images())[0].numpy()
    assert np.abs(runs[0][0] - other).max() > 1


def test_images_of_a_batch_have_draws_of_their_own():
    image = np.repeat(_images(1), 8, axis=0)
    view, _ = tf_scl.TwoViews(**_ALL)(image)
    assert len({one.tobytes() for one in view.numpy()}) == 8


def test_off_means_untouched():
    layer = tf_scl.TwoViews(24, crop_scale=(1, 1), crop_ratio=(1, 1), flip=0, jitter=0, grayscale=0)
    image = _images()[:, :, :24]
    np.testing.assert_allclose(layer(image)[0], image, atol=1e-3)


@pytest.mark.parametrize("channels", [1, 3])
def test_uint8_and_float_images_give_the_same_views(channels):
    images = _images(channels=channels)
    first = tf_scl.TwoViews(**_ALL, seed=0)(images)[0]
    second = tf_scl.TwoViews(**_ALL, seed=0)(images.astype(np.float32))[0]
    assert first.shape == (8, 16, 16, channels)
    np.testing.assert_array_equal(first, second)


def _pair_and_what_a_model_makes(size):
    """`pair(step)` with seed 5, and the views of the first three calls of the layer."""
    images = tf.constant(_images())
    layer = tf_scl.TwoViews(**{**_ALL, "size": size}, seed=5)
    in_model = [layer(images) for _ in range(3)]
    return lambda step: layer.pair(images, tf.stack([5, step])), in_model


_SIZES = [16, 64]  # the blur by a product, and by shifts


@pytest.mark.parametrize("size", first_fast(_SIZES))
def test_the_same_views_in_a_model_and_in_tf_data(size):
    pair, in_model = _pair_and_what_a_model_makes(size)
    in_data = list(tf.data.Dataset.range(3, output_type=tf.int32).map(pair))
    np.testing.assert_allclose(in_data, in_model, atol=0.05)


@pytest.mark.slow
@pytest.mark.parametrize("size", _SIZES)
def test_the_same_views_under_xla(size):
    pair, in_model = _pair_and_what_a_model_makes(size)
    compiled = tf.function(pair, jit_compile=True)
    for step in range(3):
        np.testing.assert_allclose(compiled(tf.constant(step)), in_model[step], atol=0.05)
    # A seed that XLA knows is another program than one that it is given.
    np.testing.assert_allclose(compiled(2), in_model[2], atol=0.05)


@pytest.mark.slow
def test_views_do_not_depend_on_the_number_of_replicas(two_replicas):
    """Batches of 4 + 4, 4 + 3 and 1 + 0 images."""
    batches = [_images(rows) for rows in (8, 7, 1)]
    alone = tf_scl.TwoViews(**_ALL, seed=5)
    with two_replicas.scope():
        layer = tf_scl.TwoViews(**_ALL, seed=5)
    spec = tf.TensorSpec([None, *batches[0].shape[1:]], tf.uint8)
    data = tf.data.Dataset.from_generator(lambda: iter(batches), output_signature=spec)
    run = tf.function(lambda images: two_replicas.run(layer, (images,)), reduce_retracing=True)
    shared_out = two_replicas.experimental_distribute_dataset(data)
    for images, shares in zip(batches, shared_out, strict=True):
        for view, expected in zip(run(shares), alone(tf.constant(images)), strict=True):
            parts = two_replicas.experimental_local_results(view)
            np.testing.assert_allclose(tf.concat(parts, 0), expected, atol=0.05)


def test_a_part_of_a_batch_draws_what_the_whole_does():
    images, layer = tf.constant(_images(7)), tf_scl.TwoViews(**_ALL)
    whole = layer.pair(images, [5, 2])
    parts = [layer.pair(images[a:b], [5, 2], a) for a, b in ((0, 4), (4, 7))]
    for view, one, two in zip(whole, *parts, strict=True):
        np.testing.assert_allclose(tf.concat([one, two], 0), view, atol=0.05)


def test_every_argument_survives_serialization():
    arguments = dict(
        size=9, crop_scale=(0.1, 0.9), crop_ratio=(0.5, 2.0), flip=0.1, brightness=0.2,
        contrast=0.3, saturation=0.45, hue=0.05, jitter=0.6, grayscale=0.7, blur=0.8,
        blur_sigma=(0.2, 0.9), solarize=0.15, seed=11,
    )  # fmt: skip
    copy = keras.layers.deserialize(keras.layers.serialize(tf_scl.TwoViews(**arguments)))
    assert {name: getattr(copy, name) for name in arguments} == arguments


@pytest.mark.parametrize(
    "arguments",
    [
        {"size": 0},
        {"flip": 7},
        {"brightness": -1},
        {"hue": 30},
        {"crop_scale": (1.0, 0.2)},
        {"crop_scale": (0.5, 2.0)},
        {"crop_scale": 0.2},
        {"crop_ratio": (0.0, 1.0)},
        {"blur_sigma": (0.0, 0.0)},
    ],
)
def test_an_argument_out_of_range_is_named(arguments):
    ((name, _),) = arguments.items()
    with pytest.raises(tf_scl.InputError, match=f"`{name}`( of TwoViews)? must be.*Received: "):
        tf_scl.TwoViews(**arguments)


@pytest.mark.parametrize("shape", [(4, 8, 8), (4, 8, 8, 4)])
def test_other_shapes_are_named(shape):
    with pytest.raises(tf_scl.InputError, match=str(shape[-1])):
        tf_scl.TwoViews(8)(np.zeros(shape, np.uint8))
