import types

import keras
import numpy as np
import pytest
import tensorflow as tf

from tf_scl.models import keras_compat
from tf_scl.models.keras_compat import CompatModel


class PairModel(CompatModel):
    """Takes pairs as data, and the first of a pair as input."""

    def __init__(self):
        super().__init__()
        self.dense = keras.layers.Dense(1)
        self.seen = []

    def call(self, pair):
        return self.dense(keras_compat.first_of_pair(pair))

    def see_first_batch(self, data):
        self.seen.append(data)

    def train_step(self, pair):
        return {"loss": tf.reduce_mean(self(pair))}


def _pairs(n=8):
    one = np.arange(n, dtype=np.float32)[:, None]
    return tf.data.Dataset.from_tensors((one, -one)).unbatch().batch(n, drop_remainder=True)


def test_a_model_is_built_from_the_pair_of_one_replica(two_replicas):
    with two_replicas.scope():
        model = PairModel()
        model.compile("sgd")
    model.fit(_pairs(), verbose=0)
    [(one, other)] = model.seen
    np.testing.assert_array_equal(one[:, 0], [0, 1, 2, 3])
    np.testing.assert_array_equal(other[:, 0], [0, -1, -2, -3])
    assert model.dense.kernel.shape == (1, 1)


def _is_clustered(model):
    """Whether XLA compiles, by itself, what stands in `model.clustering()`."""

    @tf.function(autograph=False)
    def double(x):
        with model.clustering():
            return x + x

    graph = double.get_concrete_function(tf.constant(1.0)).graph
    [add] = [operation for operation in graph.get_operations() if "Add" in operation.type]
    return "_XlaCompile" in add.node_def.attr


def test_xla_compiles_the_whole_step_or_what_lies_between(one_replica, two_replicas):
    for strategy, whole in ((one_replica, True), (two_replicas, False)):
        with strategy.scope():
            model = PairModel()
            model.compile("sgd", jit_compile=True)
        assert model.jit_compile is whole

        assert _is_clustered(model) is not whole


def test_a_model_that_is_compiled_again_without_xla_has_none(two_replicas):
    with two_replicas.scope():
        model = PairModel()
        model.compile("sgd", jit_compile=True)
        assert _is_clustered(model)
        model.compile("sgd", jit_compile=False)
    assert not _is_clustered(model)


@pytest.mark.parametrize("shape", [(None, 8, 8, 1), (4, 8, 8, 1)])
def test_the_first_of_a_pair(shape):
    image = tf.zeros([2, 3])
    assert keras_compat.first_of_pair(shape) == shape
    assert keras_compat.first_of_pair((shape, (1, 2))) == shape
    assert keras_compat.first_of_pair(image) is image
    assert keras_compat.first_of_pair([image, 2 * image]) is image


def test_logs_have_an_axis_under_multi_worker_only(two_replicas):
    logs = {"loss": tf.constant(2.0)}
    workers = object.__new__(tf.distribute.MultiWorkerMirroredStrategy)
    for strategy, shape in ((two_replicas, ()), (workers, (1,))):
        context = types.SimpleNamespace(strategy=strategy)
        assert keras_compat.as_keras_reduces(logs, context)["loss"].shape == shape
    assert keras_compat.as_keras_reduces(logs, None) is logs


@pytest.mark.parametrize("bad", [np.inf, np.nan, 1.0])
def test_gradients_are_finite_on_all_replicas_or_none(two_replicas, bad):
    def run():
        context = tf.distribute.get_replica_context()
        first = context.replica_id_in_sync_group == 0
        gradients = [tf.constant([1.0, 2.0]), None, tf.where(first, 3.0, bad)]
        found = keras_compat.finite_on_all_or_none(gradients, context)
        assert found[1] is None
        return found[0], found[2]

    for vector, scalar in zip(
        *map(two_replicas.experimental_local_results, two_replicas.run(run)), strict=True
    ):
        if bad == 1.0:
            np.testing.assert_array_equal(vector, [1.0, 2.0])
        else:
            assert np.isnan(vector).all() and np.isnan(scalar)
