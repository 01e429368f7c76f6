import keras
import numpy as np
import pytest

import tf_scl


def _trainable(model):
    return sum(int(np.prod(v.shape)) for v in model.trainable_variables)


@pytest.mark.parametrize(
    # torchvision's published counts less the classifier's (1000 * D + 1000).
    "depth,dim,published",
    [(18, 512, 11_689_512), (34, 512, 21_797_672), (50, 2048, 25_557_032)],
)
def test_parameters_are_as_published(depth, dim, published):
    model = tf_scl.resnet(depth, (224, 224, 3), stem="imagenet")
    assert model.output_shape == (None, dim)
    assert _trainable(model) == published - 1000 * dim - 1000


def test_cifar_stem_keeps_the_resolution():
    model = tf_scl.resnet(18, (32, 32, 3))
    # The 7 x 7 kernel becomes 3 x 3: 64 * 3 * (49 - 9) weights fewer.
    assert _trainable(model) == 11_689_512 - 513_000 - 64 * 3 * 40
    adds = [layer.output.shape[1:3] for layer in model.layers if type(layer).__name__ == "Add"]
    assert adds[::2] == [(32, 32), (16, 16), (8, 8), (4, 4)]


def test_input_is_standardized_by_imagenet_statistics():
    model = tf_scl.resnet(10, (8, 8, 3), width=4)
    standardize = keras.Model(model.input, model.get_layer("standardize").output)
    image = np.random.default_rng(0).integers(0, 256, (1, 8, 8, 3)).astype(np.uint8)
    expected = (image / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    np.testing.assert_allclose(standardize(image), expected, rtol=1e-4, atol=1e-5)


def test_zero_init_residual_makes_blocks_the_identity():
    model = tf_scl.resnet(10, (8, 8, 1), width=4, zero_init_residual=True)
    x = np.random.default_rng(0).normal(size=(2, 8, 8, 1)) * 50 + 100
    stem = keras.Model(model.input, model.layers[4].output)  # after the stem's ReLU
    first_block = next(layer for layer in model.layers if type(layer).__name__ == "Add")
    after = keras.Model(model.input, first_block.output)
    np.testing.assert_allclose(after(x), stem(x), atol=1e-6)


@pytest.mark.parametrize("options", [{"depth": 20}, {"stem": "cifar100"}])
def test_unknown_choices_are_named(options):
    with pytest.raises(tf_scl.InputError, match=str(next(iter(options.values())))):
        tf_scl.resnet(**options)
