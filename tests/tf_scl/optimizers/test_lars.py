import keras
import numpy as np
import pytest
import tensorflow as tf

import tf_scl

SHAPES = {"kernel": (4, 3), "bias": (3,), "gamma": (3,), "zero": (2, 2)}


def _reference_step(w, v, g, rate, momentum, l2, trust, epsilon, nesterov, excluded):
    """(w, v) after a step of algorithm 1 of arXiv 1708.03888, float64."""
    if excluded:
        l2 = 0.0
    ratio = 1.0
    w_norm, g_norm = np.sqrt((w**2).sum()), np.sqrt((g**2).sum())
    if not excluded and w_norm > 0 and g_norm > 0:
        ratio = trust * w_norm / (g_norm + l2 * w_norm + epsilon)
    v = momentum * v + rate * ratio * (g + l2 * w)
    ahead = momentum * v + rate * ratio * (g + l2 * w)
    return w - (ahead if nesterov else v), v


def _reference(weights, gradients, rates, excluded, **options):
    """Weights after all steps; `gradients` is a list (steps) of lists (variables)."""
    defaults = dict(momentum=0.9, l2=0.0, trust=0.001, epsilon=0.0, nesterov=False)
    options = {**defaults, **options}
    result = []
    for index, w in enumerate(weights):
        w, v = w.astype(np.float64), np.zeros(w.shape)
        for rate, step in zip(rates, gradients, strict=True):
            g = step[index].astype(np.float64)
            w, v = _reference_step(w, v, g, rate, excluded=excluded[index], **options)
        result.append(w)
    return result


def _weights(dtype="float32"):
    rng = np.random.default_rng(0)
    return [
        (rng.normal(size=shape) * (name != "zero")).astype(dtype) for name, shape in SHAPES.items()
    ]


def _gradients(steps=5, seed=1):
    rng = np.random.default_rng(seed)
    return [
        [rng.normal(size=shape).astype(np.float32) for shape in SHAPES.values()]
        for _ in range(steps)
    ]


def _variables(dtype="float32"):
    named = zip(SHAPES, _weights(dtype), strict=True)
    return [keras.Variable(value, name=name, dtype=dtype) for name, value in named]


def _run(optimizer, gradients, variables=None):
    """Weights after applying each step's gradients."""
    variables = variables or _variables()
    for step in gradients:
        optimizer.apply([tf.constant(gradient) for gradient in step], variables)
    return [variable.numpy() for variable in variables]


def _assert_close(actual, expected, rtol=2e-5, atol=1e-7):
    for a, b in zip(actual, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=rtol, atol=atol)


EXCLUDED = [False, True, True, False]  # of SHAPES, by the default


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"momentum": 0.0},
        {"l2": 0.05},
        {"l2": 0.05, "trust_coefficient": 0.2},
        {"l2": 0.05, "trust_coefficient": 0.2, "epsilon": 0.7},
        {"l2": 0.05, "trust_coefficient": 0.2, "nesterov": True, "momentum": 0.8},
    ],
    ids=str,
)
def test_follows_the_paper(options):
    gradients = _gradients()
    ours = _run(tf_scl.LARS(0.5, **options), gradients)
    renamed = {"trust" if k == "trust_coefficient" else k: v for k, v in options.items()}
    _assert_close(ours, _reference(_weights(), gradients, [0.5] * 5, EXCLUDED, **renamed))


def test_a_step_by_hand():
    """|w| = 5, |g| = 10: the ratio is 0.1 * 5 / (10 + 0.2 * 5) = 1/22."""
    w = keras.Variable(np.array([3.0, 4.0], np.float32), name="kernel")
    tf_scl.LARS(2.0, l2=0.2, trust_coefficient=0.1).apply([tf.constant([6.0, 8.0])], [w])
    np.testing.assert_allclose(w, [3 - 2 / 22 * 6.6, 4 - 2 / 22 * 8.8], rtol=1e-6)


def test_excluded_variables_take_keras_sgd_steps():
    gradients = _gradients()
    lars = tf_scl.LARS(0.1, l2=0.3, exclude=list(SHAPES))
    _assert_close(
        _run(lars, gradients), _run(keras.optimizers.SGD(0.1, momentum=0.9), gradients), 1e-6
    )


