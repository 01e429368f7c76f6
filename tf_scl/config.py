"""Every setting in one place: frozen dataclasses, checked when made.

`Config` has a section for each concern. A value out of range raises
`InputError` with the setting's name, what is allowed and what came.
"""

import dataclasses
import math
import numbers
import re
import types
import typing
from collections.abc import Callable
from typing import Any, ClassVar, TypeAlias

from tf_scl import registry
from tf_scl.errors import InputError
from tf_scl.losses.names import MU_AUTO, NEGATIVES

PRECISIONS = ("auto", "float32", "mixed_bfloat16", "mixed_float16")
RESNET = "resnet"  # the encoder that is built here
NO_WEIGHTS = "none"
NO_LICENSE = "none"
VIEWS_IN = ("step", "input")
COMPRESSIONS = ("none", "gzip")

Settings: TypeAlias = dict[str, dict[str, Any]]  # {section: {setting: value}}
# What a value must be, in words and as a test.
Allowed: TypeAlias = tuple[str, Callable[[Any], bool]]


def _setting(default: Any, allowed: Allowed, help: str) -> Any:
    """A field with its check: `allowed` is (text, predicate)."""
    return dataclasses.field(default=default, metadata={"allowed": allowed, "help": help})


def _at_least(low: float) -> Allowed:
    return f"at least {low}", lambda value: value >= low


def _above(low: float) -> Allowed:
    return f"above {low}", lambda value: value > low


def _between(low: float, high: float) -> Allowed:
    return f"between {low} and {high}", lambda value: low <= value <= high


def _one_of(*values: Any) -> Allowed:
    return f"one of {', '.join(map(str, values))}", lambda value: value in values


def _named_in(place: str) -> Allowed:
    """A name of a table that stands elsewhere, "module:TABLE", see `tf_scl/registry.py`."""
    return _one_of(*registry.names(place))


def _named_in_or_outside(place: str) -> Allowed:
    text, holds = _named_in(place)
    return f"{text}, or module:Class", lambda name: holds(name) or registry.is_outside(name)


def _rising(low: float, high: float) -> Allowed:
    return (
        f"two numbers, rising, above {low} and at most {high}",
        lambda pair: len(pair) == 2 and low < pair[0] <= pair[1] <= high,
    )


_PROBABILITY = _between(0, 1)


@dataclasses.dataclass(frozen=True)
class _Section:
    """Checks types and ranges of all fields; a base for the sections below."""

    section: ClassVar[str]

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            name = f"{self.section}.{field.name}"
            value = checked(type(self), field.name, getattr(self, field.name), name)
            object.__setattr__(self, field.name, value)


def checked(section: type["_Section"], name: str, value: Any, called: str) -> Any:
    """The value of a setting as its declared type.

    Args:
        section: Such as `AugmentConfig`.
        name: Of a field of it.
        value: Of any type; JSON knows no tuples, and gives a list.
        called: What the message calls the setting.

    Raises:
        InputError: Another type, or out of range.
    """
    field = section.__dataclass_fields__[name]
    kind = typing.get_type_hints(section)[name]
    found = _coerced(value, kind)
    text, holds = field.metadata["allowed"]
    if found is _WRONG or not _finite(found) or not holds(found):
        raise InputError(
            f"{called} must be {text} ({type_name(kind)}). Received: {value!r}",
            setting=f"{section.section}.{name}",
        )
    return found


_WRONG = object()


def _coerced(value: Any, kind: Any) -> Any:
    """The value as its declared type (JSON knows no tuples), or `_WRONG`."""
    arguments = typing.get_args(kind)
    if typing.get_origin(kind) is types.UnionType:
        found = (_coerced(value, one) for one in arguments)
        return next((one for one in found if one is not _WRONG), _WRONG)
    if typing.get_origin(kind) is tuple:
        if not isinstance(value, (tuple, list)):
            return _WRONG
        items = tuple(_coerced(item, arguments[0]) for item in value)
        return _WRONG if _WRONG in items else items
    if kind in (int, float) and not isinstance(value, bool):
        number = numbers.Integral if kind is int else numbers.Real  # numpy's too
        return kind(value) if isinstance(value, number) else _WRONG
    return value if type(value) is kind else _WRONG


