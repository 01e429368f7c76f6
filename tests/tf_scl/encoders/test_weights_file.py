"""Files of weights, into small networks; `test_backbones.py` has those that settings name."""

import keras
import numpy as np
import pytest

from tf_scl.encoders.weights_file import load_weights
from tf_scl.errors import InputError


def _network(*widths, seed=0):
    keras.utils.set_random_seed(seed)
    layers = [keras.layers.Dense(width) for width in widths]
    return keras.Sequential([keras.Input((3,)), *layers, keras.layers.BatchNormalization()])


def _around(network):
    images = keras.Input((3,))
    return keras.Model(images, network(keras.layers.Rescaling(0.5)(images)))


@pytest.mark.parametrize("form", ["weights.h5", "keras"])
@pytest.mark.parametrize("whole", [True, False])
def test_weights_of_the_network_or_of_the_encoder_around_it(tmp_path, form, whole):
    path, saved = str(tmp_path / f"a.{form}"), _network(4, 2, seed=1)
    written = _around(saved) if whole else saved
    written.save(path) if form == "keras" else written.save_weights(path)
    network = _network(4, 2)
    load_weights(path, "mine", network, _around(network))
    for found, expected in zip(network.weights, saved.weights, strict=True):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    ("widths", "reason"),
    [((4,), "it holds 6 arrays, and not 8"), ((4, 3), "shape .* in the place of|of .*shape")],
)
@pytest.mark.parametrize("form", ["weights.h5", "keras"])
def test_another_architecture_is_told_by_what_differs(tmp_path, form, widths, reason):
    path, network = str(tmp_path / f"a.{form}"), _network(4, 2)
    other = _network(*widths)
    other.save(path) if form == "keras" else other.save_weights(path)
    with pytest.raises(InputError, match="a.* are of another architecture than the encoder 'mine'"):
        load_weights(path, "mine", network, _around(network))
    if form == "keras":
        with pytest.raises(InputError, match=reason):
            load_weights(path, "mine", network, _around(network))


@pytest.mark.parametrize("content", [b"", b"\x89HDF\r\n cut short", b"text"])
def test_a_damaged_file(tmp_path, content):
    path, network = tmp_path / "a.weights.h5", _network(4)
    path.write_bytes(content)
    with pytest.raises(InputError, match="a.weights.h5' cannot be read: damaged, cut short, or no"):
        load_weights(str(path), "mine", network, network)


def test_a_remote_file(tmp_path):
    saved, network = _network(4, seed=1), _network(4)
    saved.save_weights(tmp_path / "a.weights.h5")
    load_weights(f"file://{tmp_path}/a.weights.h5", "mine", network, network)
    np.testing.assert_array_equal(network.weights[0], saved.weights[0])
