"""Every method, in every precision, with and without XLA, on one and two replicas."""

import functools
import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

import tf_scl
from tests import one_step
from tests.conftest import TINY_MODEL, first_fast, make_resnet_shallow
from tf_scl import training
from tf_scl.models.methods import METHODS, method_class
from tf_scl.strategies import make_strategy

_TINY = {"model": {**TINY_MODEL, "embedding_dim": 6}}


@pytest.mark.parametrize("name", METHODS)
def test_a_configuration_names_its_method(name):
    changes = {"model": {"method": name, "temperature": 0.2, "predictor_hidden": 3, "mu": 5.0}}
    changes["train"] = {"accumulate": 2, "negatives": "replica"}
    model = training.build_model(tf_scl.Config.from_dict(_TINY).replace(changes))
    assert type(model) is METHODS[name]()
    assert model.accumulate == 2
    if name != "simsiam":
        assert model.negatives == "replica"
    found = {
        "spectral": lambda: model.mu == 5.0,
        "simclr": lambda: model.temperature == 0.2,
        "simsiam": lambda: model.predictor.layers[0].units == 3,
    }[name]
    assert found()


def test_a_method_from_outside_is_named_by_its_module():
    changes = {"model": {"method": "examples.add_a_method:BarlowTwins"}, "train": {"accumulate": 2}}
    model = training.build_model(tf_scl.Config.from_dict(_TINY).replace(changes))
    assert type(model).__name__ == "BarlowTwins"
    assert (model.accumulate, model.weight) == (2, 5e-3)


def test_what_is_no_two_view_model_is_no_method():
    with pytest.raises(tf_scl.InputError, match="json:dumps'.*a subclass of tf_scl.TwoViewModel"):
        method_class("json:dumps")


_STEPS = 4
_CASES = ["spectral auto d=6", "spectral auto d=64", "simclr", "simsiam"]


def _losses(strategy, case, dtype, jit, **options):
    with strategy.scope():
        model = one_step.build(case, dtype, **options)
        optimizer = keras.optimizers.SGD(0.1)
        if dtype == "mixed_float16":  # Keras would begin at 32768, overflow, and skip a step
            optimizer = keras.optimizers.LossScaleOptimizer(optimizer, initial_scale=256.0)
        model.compile(optimizer, jit_compile=jit)
    data = tf.data.Dataset.from_tensors(one_step.views()).unbatch().batch(16, drop_remainder=True)
    return model.fit(data, epochs=_STEPS, verbose=0).history["loss"]  # a step in each


@functools.cache
def _truth(case):
    """The losses in float32, on one replica and without XLA."""
    return _losses(make_strategy("one_device"), case, "float32", False)


def _check(case, dtype, strategy, jit):
    truth = _truth(case)
    assert truth[-1] < truth[0]
    losses = _losses(strategy, case, dtype, jit)
    scale = abs(truth[0]) + abs(truth[0] - truth[-1])
    tolerance = {"float32": 1e-4, "mixed_bfloat16": 0.1, "mixed_float16": 0.05}[dtype]
    np.testing.assert_allclose(losses, truth, atol=tolerance * scale)


_GRID = list(itertools.product(_CASES, ("mixed_bfloat16", "mixed_float16", "float32"), (1, 2)))


@pytest.mark.parametrize(
    "case,dtype,replicas",
    first_fast(one for one in _GRID if one[1:] != ("float32", 1)),  # which is the truth
)
def test_every_precision_trains_as_float32(two_replicas, one_replica, case, dtype, replicas):
    """Without XLA; also that both numbers of replicas follow the same curve."""
    _check(case, dtype, one_replica if replicas == 1 else two_replicas, jit=False)


@pytest.mark.slow
@pytest.mark.parametrize("case,dtype,replicas", _GRID)
def test_xla_in_every_combination(two_replicas, one_replica, case, dtype, replicas):
    """The whole step on one replica, which is what a TPU needs; clusters on two."""
    _check(case, dtype, one_replica if replicas == 1 else two_replicas, jit=True)


@pytest.mark.slow
def test_the_whole_step_compiles_for_a_tpu(one_replica, monkeypatch):
    """Views, ResNet, loss, optimizer and metrics in one XLA computation."""
    make_resnet_shallow(monkeypatch, stages=2)  # with blocks of both kinds
    with one_replica.scope():
        model = training.build_model(tf_scl.Config.from_dict(_TINY))
        model.compile(keras.optimizers.SGD(0.1, momentum=0.9), jit_compile=True)
    images = np.random.default_rng(0).integers(0, 256, (8, 8, 8, 3)).astype("uint8")
    data = tf.data.Dataset.from_tensors(images).repeat(2)
    history = model.fit(data, verbose=0).history
    assert model.jit_compile and np.isfinite(history["loss"]).all()


def test_an_overflow_on_one_replica_skips_the_step_on_all(two_replicas):
    """Keras asks one replica only whether gradients are finite."""
    views = [view.copy() for view in one_step.views()]
    with two_replicas.scope():
        model = one_step.build("spectral plain", "mixed_float16")
        optimizer = keras.optimizers.LossScaleOptimizer(
            keras.optimizers.SGD(0.1), initial_scale=1024.0, dynamic_growth_steps=2
        )
        model.compile(optimizer)
    good = tf.data.Dataset.from_tensors(tuple(views)).unbatch().batch(16, drop_remainder=True)
    for view in views:
        view[12] = np.inf  # an image of the second replica
    bad = tf.data.Dataset.from_tensors(tuple(views)).unbatch().batch(16, drop_remainder=True)
    model.fit(good, verbose=0)
    weights = [w.numpy() for w in model.trainable_variables]
    assert int(optimizer.iterations.numpy()) == 1
    model.fit(bad, verbose=0)
    assert float(optimizer.dynamic_scale.numpy()) == 512.0
    for one, two in zip(weights, model.trainable_variables, strict=True):
        for copy in two_replicas.experimental_local_results(two.value):
            np.testing.assert_array_equal(copy, one)
