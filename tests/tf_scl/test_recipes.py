"""The presets against the table of the official recipes, line by line."""

import pathlib
import re

import pytest

import tf_scl
from tf_scl import training
from tf_scl.optimizers.by_name import build_optimizer

_TABLE = pathlib.Path(__file__).parents[3] / "shared" / "recipes.md"
_PRESETS = ("cifar10", "imagenet")

# Lines that are no setting of a preset, with the reason.
_NOT_SETTINGS = {
    "Checkpoints": "ours hold the whole state",
    "kNN monitor": "never called by the official code; an optional callback here",
    "Solarize": "no such operation yet, and none in the recipes",
    "Normalize": "the constants are the defaults of `resnet`; see test_normalization",
}


def _rows():
    """{item: (CIFAR-10 cell, ImageNet cell)} of the first table; a lone "same" is filled in."""
    text = _TABLE.read_text().split("| Item | CIFAR-10", 1)[1]
    rows = {}
    for line in text.splitlines()[2:]:
        if not line.startswith("|"):
            break
        item, cifar, imagenet = (cell.strip() for cell in line.strip("|").split("|"))
        item = re.sub("(?<=ol)our", "or", re.sub("(?<=al)ise", "ize", item))  # its own spelling
        rows[item] = (cifar, cifar if imagenet == "same" else imagenet)
    return rows


def _numbers(text):
    return [float(number) for number in re.findall(r"\d+(?:\.\d+)?(?:e-?\d+)?", text)]


def _backbone(c, text):
    depth, width = int(re.search(r"ResNet-(\d+)", text)[1]), int(re.search(r"(\d+)-d out", text)[1])
    stem = "cifar" if "3x3 stride-1 stem, no max-pool" in text else "imagenet"
    assert (c.model.depth, c.model.stem) == (depth, stem)
    assert stem == "cifar" or "standard 7x7 stem" in text
    tiny = c.replace({"model": {"projector_hidden": (1,), "embedding_dim": 1}})
    assert training.build_model(tiny).encoder.output_shape == (None, width)


def _projector(c, text):
    widths = [int(n) for n in re.findall(r"→(\d+)", text)]
    assert (*c.model.projector_hidden, c.model.embedding_dim) == tuple(widths)
    assert text.count("BN ReLU") == len(c.model.projector_hidden)
    assert "no final ReLU" in text


def _optimizer(c, text):
    assert text == "SGD, momentum 0.9, no Nesterov"
    optimizer = build_optimizer(c.train, 0.1)
    assert type(optimizer) is tf_scl.L2SGD
    assert (optimizer.momentum, optimizer.nesterov) == (0.9, False)


def _rate(c, text):
    base, batch, per, real = _numbers(text)
    assert (c.train.base_learning_rate, c.train.batch_size, per) == (base, batch, 256)
    train = c.train
    steps = 100
    rate = training.learning_rate(train, steps)
    assert float(rate(train.warmup_epochs * steps)) == pytest.approx(real, rel=1e-5)


def _schedule(c, text):
    assert "cosine to 0, per step" in text
    epochs = 0 if text.startswith("no warm-up") else int(_numbers(text)[0])
    assert c.train.warmup_epochs == epochs
    rate = training.learning_rate(c.train, 10)
    if epochs:
        assert "linear warm-up from 0" in text and float(rate(0)) == 0.0
        assert float(rate(5 * epochs)) == pytest.approx(float(rate(10 * epochs)) / 2, rel=1e-5)
    assert float(rate(10 * c.train.epochs)) == pytest.approx(0.0, abs=1e-8)


def _decay(c, text):
    assert c.train.weight_decay == _numbers(text)[0]
    assert build_optimizer(c.train, 0.1).l2 == c.train.weight_decay  # of all parameters


def _crop(c, text):
    low, high, *ratio = _numbers(text)
    assert c.augment.crop_scale == (low, high)
    assert c.augment.crop_ratio == (ratio[0] / ratio[1], ratio[2] / ratio[3])


def _jitter(c, text):
    a = c.augment
    found = [a.brightness, a.contrast, a.saturation, a.hue, a.jitter]
    assert _numbers(text) == found


def _blur(c, text):
    if text.startswith("off"):
        assert c.augment.blur == 0.0
    else:
        probability, low, high = _numbers(text)
        assert (c.augment.blur, c.augment.blur_sigma) == (probability, (low, high))


# item -> check(config, cell). An item of the table that is neither here nor in
# _NOT_SETTINGS fails the test.
_CHECKS = {
    "Backbone": _backbone,
    "Zero-init last BN of block": lambda c, text: _same(c.model.zero_init_residual, text == "yes"),
    "Projector": _projector,
    "Embedding dim": lambda c, text: _same(c.model.embedding_dim, int(text)),
    "mu": lambda c, text: _same(c.model.mu, float(text)),
    "Optimizer": _optimizer,
    "Base lr → real lr": _rate,
    "Schedule": _schedule,
    "Weight decay": _decay,
    "Batch": lambda c, text: _same([c.train.batch_size], _numbers(text)),
    "Epochs": lambda c, text: _same(c.train.epochs, _numbers(text)[0]),
    "Image size": lambda c, text: _same(c.model.image_size, int(text)),
    "RandomResizedCrop": _crop,
    "Horizontal flip": lambda c, text: _same([c.augment.flip], _numbers(text)),
    "Color jitter": _jitter,
    "Grayscale": lambda c, text: _same([c.augment.grayscale], _numbers(text)),
    "Gaussian blur": _blur,
}


def _same(found, expected):
    assert found == expected


@pytest.mark.skipif(not _TABLE.exists(), reason="the table of recipes is not beside this checkout")
@pytest.mark.parametrize("preset", _PRESETS)
def test_presets_are_the_official_recipes(preset):
    rows = _rows()
    assert set(rows) == set(_CHECKS) | set(_NOT_SETTINGS)
    for item, check in _CHECKS.items():
        try:
            check(tf_scl.preset(preset), rows[item][_PRESETS.index(preset)])
        except AssertionError as error:
            raise AssertionError(f"{item} = {rows[item]}: {error}") from error


def test_normalization():
    """ImageNet's mean and standard deviation, on CIFAR too."""
    import inspect

    defaults = inspect.signature(tf_scl.resnet).parameters
    mean = [255 * value for value in (0.485, 0.456, 0.406)]
    std = [255 * value for value in (0.229, 0.224, 0.225)]
    assert defaults["mean"].default == pytest.approx(mean)
    assert defaults["std"].default == pytest.approx(std)
