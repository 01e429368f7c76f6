import argparse

import pytest

import tf_scl
from tf_scl.flags import add_flags, config_from


def _config(*flags, default="digits", sections=None):
    parser = argparse.ArgumentParser()
    add_flags(parser, default, sections)
    given = vars(parser.parse_args(flags))
    config = config_from(given, default)
    assert given == {}
    return config


def test_without_flags_the_default_preset_holds():
    assert _config(default="laptop") == tf_scl.preset("laptop")


def test_a_policy_comes_after_the_preset_and_before_single_flags():
    config = _config("--policy", "simclr", "--preset", "imagenet", "--augment.hue", "0.05")
    assert config.augment.brightness == 0.8
    assert config.augment.blur == 0.5
    assert config.augment.hue == 0.05
    assert config.train == tf_scl.preset("imagenet").train


def test_a_policy_is_for_the_size_that_is_used():
    assert _config("--policy", "simclr", "--model.image_size", "96").augment.blur == 0.5
    assert _config("--policy", "simclr", "--model.image_size", "32").augment.blur == 0.0


def test_sections_without_flags_have_none():
    with pytest.raises(SystemExit):
        _config("--train.epochs", "3", sections=["augment"])


def test_an_unknown_policy_is_named():
    with pytest.raises(tf_scl.InputError, match="no augmentation policy 'moco'; there are"):
        _config("--policy", "moco")
