import logging

import keras
import numpy as np
import pytest

import tf_scl
from tf_scl.serving import agreement
from tf_scl.serving.agreement import agreeing_export, difference
from tf_scl.serving.folding import Fold


def _network():
    keras.utils.set_random_seed(0)
    layers = [keras.layers.Conv2D(4, 3, use_bias=False), keras.layers.BatchNormalization()]
    pooling = keras.layers.GlobalAveragePooling2D()
    return keras.Sequential([keras.Input((8, 8, 3)), *layers, pooling], name="small")


def _run(stored, images):
    return stored.bind()(images)


def _wrong_folds(network):
    convolution, normalization = network.layers[:2]
    kernel = np.asarray(convolution.kernel) * 1.01
    return [Fold(convolution, normalization, kernel, np.zeros(4, np.float32))]


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_folded_where_that_agrees(precision, caplog):
    stored, made = agreeing_export(_network(), precision, lambda stored: stored, _run)
    assert made is stored
    assert len(stored.module.variables) == 2
    assert not caplog.records


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_wrong_folds_are_dropped_with_a_warning(precision, monkeypatch, caplog):
    """Of 1 %, which rounding to bfloat16 would have hidden."""
    network = _network()
    monkeypatch.setattr(agreement, "find_folds", _wrong_folds)
    with caplog.at_level(logging.WARNING):
        stored, _ = agreeing_export(network, precision, lambda stored: stored, _run)
    assert "small is exported without folding: its outputs are off by 0.01" in caplog.text
    assert len(stored.module.variables) == len(network.variables)


def test_what_never_agrees_is_refused():
    with pytest.raises(tf_scl.InputError, match="'small' cannot be exported: its outputs are off"):
        agreeing_export(_network(), "float32", lambda stored: stored, lambda s, x: 1.1 * _run(s, x))


def test_a_graph_that_computes_something_else_with_bfloat16_weights_is_refused():
    with pytest.raises(tf_scl.InputError, match="its outputs are off by 0.01"):
        agreeing_export(
            _network(), "bfloat16", lambda stored: stored, lambda s, x: 1.01 * _run(s, x)
        )


def test_of_outputs_that_rounding_changes_much_there_is_a_warning(caplog):
    images = keras.Input((8, 8, 3))
    pooled = keras.layers.GlobalAveragePooling2D()(images)
    one, other = keras.layers.Dense(4, use_bias=False), keras.layers.Dense(4, use_bias=False)
    network = keras.Model(images, one(pooled) - other(pooled), name="small")
    one.kernel.assign(np.full((3, 4), 1.003))  # in bfloat16 1.0
    other.kernel.assign(np.ones((3, 4)))
    agreeing_export(network, "bfloat16", lambda stored: stored, _run)
    assert "small with bfloat16 weights has outputs that are off by 1 of" in caplog.text


def test_an_error_inside_becomes_one_line():
    def fail(stored):
        raise TypeError("\n\x1b[1mNo such operation. And more\nof it")

    with pytest.raises(tf_scl.InputError) as error:
        agreeing_export(_network(), "float32", fail, _run)
    assert "cannot be exported: TypeError: No such operation." in str(error.value)
    assert "\n" not in str(error.value)


def test_those_of_the_machine_stay():
    def fail(stored):
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        agreeing_export(_network(), "float32", fail, _run)


def test_a_model_that_counts_stays_as_it_was():
    @keras.saving.register_keras_serializable("test_agreement")
    class Counting(keras.layers.Layer):
        def build(self, shape):
            self.count = self.add_weight(shape=(), initializer="zeros", trainable=False)

        def call(self, inputs):
            self.count.assign_add(1.0)
            return inputs

    layer = Counting()
    network = keras.Sequential([keras.Input((8, 8, 3)), layer, keras.layers.Flatten()])
    layer.count.assign(5.0)
    agreeing_export(network, "float32", lambda stored: stored, _run)
    assert float(layer.count) == 5.0


def test_features_that_are_no_numbers_are_the_encoders_own():
    network = _network()
    network.layers[0].kernel.assign(np.full((3, 3, 3, 4), np.nan))
    agreeing_export(network, "float32", lambda stored: stored, _run)


@pytest.mark.parametrize(
    "found, expected, off",
    [
        ([[1.0, -4.0]], [[1.0, -4.0]], 0.0),
        ([[1.5, -4.0]], [[1.0, -4.0]], 0.125),
        ([[np.nan, 2.0]], [[np.nan, 2.0]], 0.0),
        ([[1.0, 2.0]], [[np.nan, 2.0]], np.inf),
        ([[np.inf, 2.0]], [[1.0, 2.0]], np.inf),
        ([[0.0, 0.0]], [[0.0, 0.0]], 0.0),
        ([[0.0]], [[0.0, 0.0]], np.inf),
    ],
)
def test_difference(found, expected, off):
    assert difference(found, expected) == off
