import keras
import numpy as np
import pytest

import tf_scl
from tests.conftest import first_fast, photo
from tf_scl.models.batch_statistics import with_statistics_of

_IMAGES = np.stack([photo(number, 8, 8) for number in range(64)])


def _model(accumulate=1):
    keras.utils.set_random_seed(0)
    encoder = tf_scl.resnet(10, (8, 8, 3), width=4)
    model = tf_scl.SpectralContrastive(
        encoder,
        tf_scl.projection_head(8, (16,)),
        tf_scl.TwoViews(8, seed=0, crop_scale=(1, 1), crop_ratio=(1, 1), flip=0.0, jitter=0.0,
                        grayscale=0.0),
        accumulate,
    )  # fmt: skip
    model.compile("sgd")
    return model


def _values(variables):
    return [np.array(variable) for variable in variables]


@pytest.mark.usefixtures("shallow_resnet")
@pytest.mark.parametrize("strategy", first_fast(["one_replica", "two_replicas"]))
def test_statistics_are_those_of_the_data_meanwhile_and_nothing_else_changes(strategy, request):
    strategy = request.getfixturevalue(strategy)
    with strategy.scope():
        model = _model()
    before = _values(model.variables)
    data = [_IMAGES] * 32
    if strategy.num_replicas_in_sync > 1:
        import tensorflow as tf

        batches = tf.data.Dataset.from_tensor_slices(_IMAGES).batch(64).repeat(32)
        data = strategy.experimental_distribute_dataset(batches)
    weights = _values(model.trainable_variables)
    with with_statistics_of(model, data):
        # The first normalization sees the first convolution of the images, which is linear.
        convolution, normalization = (
            next(layer for layer in model.encoder.layers if kind in type(layer).__name__)
            for kind in ("Conv", "BatchNormalization")
        )
        inside = keras.Model(model.encoder.inputs, convolution.output)(_IMAGES)
        expected = np.asarray(inside, np.float64).mean(axis=(0, 1, 2))
        np.testing.assert_allclose(
            normalization.moving_mean, expected * (1 - 0.9**64), rtol=1e-3, atol=1e-3
        )
        for ours, theirs in zip(_values(model.trainable_variables), weights, strict=True):
            np.testing.assert_array_equal(ours, theirs)
    for ours, theirs in zip(_values(model.variables), before, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_batch_that_is_accumulated_is_not_embedded_as_a_whole(monkeypatch):
    model = _model(accumulate=4)
    seen, embed = [], model.embed_views

    def note(views, training):
        seen.append(views[0].shape[0])
        return embed(views, training)

    monkeypatch.setattr(model, "embed_views", note)
    with with_statistics_of(model, [_IMAGES]):
        assert seen in ([16], [None])
    assert model.optimizer.iterations.numpy() == 0
