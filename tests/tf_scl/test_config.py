import dataclasses
import json

import pytest

import tf_scl
from tf_scl.config import PRESETS


@pytest.mark.parametrize("name", PRESETS)
def test_presets_survive_json(name):
    config = tf_scl.preset(name)
    assert tf_scl.Config.from_dict(json.loads(json.dumps(config.to_dict()))) == config


def test_recipes_are_those_of_the_official_code():
    """`resnet18 CIFAR-10` and `resnet50 ImageNet 100 epochs`, read from its files."""
    cifar, imagenet = tf_scl.preset("cifar10"), tf_scl.preset("imagenet")
    assert (cifar.model.depth, cifar.model.stem, cifar.model.zero_init_residual) == (
        18,
        "cifar",
        False,
    )
    assert (imagenet.model.depth, imagenet.model.stem, imagenet.model.zero_init_residual) == (
        50,
        "imagenet",
        True,
    )
    assert (cifar.model.projector_hidden, cifar.model.embedding_dim) == ((2048,), 1000)
    assert (imagenet.model.projector_hidden, imagenet.model.embedding_dim) == ((8192, 8192), 8192)
    assert (cifar.model.mu, imagenet.model.mu) == (1, 10)
    assert (cifar.train.batch_size, imagenet.train.batch_size) == (512, 384)
    assert (cifar.train.epochs, imagenet.train.epochs) == (800, 101)
    assert (cifar.train.base_learning_rate, imagenet.train.base_learning_rate) == (0.03, 0.05)
    assert (cifar.train.warmup_epochs, imagenet.train.warmup_epochs) == (10, 0)
    assert (cifar.train.weight_decay, imagenet.train.weight_decay) == (5e-4, 1e-4)
    assert (cifar.model.image_size, imagenet.model.image_size) == (32, 224)
    assert (cifar.augment.blur, imagenet.augment.blur) == (0.0, 0.5)
    for recipe in (cifar, imagenet):
        assert recipe.train.momentum == 0.9
        assert recipe.augment == dataclasses.replace(
            recipe.augment,
            crop_scale=(0.2, 1.0),
            crop_ratio=(3 / 4, 4 / 3),
            flip=0.5,
            brightness=0.4,
            contrast=0.4,
            saturation=0.4,
            hue=0.1,
            jitter=0.8,
            grayscale=0.2,
            blur_sigma=(0.1, 2.0),
        )


@pytest.mark.parametrize(
    "changes,message",
    [
        ({"train": {"batch_size": 1}}, "train.batch_size must be at least 2.*Received: 1"),
        ({"train": {"epochs": 2.5}}, r"whole number\). Received: 2.5"),
        ({"train": {"epochs": True}}, "Received: True"),
        ({"train": {"minutes": -1}}, "train.minutes must be between 0 .*Received: -1"),
        ({"train": {"minutes": float("nan")}}, "train.minutes .*nan"),
        ({"train": {"base_learning_rate": float("nan")}}, "above 0.*nan"),
        (
            {"train": {"strategy": "tpu9"}},
            "one of auto.*mirrored, multi_worker, tpu .*'tpu9'",
        ),
        ({"serve": {"license": "my license"}}, "none, or letters, .*'my license'"),
        ({"serve": {"license": ""}}, "serve.license must be .*Received: ''"),
        ({"augment": {"crop_scale": (1.0, 0.2)}}, "rising.*1.0, 0.2"),
        ({"augment": {"crop_scale": (0.2,)}}, "two numbers"),
        ({"augment": {"flip": 1.5}}, "between 0 and 1.*1.5"),
        ({"model": {"projector_hidden": (0,)}}, "at least 1 each"),
        ({"model": {"channels": 4}}, "one of 1, 3"),
        ({"model": {"mu": 0.0}}, "above 0, or auto.*Received: 0.0"),
        ({"model": {"mu": -1.0}}, "Received: -1.0"),
        ({"model": {"mu": float("nan")}}, "nan"),
        ({"model": {"mu": float("inf")}}, "inf"),
        ({"model": {"mu": True}}, "model.mu.*True"),
        ({"model": {"mu": None}}, "model.mu.*None"),
        ({"model": {"mu": "automatic"}}, "above 0, or auto.*'automatic'"),
        ({"ingest": {"eval_fraction": 0.0}}, "ingest.eval_fraction"),
        ({"trian": {}}, "no section 'trian'"),
        ({"train": {"lr": 1}}, "no setting train.lr; train has.*base_learning_rate"),
    ],
)
def test_a_bad_value_is_named_with_its_remedy(changes, message):
    with pytest.raises(tf_scl.InputError, match=message):
        tf_scl.Config.from_dict(changes)


def test_replace_changes_only_what_it_names():
    config = tf_scl.preset("digits")
    changed = config.replace({"train": {"epochs": 3}})
    assert changed.train == dataclasses.replace(config.train, epochs=3)
    assert changed.model == config.model


def test_epochs_take_the_place_of_minutes():
    config = tf_scl.Config.from_dict({"train": {"epochs": 20, "minutes": 8}})
    assert (config.train.epochs, config.train.minutes) == (20, 8.0)
    changed = config.replace({"train": {"epochs": 3}}).train
    assert (changed.epochs, changed.minutes) == (3, 0.0)
    assert config.replace({"train": {"batch_size": 64}}).train.minutes == 8.0


def test_unknown_preset():
    with pytest.raises(tf_scl.InputError, match="no preset 'mnist'; there are.*'cifar10'"):
        tf_scl.preset("mnist")