def _finite(value: Any) -> bool:
    items = value if isinstance(value, tuple) else (value,)
    return all(math.isfinite(item) for item in items if isinstance(item, float))


def type_name(kind: Any) -> str:
    """How a type is called in a message, such as "whole number"."""
    arguments = typing.get_args(kind)
    if typing.get_origin(kind) is tuple:
        return f"{type_name(arguments[0])}s, separated by commas"
    if arguments:
        return " or ".join(map(type_name, arguments))
    return {int: "whole number", float: "number", bool: "true or false", str: "word"}[kind]


@dataclasses.dataclass(frozen=True)
class IngestConfig(_Section):
    """From image files to records."""

    section: ClassVar[str] = "ingest"
    eval_fraction: float = _setting(
        0.2, _between(0.01, 0.99), "share of the images kept for evaluation"
    )
    max_pixels: int = _setting(
        100_000_000, _between(1, 178_000_000), "images with more pixels are set aside"
    )
    max_megabytes: int = _setting(
        100, _between(1, 2**20), "image files of more bytes are set aside"
    )
    short_side: int = _setting(
        0, _at_least(0), "larger images are shrunk to this short side, pixels; 0 keeps them"
    )
    shard_megabytes: int = _setting(100, _at_least(1), "size of a record file, about")
    compression: str = _setting("none", _one_of(*COMPRESSIONS), "of the record files")


@dataclasses.dataclass(frozen=True)
class AugmentConfig(_Section):
    """How a view is drawn; the arguments of `TwoViews`."""

    section: ClassVar[str] = "augment"
    crop_scale: tuple[float, ...] = _setting((0.2, 1.0), _rising(0, 1), "crop area, share of image")
    crop_ratio: tuple[float, ...] = _setting((3 / 4, 4 / 3), _rising(0, 10), "crop width / height")
    flip: float = _setting(0.5, _PROBABILITY, "probability of a mirror image")
    brightness: float = _setting(0.4, _at_least(0), "strength")
    contrast: float = _setting(0.4, _at_least(0), "strength")
    saturation: float = _setting(0.4, _at_least(0), "strength")
    hue: float = _setting(0.1, _between(0, 0.5), "largest shift, share of the circle")
    jitter: float = _setting(0.8, _PROBABILITY, "probability of a color change")
    grayscale: float = _setting(0.2, _PROBABILITY, "probability of a gray view")
    blur: float = _setting(0.0, _PROBABILITY, "probability of a Gaussian blur")
    blur_sigma: tuple[float, ...] = _setting((0.1, 2.0), _rising(0, 100), "its std, pixels")
    solarize: float = _setting(0.0, _PROBABILITY, "probability that bright values are inverted")


