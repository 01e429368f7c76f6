"""Every argument and the state of every optimizer that the library offers survive saving."""

import inspect
import json

import keras
import numpy as np
import pytest

import tf_scl

OPTIMIZERS = [
    keras.optimizers.SGD,
    tf_scl.L2SGD,
    tf_scl.LARS,
    keras.optimizers.Lamb,
    keras.optimizers.AdamW,
]

# A value for each argument of each optimizer, never the default.
VALUES = {
    "learning_rate": 0.3,
    "momentum": 0.8,
    "nesterov": True,
    "l2": 0.01,
    "trust_coefficient": 0.2,
    "exclude": ["kernel"],
    "beta_1": 0.7,
    "beta_2": 0.9,
    "epsilon": 1e-3,
    "amsgrad": True,
    "weight_decay": 0.02,
    "clipnorm": 0.5,
    "clipvalue": 0.3,
    "global_clipnorm": 0.7,
    "use_ema": True,
    "ema_momentum": 0.6,
    "ema_overwrite_frequency": 2,
    "loss_scale_factor": 4.0,
    "gradient_accumulation_steps": 2,
    "name": "mine",
}
CLIPS = ("clipnorm", "clipvalue", "global_clipnorm")  # Keras allows one at a time


def _defaults(optimizer):
    """{argument: default} of a class, following **kwargs into the classes it is made of."""
    found = {}
    for cls in optimizer.__mro__:
        if "__init__" not in vars(cls) or cls is object:
            continue
        parameters = list(inspect.signature(cls.__init__).parameters.values())[1:]
        for parameter in parameters:
            if parameter.kind == parameter.POSITIONAL_OR_KEYWORD:
                found.setdefault(parameter.name, parameter.default)
        if not any(parameter.kind == parameter.VAR_KEYWORD for parameter in parameters):
            break
    return found


def _arguments(optimizer, clip):
    """A value for every argument; a KeyError means that `VALUES` lacks a new one."""
    arguments = {}
    for name, default in _defaults(optimizer).items():
        assert VALUES[name] != default, name
        if name not in CLIPS or name == clip:
            arguments[name] = VALUES[name]
    return arguments


def _schedule():
    return keras.optimizers.schedules.CosineDecay(
        0.01, 6, alpha=0.1, name="cosine", warmup_target=0.3, warmup_steps=2
    )


def _model():
    keras.utils.set_random_seed(0)
    return keras.Sequential(
        [
            keras.Input((3,)),
            keras.layers.Dense(4),
            keras.layers.BatchNormalization(),
            keras.layers.Dense(2),
        ]
    )


def _train(model, batches):
    rng = np.random.default_rng(batches)
    for _ in range(batches):
        x, y = rng.normal(size=(8, 3)), rng.normal(size=(8, 2))
        model.train_on_batch(x.astype("float32"), y.astype("float32"))


def _state(model):
    variables = [*model.variables, *model.optimizer.variables]
    return [variable.numpy() for variable in variables]


def _assert_resumes(optimizer, path):
    """Training 3 batches, saving, loading and 4 batches more equals 7 without a break."""
    model = _model()
    model.compile(optimizer, loss="mse", run_eagerly=True)  # tracing takes three times as long
    _train(model, 3)
    model.save(path)
    copy = keras.models.load_model(path)
    assert type(copy.optimizer) is type(optimizer)
    assert len(_state(copy)) == len(_state(model))
    for ours, theirs in zip(_state(model), _state(copy), strict=True):
        np.testing.assert_array_equal(theirs, ours)
    before = _state(model)
    _train(model, 4)
    _train(copy, 4)
    for ours, theirs in zip(_state(model), _state(copy), strict=True):
        np.testing.assert_allclose(theirs, ours, rtol=1e-6, atol=1e-7)
    assert max(np.abs(a - b).max() for a, b in zip(before, _state(model), strict=True)) > 1e-3


def test_the_arguments_are_found_through_kwargs():
    assert _defaults(keras.optimizers.SGD).keys() < _defaults(tf_scl.L2SGD).keys()
    assert _defaults(tf_scl.L2SGD)["l2"] == 0.0
    assert {"exclude", "clipnorm", "gradient_accumulation_steps"} < _defaults(tf_scl.LARS).keys()


@pytest.mark.parametrize("clip", CLIPS)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_argument_survives(optimizer, clip):
    arguments = _arguments(optimizer, clip)
    original = optimizer(**arguments)
    by_json = json.loads(json.dumps(keras.saving.serialize_keras_object(original)))
    for copy in (
        optimizer.from_config(original.get_config()),
        keras.saving.deserialize_keras_object(by_json),
    ):
        assert type(copy) is optimizer
        config = copy.get_config()
        for name, value in arguments.items():
            expected = pytest.approx(value, rel=1e-6) if isinstance(value, float) else value
            assert config[name] == expected, name
        assert config == original.get_config()


LAMB_IS_UNLISTED = pytest.mark.xfail(
    raises=AssertionError,
    reason="Keras 3.12.4 to 3.15.1 forget Lamb in the table behind keras.optimizers.deserialize, "
    "which returns the string 'Lamb'; keras.saving and load_model do know it",
)


@pytest.mark.parametrize(
    "optimizer",
    [
        pytest.param(cls, marks=LAMB_IS_UNLISTED) if cls is keras.optimizers.Lamb else cls
        for cls in OPTIMIZERS
    ],
)
def test_keras_optimizers_deserialize_knows_it(optimizer):
    original = optimizer(learning_rate=0.3)
    copy = keras.optimizers.deserialize(keras.optimizers.serialize(original))
    assert type(copy) is optimizer
    assert copy.get_config() == original.get_config()


@pytest.mark.xfail(
    raises=AssertionError,
    reason="Keras 3.12.4 to 3.15.1 keep exclude_from_weight_decay out of the config: after "
    "loading, biases decay too. It is a method, no argument; LARS(exclude=...) is kept",
)
def test_keras_keeps_its_exclusion_from_weight_decay():
    original = keras.optimizers.AdamW(learning_rate=0.1, weight_decay=0.5)
    original.exclude_from_weight_decay(var_names=["bias"])
    after = []
    for optimizer in (original, keras.optimizers.AdamW.from_config(original.get_config())):
        bias = keras.Variable(np.ones(2, np.float32), name="bias")
        optimizer.apply([np.zeros(2, np.float32)], [bias])
        after.append(bias.numpy())
    np.testing.assert_array_equal(after[1], after[0])


@pytest.mark.parametrize("clip", CLIPS)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_training_resumes_after_save_and_load(optimizer, clip, tmp_path):
    _assert_resumes(optimizer(**_arguments(optimizer, clip)), tmp_path / "model.keras")


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_training_resumes_within_a_schedule(optimizer, tmp_path):
    """Saved in the decay, after the warm-up; only the rate and the momentum are set."""
    options = {"momentum": 0.8} if "momentum" in _defaults(optimizer) else {}
    _assert_resumes(optimizer(_schedule(), **options), tmp_path / "model.keras")
