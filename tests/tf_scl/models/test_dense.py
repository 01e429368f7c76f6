import pathlib

import keras
import numpy as np
import pytest
from scipy import stats

import tf_scl
from tf_scl.models.dense import Dense


def _built(fan_in, units, seed=0):
    keras.utils.set_random_seed(seed)
    layer = Dense(units)
    layer.build((None, fan_in))
    return [weight.numpy() for weight in (layer.kernel, layer.bias)]


@pytest.mark.parametrize("fan_in,units", [(512, 2048), (2048, 1000), (9, 4000)])
def test_weights_are_uniform_up_to_one_over_the_root_of_the_width(fan_in, units):
    """Against the distribution function, by Kolmogorov and Smirnov's test."""
    limit = fan_in**-0.5
    for weights in _built(fan_in, units):
        assert np.abs(weights).max() <= limit
        uniform = stats.uniform(-limit, 2 * limit)
        assert stats.kstest(weights.ravel()[:100_000], uniform.cdf).pvalue > 0.01


def test_as_pytorchs_layer_does():
    """Against stored weights of `torch.nn.Linear(16, 256)`, by the same test."""
    folder = pathlib.Path(__file__).parents[1] / "optimizers"
    stored = np.load(folder / "torch_trajectories.npz")
    for index, weights in enumerate(_built(16, 256)):
        theirs = stored[f"linear/{index}"]
        assert weights.shape == theirs.shape
        assert stats.ks_2samp(weights.ravel(), theirs.ravel()).pvalue > 0.01
        np.testing.assert_allclose(weights.std(), theirs.std(), rtol=0.1)


def test_kernel_bias_and_layers_are_drawn_apart_and_again_with_the_seed():
    kernel, bias = _built(5, 5)
    again, _ = _built(5, 5)
    np.testing.assert_array_equal(kernel, again)
    assert not np.isin(bias, kernel).any()
    assert not np.isin(_built(5, 5, seed=1)[0], kernel).any()


@pytest.mark.parametrize("head", [tf_scl.projection_head(3, (8,)), tf_scl.prediction_head(3, 8)])
def test_heads_start_so_and_survive_saving(head, tmp_path):
    head.build((None, 5))
    layers = [layer for layer in head.layers if isinstance(layer, keras.layers.Dense)]
    for layer, limit in zip(layers, (5**-0.5, 8**-0.5), strict=True):
        for weight in (layer.kernel.numpy(), layer.bias.numpy()):
            assert 0.5 * limit < np.abs(weight).max() <= limit
    head.save(tmp_path / "head.keras")
    copy = keras.models.load_model(tmp_path / "head.keras")
    x = np.random.default_rng(0).normal(size=(4, 5)).astype("float32")
    np.testing.assert_array_equal(copy(x), head(x))
    assert [type(layer) for layer in copy.layers] == [type(layer) for layer in head.layers]


def test_a_copy_from_the_config_starts_anew():
    layer = Dense(3, activation="relu", name="mine")
    layer.build((None, 4))
    copy = Dense.from_config(layer.get_config())
    assert (copy.units, copy.name, copy.activation) == (3, "mine", keras.activations.relu)
    copy.build((None, 100))
    assert np.abs(copy.bias.numpy()).max() <= 0.1


def test_two_replicas_start_alike(two_replicas):
    with two_replicas.scope():
        layer = Dense(3)
        layer.build((None, 4))
    for weight in layer.weights:
        first, second = two_replicas.experimental_local_results(weight.value)
        np.testing.assert_array_equal(first, second)