@dataclasses.dataclass(frozen=True)
class ModelConfig(_Section):
    """Method, encoder and projector."""

    section: ClassVar[str] = "model"
    method: str = _setting(
        "spectral",
        _named_in_or_outside("tf_scl.models.methods:METHODS"),
        "what is learned from two views; of yours by module:Class, see docs/how-to/add_a_method.md",
    )
    image_size: int = _setting(32, _at_least(4), "side of the encoder's input, pixels")
    channels: int = _setting(3, _one_of(1, 3), "1 for gray, 3 for color")
    encoder: str = _setting(
        RESNET,
        (f"{RESNET}, a name of keras.applications, a KerasHub preset or a .keras file", bool),
        "what is trained, see docs/how-to/backbones.md",
    )
    weights: str = _setting(
        NO_WEIGHTS,
        (f"{NO_WEIGHTS}, imagenet, preset, or a .weights.h5 or .keras file", bool),
        f"that the encoder begins with; {NO_WEIGHTS}: random, or those of its .keras file",
    )
    backbone_rate: float = _setting(
        1.0, _at_least(0), "multiplies the learning rate of the encoder's weights; 0 freezes them"
    )
    depth: int = _setting(
        18, _named_in("tf_scl.encoders.resnet_sizes:DEPTHS"), "layers of the ResNet"
    )
    width: int = _setting(64, _at_least(1), "channels of its first stage")
    stem: str = _setting(
        "cifar",
        _named_in("tf_scl.encoders.resnet_sizes:STEMS"),
        "of stride 1 or 4, by size of images",
    )
    zero_init_residual: bool = _setting(False, _one_of(True, False), "blocks start as identity")
    projector_hidden: tuple[int, ...] = _setting(
        (2048,), ("at least 1 each", lambda dims: all(dim > 0 for dim in dims)), "hidden widths"
    )
    embedding_dim: int = _setting(1000, _at_least(1), "width that the loss sees")
    mu: float | str = _setting(
        1.0,
        (
            f"above 0, or {MU_AUTO}",
            lambda mu: mu == MU_AUTO if isinstance(mu, str) else mu > 0,
        ),
        f"spectral: embeddings are clipped to norm sqrt(mu); {MU_AUTO} finds the best at each step",
    )
    temperature: float = _setting(0.5, _above(0), "simclr: of the softmax over similarities")
    predictor_hidden: int = _setting(512, _at_least(1), "simsiam: hidden width of the predictor")


@dataclasses.dataclass(frozen=True)
class TrainConfig(_Section):
    """Optimization."""

    section: ClassVar[str] = "train"
    batch_size: int = _setting(512, _at_least(2), "images in a step, over all replicas")
    epochs: int = _setting(800, _at_least(1), "passes over the images")
    minutes: float = _setting(
        0.0, _between(0, 10**6), "of training: as many epochs as fit; 0 trains for train.epochs"
    )
    base_learning_rate: float = _setting(0.03, _above(0), "at batch 256; scaled with the batch")
    warmup_epochs: int = _setting(
        10, _at_least(0), "of linear warm-up, at most half the run; cosine follows"
    )
    optimizer: str = _setting(
        "sgd",
        _named_in("tf_scl.optimizers.by_name:OPTIMIZERS"),
        "lars and lamb are for huge batches",
    )
    momentum: float = _setting(0.9, _between(0, 1), "of sgd and lars")
    weight_decay: float = _setting(
        5e-4, _at_least(0), "inside the gradient of sgd and lars; decoupled in lamb and adamw"
    )
    strategy: str = _setting("auto", _named_in("tf_scl.strategies:STRATEGIES"), "of tf.distribute")
    negatives: str = _setting(
        "global", _one_of(*NEGATIVES), "of all replicas, or of each alone; simsiam has none"
    )
    accumulate: int = _setting(1, _at_least(1), "micro-batches that a batch is worked through in")
    precision: str = _setting(
        "float32",
        _one_of(*PRECISIONS),
        "of the layers in training; auto is mixed_bfloat16 where the machine multiplies in it",
    )
    views_in: str = _setting(
        "step", _one_of(*VIEWS_IN), "views are made on the device, or by tf.data on the host"
    )
    xla: bool = _setting(False, _one_of(True, False), "compile the step with XLA")
    checkpoint_steps: int = _setting(500, _at_least(1), "steps between two checkpoints")
    seed: int = _setting(0, _between(0, 2**31 - 1), "of weights, order and views")

    def require_batch(self, images: int) -> None:
        """Raises InputError where there are fewer images than a batch takes."""
        if images < self.batch_size:
            raise InputError(
                f"train.batch_size is {self.batch_size} but there are only {images} images to "
                f"train on; use train.batch_size {max(2, images // 4)} or add images"
            )


