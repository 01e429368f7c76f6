import keras
import pytest

import tf_scl
from tests.tf_scl.encoders.tiny_vit import tiny_vit
from tf_scl.classification.trained_part import leaves, part_of


def test_the_last_stage_of_a_resnet_begins_where_maps_become_smallest():
    encoder = tf_scl.resnet(10, (32, 32, 3), width=4)
    part = part_of(encoder)
    assert part[-1].name == "features"
    kernels = [layer.kernel for layer in part if hasattr(layer, "kernel")]
    # Of the last block: both convolutions, and the shortcut's.
    shapes = sorted(tuple(kernel.shape) for kernel in kernels)
    assert shapes == [(1, 1, 16, 32), (3, 3, 16, 32), (3, 3, 32, 32)]
    # Nothing before it has maps of that size.
    before = [layer for layer in leaves(encoder) if not any(layer is one for one in part)]
    assert all(layer.output.shape[1] > 4 for layer in before[1:])


def test_models_inside_models():
    first, second = keras.layers.Conv2D(2, 1), keras.layers.Conv2D(2, 3, 2, "same")
    inner = keras.Sequential([keras.Input((8, 8, 2)), second, keras.layers.ReLU()])
    encoder = keras.Sequential(
        [keras.Input((8, 8, 3)), first, inner, keras.layers.GlobalAveragePooling2D()]
    )
    assert [type(layer).__name__ for layer in part_of(encoder)] == [
        "Conv2D",
        "ReLU",
        "GlobalAveragePooling2D",
    ]


def test_where_there_is_no_last_stage():
    for encoder in (tiny_vit(), keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Flatten()])):
        with pytest.raises(tf_scl.InputError, match='has no last stage.*"all".*"head"'):
            part_of(encoder)


def test_squeeze_and_excitation_is_not_taken_for_the_last_stage():
    network = keras.applications.MobileNetV3Small((64, 64, 3), weights=None, include_top=False)
    part = part_of(network)
    weights = sum(len(layer.weights) for layer in part)
    assert 0 < weights < len(network.weights) / 2
    assert not any(layer.name == "expanded_conv_squeeze_excite_avg_pool" for layer in part)