def test_nothing_is_excluded_by_an_empty_list():
    gradients = _gradients()
    ours = _run(tf_scl.LARS(0.5, l2=0.05, exclude=()), gradients)
    _assert_close(ours, _reference(_weights(), gradients, [0.5] * 5, [False] * 4, l2=0.05))


def test_exclusion_goes_by_whole_parts_of_the_path():
    """ "head" is a layer; "alphabeta" has beta in it but is not beta."""
    model = keras.Sequential(
        [
            keras.Input((3,)),
            keras.layers.Dense(3, name="alphabeta"),
            keras.layers.BatchNormalization(name="norm"),
            keras.layers.Dense(2, use_bias=False, name="head"),
        ]
    )
    start = [variable.numpy() for variable in model.trainable_variables]
    gradients = [[np.ones_like(value) for value in start]]
    names = [variable.path.split("/")[-2:] for variable in model.trainable_variables]
    assert names == [
        ["alphabeta", "kernel"],
        ["alphabeta", "bias"],
        ["norm", "gamma"],
        ["norm", "beta"],
        ["head", "kernel"],
    ]
    for exclude, excluded in (
        (("bias", "gamma", "beta"), [False, True, True, True, False]),
        (("beta", "head"), [False, False, False, True, True]),
    ):
        for variable, value in zip(model.trainable_variables, start, strict=True):
            variable.assign(value)
        ours = _run(tf_scl.LARS(0.5, exclude=exclude), gradients, model.trainable_variables)
        _assert_close(ours, _reference(start, gradients, [0.5], excluded))


def test_zero_gradients_and_zero_weights_are_no_nan():
    """Both zero: nothing moves. Only the gradient zero: ratio 1, so w -= lr * l2 * w."""
    zero = [[np.zeros(shape, np.float32) for shape in SHAPES.values()]]
    start = _weights()
    ours = _run(tf_scl.LARS(0.5, l2=0.1), zero)
    _assert_close(ours, [start[0] * (1 - 0.05), *start[1:]], 1e-6)


def test_tiny_gradients_stay_finite():
    tiny = [[np.full(shape, 1e-15, np.float32) for shape in SHAPES.values()]] * 2
    ours = _run(tf_scl.LARS(0.5), tiny)
    _assert_close(ours, _reference(_weights(), tiny, [0.5] * 2, EXCLUDED))


@pytest.mark.parametrize("dtype, rtol", [("float16", 3e-3), ("bfloat16", 3e-2), ("float64", 1e-7)])
def test_other_dtypes(dtype, rtol):
    """In float16 a sum of squares over 65504 would be infinite: 300**2 is."""
    w = np.array([300.0, -400.0])
    gradient = np.array([[0.25, 500.0]])
    variable = keras.Variable(w, dtype=dtype, name="kernel")
    optimizer = tf_scl.LARS(10.0, l2=0.5, trust_coefficient=0.1)
    for _ in range(3):
        optimizer.apply([tf.cast(gradient[0], dtype)], [variable])
    expected = _reference([w], [gradient] * 3, [10.0] * 3, [False], l2=0.5, trust=0.1)[0]
    assert np.abs(expected - w).max() > 100
    np.testing.assert_allclose(tf.cast(variable.value, "float64"), expected, rtol=rtol)


@pytest.mark.parametrize("jit", [False, True])
def test_compiled_steps_equal_eager_ones(jit):
    gradients = _gradients()
    variables = _variables()
    optimizer = tf_scl.LARS(0.5, l2=0.05, nesterov=True)
    optimizer.build(variables)

    @tf.function(jit_compile=jit)
    def step(values):
        optimizer.apply(values, variables)

    for values in gradients:
        step([tf.constant(value) for value in values])
    eager = _run(tf_scl.LARS(0.5, l2=0.05, nesterov=True), gradients)
    _assert_close([variable.numpy() for variable in variables], eager, 1e-6)