@dataclasses.dataclass(frozen=True)
class EvaluateConfig(_Section):
    """How the frozen encoder is evaluated."""

    section: ClassVar[str] = "evaluate"
    labels_per_class: int = _setting(10, _at_least(1), "in the few-label probe")
    draws: int = _setting(10, _at_least(1), "random choices of those labels, averaged")
    knn_k: int = _setting(200, _at_least(1), "neighbors")
    knn_temperature: float = _setting(0.1, _above(0), "of the kNN vote")
    min_effective_rank: float = _setting(2.0, _at_least(0), "below it an encoder is collapsed")
    require_gain: bool = _setting(
        True,
        _one_of(True, False),
        "bless only what is shown to be better than the untrained encoder",
    )
    fractions: tuple[float, ...] = _setting(
        (0.01, 0.1),
        ("above 0 and below 1 each", lambda shares: all(0 < share < 1 for share in shares)),
        "shares of the labels that are probed too",
    )
    sgd_epochs: int = _setting(
        0, _at_least(0), "of a probe by the paper's SGD on fixed features; 0 leaves it out"
    )
    resamples: int = _setting(1000, _at_least(100), "of the test images, for intervals")
    spectrum_images: int = _setting(
        2000, _at_least(10), "evaluation images at most, for the spectrum of their graph"
    )
    spectrum_views: int = _setting(
        4, ("even, at least 2", lambda views: views >= 2 and views % 2 == 0), "of each of them"
    )
    seed: int = _setting(0, _between(0, 2**31 - 1), "of the draws and folds")


@dataclasses.dataclass(frozen=True)
class ClassifyConfig(_Section):
    """How a classifier is trained from a few labels, on top of the encoder."""

    section: ClassVar[str] = "classify"
    tuned: str = _setting(
        "head",
        _one_of("head", "last", "all"),
        "what is trained: the head, also the last stage, all",
    )
    balanced: bool = _setting(
        False,
        _one_of(True, False),
        "all classes count alike, however many images each has: in training, in the probabilities "
        "and in the verdict",
    )
    validation_fraction: float = _setting(
        0.2,
        ("above 0 and below 1", lambda share: 0 < share < 1),
        "of each class's labels, to stop by",
    )
    batch_size: int = _setting(32, _at_least(1), "labeled images in a step")
    epochs: int = _setting(50, _at_least(1), "at most")
    patience: int = _setting(10, _at_least(1), "epochs without a lower loss before it stops")
    learning_rate: float = _setting(1e-3, _above(0), "of Adam, for the head")
    backbone_rate: float = _setting(0.1, _above(0), "times that, for the encoder")
    crop_scale: tuple[float, float] = _setting(
        (0.5, 1.0), _rising(0, 1), "share of the image that a crop covers"
    )
    flip: float = _setting(0.5, _PROBABILITY, "probability of a mirror image")
    seed: int = _setting(0, _between(0, 2**31 - 1), "of the validation part and the crops")


@dataclasses.dataclass(frozen=True)
class ServeConfig(_Section):
    """What is stated of a model that is served."""

    section: ClassVar[str] = "serve"
    license: str = _setting(
        NO_LICENSE,
        (
            f"{NO_LICENSE}, or letters, digits, dots, + and - such as apache-2.0",
            lambda name: bool(re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9.+-]*", name)),
        ),
        "of the model, for its card: an identifier of https://spdx.org/licenses",
    )


