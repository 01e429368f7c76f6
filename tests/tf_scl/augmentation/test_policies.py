import pytest

import tf_scl
from tf_scl.augmentation.policies import POLICIES, policy


@pytest.mark.parametrize("name", POLICIES)
@pytest.mark.parametrize("size", [32, 224])
def test_a_policy_is_arguments_of_the_layer(name, size):
    layer = tf_scl.TwoViews(size, **policy(name, size))
    assert layer.blur == (0.5 if size == 224 else 0.0)


def test_simclr_is_papers():
    """arXiv 2002.05709, appendix A: (0.8 s, 0.8 s, 0.8 s, 0.2 s); B.9: s = 0.5, no blur."""
    large, small = policy("simclr", 224), policy("simclr", 32)
    names = ("brightness", "contrast", "saturation", "hue")
    assert [large[name] for name in names] == [0.8, 0.8, 0.8, 0.2]
    assert [small[name] for name in names] == [0.4, 0.4, 0.4, 0.1]
    assert large["crop_scale"] == small["crop_scale"] == (0.08, 1.0)


@pytest.mark.parametrize("preset", ["cifar10", "imagenet"])
def test_the_presets_of_the_recipes_are_the_spectral_policy(preset):
    config = tf_scl.preset(preset)
    assert vars(config.augment) == policy("spectral", config.model.image_size)


def test_another_name_is_an_error():
    with pytest.raises(tf_scl.InputError, match=r"policy 'byol'; there are \['simclr', 'spectral'"):
        policy("byol", 32)