def test_two_replicas_take_the_steps_of_one(two_replicas):
    """Each replica has its own gradients; the optimizer sees their sum."""
    shares = [_gradients(2, seed=2), _gradients(2, seed=3)]
    summed = [[a + b for a, b in zip(*steps, strict=True)] for steps in zip(*shares, strict=True)]
    with two_replicas.scope():
        variables = _variables()
        optimizer = tf_scl.LARS(0.5, l2=0.05, trust_coefficient=0.1)
        optimizer.build(variables)

    @tf.function
    def step(number):
        def on_replica():
            here = tf.distribute.get_replica_context().replica_id_in_sync_group
            optimizer.apply(
                [
                    tf.where(here == 0, first, second)
                    for first, second in zip(shares[0][number], shares[1][number], strict=True)
                ],
                variables,
            )

        two_replicas.run(on_replica)

    for number in range(2):
        step(number)
    one = _run(tf_scl.LARS(0.5, l2=0.05, trust_coefficient=0.1), summed)
    for variable, expected, start in zip(variables, one, _weights(), strict=True):
        assert np.abs(expected - start).max() > 1e-2
        for copy in two_replicas.experimental_local_results(variable.value):
            np.testing.assert_allclose(copy.numpy(), expected, rtol=1e-5, atol=1e-6)


def test_works_inside_a_loss_scale_optimizer():
    gradients = _gradients(3)
    variables = _variables()
    scaled = keras.optimizers.LossScaleOptimizer(tf_scl.LARS(0.5, l2=0.05), initial_scale=1024.0)
    scaled.build(variables)
    step = tf.function(lambda values: scaled.apply(values, variables), jit_compile=True)
    for values in gradients:
        step([tf.constant(1024 * value) for value in values])
    plain = _run(tf_scl.LARS(0.5, l2=0.05), gradients)
    _assert_close([variable.numpy() for variable in variables], plain, 1e-6)
    step([tf.constant(np.inf * value) for value in gradients[0]])  # skipped
    _assert_close([variable.numpy() for variable in variables], plain, 1e-6)
    copy = keras.optimizers.deserialize(keras.optimizers.serialize(scaled))
    assert copy.inner_optimizer.get_config() == scaled.inner_optimizer.get_config()


def test_follows_a_schedule():
    """Warm-up from 0: the first step changes nothing but is counted."""
    schedule = keras.optimizers.schedules.CosineDecay(0.0, 4, warmup_target=2.0, warmup_steps=2)
    rates = [0.0, 1.0, 2.0, 2 * 0.5 * (1 + np.cos(np.pi / 4)), 1.0]
    gradients = _gradients()
    ours = _run(tf_scl.LARS(schedule, l2=0.05), gradients)
    _assert_close(ours, _reference(_weights(), gradients, rates, EXCLUDED, l2=0.05))


def test_an_embeddings_sparse_gradient():
    dense = np.zeros((4, 3), np.float32)
    rows = np.ones((3, 3), np.float32)
    for row in (0, 0, 2):
        dense[row] += 1
    variables = [keras.Variable(_weights()[0], name="embeddings") for _ in range(2)]
    for variable, gradient in zip(
        variables, (tf.IndexedSlices(rows, [0, 0, 2], (4, 3)), tf.constant(dense)), strict=True
    ):
        tf_scl.LARS(0.5, l2=0.05).apply([gradient], [variable])
    np.testing.assert_allclose(variables[0], variables[1], rtol=1e-6)


@pytest.mark.parametrize(
    "options, message",
    [
        (
            {"learning_rate": -0.1},
            "`learning_rate` must be a number, at least 0.*learning_rate=-0.1",
        ),
        ({"learning_rate": float("nan")}, "learning_rate=nan"),
        ({"learning_rate": "0.1"}, "learning_rate='0.1'"),
        ({"momentum": 1.5}, "`momentum` must be a number between 0 and 1.*momentum=1.5"),
        ({"momentum": True}, "momentum=True"),
        ({"l2": -1}, "`l2` must be a number, at least 0.*l2=-1"),
        ({"trust_coefficient": -1}, "trust_coefficient=-1"),
        ({"epsilon": None}, "epsilon=None"),
        ({"nesterov": 1}, "`nesterov` must be True or False.*nesterov=1"),
        ({"exclude": "bias"}, "`exclude` must be a list of names.*exclude='bias'"),
        ({"exclude": [""]}, "exclude="),
        ({"exclude": None}, "exclude=None"),
    ],
    ids=str,
)
def test_bad_arguments_are_refused(options, message):
    with pytest.raises(tf_scl.InputError, match=message):
        tf_scl.LARS(**{"learning_rate": 0.1, **options})