@dataclasses.dataclass(frozen=True)
class Config:
    """All settings of a run."""

    ingest: IngestConfig = IngestConfig()
    augment: AugmentConfig = AugmentConfig()
    model: ModelConfig = ModelConfig()
    train: TrainConfig = TrainConfig()
    evaluate: EvaluateConfig = EvaluateConfig()
    classify: ClassifyConfig = ClassifyConfig()
    serve: ServeConfig = ServeConfig()

    def to_dict(self, *sections: str) -> Settings:
        """Plain dict for JSON, of the named sections or of all."""
        whole = dataclasses.asdict(self)
        return {name: whole[name] for name in sections or whole}

    @classmethod
    def from_dict(cls, settings: Settings) -> "Config":
        """The inverse of `to_dict`; what is missing takes its default.

        Raises:
            InputError: An unknown section or setting, or a value out of range.
        """
        return Config().replace(settings)

    def replace(self, settings: Settings) -> "Config":
        """A copy with some settings changed, `{section: {setting: value}}`.

        Where `train.epochs` is among them and `train.minutes` is not, the epochs
        count, and `train.minutes` becomes 0.

        Raises:
            InputError: As `from_dict`.
        """
        changed = {}
        for section, values in settings.items():
            known = [field.name for field in dataclasses.fields(self)]
            if section not in known:
                raise InputError(f"no section {section!r} of settings; there are {known}")
            old = getattr(self, section)
            names = [field.name for field in dataclasses.fields(old)]
            for name in values:
                if name not in names:
                    raise InputError(f"no setting {section}.{name}; {section} has {names}")
            if section == TrainConfig.section and "epochs" in values:
                values = {"minutes": 0.0, **values}
            changed[section] = dataclasses.replace(old, **values)
        return dataclasses.replace(self, **changed)


# Settings that differ from the defaults, which are the official CIFAR-10 recipe.
PRESETS: dict[str, Settings] = {
    # scikit-learn's digits: small and gray, no mirror images. Minutes on a CPU.
    "digits": {
        "augment": {"crop_scale": (0.4, 1.0), "flip": 0.0, "hue": 0.0, "grayscale": 0.0},
        "model": {
            "image_size": 16,
            "channels": 1,
            "depth": 10,
            "width": 32,
            "projector_hidden": (512,),
            "embedding_dim": 256,
            "mu": MU_AUTO,
        },
        "train": {
            "batch_size": 256,
            "epochs": 40,
            "base_learning_rate": 0.5,
            "warmup_epochs": 4,
            "precision": "auto",
        },
    },
    # A folder of 1,000 to 20,000 photographs on a processor of a few cores
    # (docs/explanation/recipes.md). A stem of stride 4 makes 64 pixels as cheap as 16 without.
    "laptop": {
        "model": {
            "image_size": 64,
            "depth": 10,
            "width": 32,
            "stem": "imagenet",
            "projector_hidden": (512,),
            "embedding_dim": 256,
            "mu": MU_AUTO,
        },
        "train": {
            "batch_size": 128,
            "minutes": 8.0,  # of training; without them, epochs
            "epochs": 20,
            "base_learning_rate": 0.3,
            "warmup_epochs": 2,
            "precision": "auto",
        },
    },
    # The official code's CIFAR-10 recipe: the defaults. Not measured by us.
    "cifar10": {},
    # The official code's resnet50 ImageNet recipe (100 epochs). Not measured by us.
    "imagenet": {
        "augment": {"blur": 0.5},
        "model": {
            "image_size": 224,
            "depth": 50,
            "stem": "imagenet",
            "zero_init_residual": True,
            "projector_hidden": (8192, 8192),
            "embedding_dim": 8192,
            "mu": 10.0,
        },
        "train": {
            "batch_size": 384,
            "epochs": 101,
            "base_learning_rate": 0.05,
            "warmup_epochs": 0,
            "weight_decay": 1e-4,
        },
    },
}

# Presets for whatever images there are: unless train.batch_size is given, the batch fits them.
FITTED_TO_THE_IMAGES = ("digits", "laptop")


def preset(name: str) -> Config:
    """The `Config` of a preset: "digits", "laptop", "cifar10" or "imagenet".

    Raises:
        InputError: Another name.
    """
    if name not in PRESETS:
        raise InputError(f"no preset {name!r}; there are {sorted(PRESETS)}")
    return Config.from_dict(PRESETS[name])
