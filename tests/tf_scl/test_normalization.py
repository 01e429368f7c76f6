import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.reference import numeric_gradient
from tf_scl.normalization import BatchNormalization, batch_normalization

_SHAPES = [(10, 3), (10, 2, 2, 3), (10, 2, 3)]


def _truth(x, gamma, beta, epsilon=1e-5):
    """(y, mean, unbiased variance), channel by channel in float64."""
    rows = np.asarray(x, np.float64).reshape(-1, np.shape(x)[-1])
    y = np.empty_like(rows)
    mean, variance = np.empty(rows.shape[1]), np.empty(rows.shape[1])
    for c, column in enumerate(rows.T):
        mean[c] = sum(column) / len(column)
        squares = sum((column - mean[c]) ** 2)
        y[:, c] = gamma[c] * (column - mean[c]) / np.sqrt(squares / len(column) + epsilon) + beta[c]
        variance[c] = squares / (len(column) - 1)
    return y.reshape(np.shape(x)), mean, variance


def _case(shape, seed=0, mean=2.0):
    """x, the weights w of the scalar sum(w * y), gamma and beta."""
    rng = np.random.default_rng(seed)
    x, w = rng.normal(mean, 1.5, shape), rng.normal(size=shape)
    return x, w, rng.uniform(0.5, 2, shape[-1]), rng.normal(size=shape[-1])


def _layer(shape, gamma, beta, **kwargs):
    layer = batch_normalization(**kwargs)
    layer.build((None, *shape[1:]))
    layer.gamma.assign(gamma)
    layer.beta.assign(beta)
    return layer


def _value_and_gradients(layer, x, w):
    """y and the gradients of sum(w * y) by x, gamma and beta."""
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = layer(x, training=True)
        loss = tf.reduce_sum(w * tf.cast(y, w.dtype))
    wanted = [x, layer.gamma.value, layer.beta.value]
    return y, *tape.gradient(loss, wanted)


def _check(layer, results, x, w, gamma, beta, tolerance=2e-5):
    y, mean, variance = _truth(x, gamma, beta)
    expected = [
        y,
        numeric_gradient(lambda x: np.sum(w * _truth(x, gamma, beta)[0]), x),
        numeric_gradient(lambda gamma: np.sum(w * _truth(x, gamma, beta)[0]), gamma),
        numeric_gradient(lambda beta: np.sum(w * _truth(x, gamma, beta)[0]), beta),
    ]
    for result, value in zip(results, expected, strict=True):
        scale = np.abs(value).max()
        np.testing.assert_allclose(
            np.float64(result), value, rtol=tolerance, atol=tolerance * scale
        )
    np.testing.assert_allclose(layer.moving_mean, 0.1 * mean, rtol=tolerance)
    np.testing.assert_allclose(layer.moving_variance, 0.9 + 0.1 * variance, rtol=tolerance)


@pytest.mark.parametrize("jit", [None, False, True], ids=["eager", "graph", "xla"])
@pytest.mark.parametrize("shape", _SHAPES, ids=str)
def test_one_replica_equals_the_definition(shape, jit):
    x, w, gamma, beta = _case(shape)
    layer = _layer(shape, gamma, beta)
    step = (
        _value_and_gradients if jit is None else tf.function(_value_and_gradients, jit_compile=jit)
    )
    results = step(layer, tf.constant(x, tf.float32), tf.constant(w, tf.float32))
    _check(layer, results, x, w, gamma, beta)


@pytest.mark.parametrize("shape", _SHAPES, ids=str)
def test_float64_stays_float64(shape):
    x, w, gamma, beta = _case(shape)
    layer = _layer(shape, gamma, beta, dtype="float64")
    results = _value_and_gradients(layer, tf.constant(x), tf.constant(w))
    assert results[0].dtype == results[1].dtype == tf.float64
    _check(layer, results, x, w, gamma, beta, tolerance=1e-7)


@pytest.mark.parametrize("synchronized", [False, True], ids=["fused", "synchronized"])
@pytest.mark.parametrize("policy, tolerance", [("mixed_bfloat16", 1e-2), ("mixed_float16", 2e-3)])
def test_half_precision_keeps_float32_statistics(policy, tolerance, synchronized, two_replicas):
    x, w, gamma, beta = _case((64, 4, 4, 3))
    half = policy.removeprefix("mixed_")
    x = np.float64(tf.cast(x, half))
    with two_replicas.scope():
        layer = _layer(x.shape, gamma, beta, dtype=policy)
    if synchronized:
        y = _on_replicas(two_replicas, layer, (x[:24], x[24:]), (w[:24], w[24:]), half)[0]
    else:
        y = layer(tf.constant(x, half), training=True)
        assert y.dtype == half
    y_true, mean, variance = _truth(x, gamma, beta)
    np.testing.assert_allclose(np.float32(y), y_true, rtol=tolerance, atol=2 * tolerance)
    # Far tighter than the output: the statistics never were half precision.
    np.testing.assert_allclose(layer.moving_mean, 0.1 * mean, rtol=1e-4)
    np.testing.assert_allclose(layer.moving_variance, 0.9 + 0.1 * variance, rtol=1e-4)


def _on_replicas(strategy, layer, x, w, dtype="float32"):
    """Results over the rows of all replicas; gradients of weights added up, as optimizers do."""

    def values(parts):
        parts = [tf.constant(part, dtype) for part in parts]
        return strategy.experimental_distribute_values_from_function(
            lambda context: parts[context.replica_id_in_sync_group]
        )

    @tf.function
    def step(x, w):
        return strategy.run(_value_and_gradients, (layer, x, w))

    y, dx, dgamma, dbeta = (
        strategy.experimental_local_results(r) for r in step(values(x), values(w))
    )
    return tf.concat(y, 0), tf.concat(dx, 0), sum(dgamma), sum(dbeta)


@pytest.mark.parametrize("shape", _SHAPES, ids=str)
@pytest.mark.parametrize("first", [5, 4, 10], ids=["equal", "unequal", "second-empty"])
def test_two_replicas_equal_the_definition_on_all_rows(shape, first, two_replicas):
    x, w, gamma, beta = _case(shape)
    with two_replicas.scope():
        layer = _layer(shape, gamma, beta)
    parts = (x[:first], x[first:]), (w[:first], w[first:])
    _check(layer, _on_replicas(two_replicas, layer, *parts), x, w, gamma, beta)
    for variable in layer.non_trainable_variables:
        copies = two_replicas.experimental_local_results(variable.value)
        np.testing.assert_array_equal(*copies)


def test_a_layer_made_under_a_strategy_also_runs_outside_it(two_replicas):
    x, w, gamma, beta = _case((10, 3))
    with two_replicas.scope():
        layer = _layer((10, 3), gamma, beta)
    results = _value_and_gradients(layer, tf.constant(x, tf.float32), tf.constant(w, tf.float32))
    _check(layer, results, x, w, gamma, beta)


def test_without_synchronization_replicas_stay_apart(two_replicas):
    x, w, gamma, beta = _case((10, 3))
    with two_replicas.scope():
        layer = _layer((10, 3), gamma, beta, synchronized=False)
    y = _on_replicas(two_replicas, layer, (x[:4], x[4:]), (w[:4], w[4:]))[0]
    apart = [_truth(rows, gamma, beta)[0] for rows in (x[:4], x[4:])]
    np.testing.assert_allclose(y, np.concatenate(apart), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("synchronized", [False, True], ids=["fused", "synchronized"])
def test_a_mean_of_a_thousand_deviations_costs_no_digits(synchronized, two_replicas):
    # E[x^2] - E[x]^2 in float32 would be off by a third here, and could be negative.
    x, w, gamma, beta = _case((400, 3), mean=3000.0)
    x = np.float64(np.float32(x))
    with two_replicas.scope():
        layer = _layer(x.shape, gamma, beta)
    if synchronized:
        y = _on_replicas(two_replicas, layer, (x[:150], x[150:]), (w[:150], w[150:]))[0]
    else:
        y = layer(tf.constant(x, tf.float32), training=True)
    y_true, _, variance = _truth(x, gamma, beta)
    # The mean itself is a float32 sum near 1e6; that shifts y a little, all rows alike.
    np.testing.assert_allclose(y, y_true, atol=1e-2)
    np.testing.assert_allclose(layer.moving_variance, 0.9 + 0.1 * variance, rtol=1e-4)


def test_moving_averages_follow_several_steps():
    layer = batch_normalization()
    mean, variance = np.zeros(3), np.ones(3)
    for seed in range(4):
        x, *_ = _case((10, 3), seed)
        layer(tf.constant(x, tf.float32), training=True)
        mean = 0.9 * mean + 0.1 * np.mean(x, 0)
        variance = 0.9 * variance + 0.1 * np.var(x, 0, ddof=1)
    np.testing.assert_allclose(layer.moving_mean, mean, rtol=1e-5)
    np.testing.assert_allclose(layer.moving_variance, variance, rtol=1e-5)


def test_one_row_has_no_variance_but_finite_averages():
    layer = batch_normalization()
    y = layer(tf.constant([[1.0, 2.0]]), training=True)
    np.testing.assert_array_equal(y, [[0, 0]])
    np.testing.assert_allclose(layer.moving_variance, [0.9, 0.9])


@pytest.mark.parametrize("center, scale", [(False, True), (True, False), (False, False)])
def test_gamma_and_beta_are_optional(center, scale):
    x, _, gamma, beta = _case((10, 3))
    layer = batch_normalization(center=center, scale=scale)
    layer.build((None, 3))
    if scale:
        layer.gamma.assign(gamma)
    if center:
        layer.beta.assign(beta)
    y = layer(tf.constant(x, tf.float32), training=True)
    expected = _truth(x, gamma if scale else np.ones(3), beta if center else np.zeros(3))[0]
    np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("frozen", [False, True])
def test_inference_takes_the_moving_averages_and_leaves_them(frozen):
    x, _, gamma, beta = _case((10, 2, 2, 3))
    layer = _layer(x.shape, gamma, beta)
    layer.moving_mean.assign([1.0, 2.0, 3.0])
    layer.moving_variance.assign([4.0, 5.0, 6.0])
    layer.trainable = not frozen
    y = layer(tf.constant(x, tf.float32), training=frozen)
    expected = gamma * (x - [1, 2, 3]) / np.sqrt(np.array([4, 5, 6]) + 1e-5) + beta
    np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(layer.moving_mean, [1, 2, 3])


def test_another_axis_and_masks_are_keras_business():
    x, *_ = _case((10, 4, 3))
    ours, theirs = (
        cls(axis=1, momentum=0.9, epsilon=1e-5)
        for cls in (BatchNormalization, keras.layers.BatchNormalization)
    )
    np.testing.assert_allclose(ours(x, training=True), theirs(x, training=True), atol=1e-6)
    mask = np.arange(4)[None] < np.arange(10)[:, None]
    ours, theirs = (
        cls(momentum=0.9, epsilon=1e-5)
        for cls in (BatchNormalization, keras.layers.BatchNormalization)
    )
    arguments = {"training": True, "mask": tf.constant(mask)}
    np.testing.assert_allclose(ours(x, **arguments), theirs(x, **arguments), atol=1e-6)


def test_every_argument_survives_a_saved_model(tmp_path):
    arguments = {
        "axis": -1,
        "momentum": 0.7,
        "epsilon": 0.02,
        "center": True,
        "scale": True,
        "synchronized": False,
        "gamma_initializer": "zeros",
        "name": "bn",
        "dtype": "mixed_bfloat16",
    }
    model = keras.Sequential([keras.Input((3,)), BatchNormalization(**arguments)])
    x = np.random.default_rng(0).normal(size=(10, 3)).astype(np.float32)
    model(x, training=True)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    layer = loaded.layers[0]
    assert type(layer) is BatchNormalization
    assert layer.get_config() == model.layers[0].get_config()
    assert (layer.momentum, layer.epsilon, layer.synchronized) == (0.7, 0.02, False)
    np.testing.assert_array_equal(loaded(x), model(x))


def test_exports_and_serves_the_inference_path(tmp_path):
    model = keras.Sequential([keras.Input((4, 4, 3)), batch_normalization()])
    x = np.random.default_rng(0).normal(2, 3, size=(10, 4, 4, 3)).astype(np.float32)
    model(x, training=True)
    model.export(str(tmp_path / "served"), verbose=False)
    served = tf.saved_model.load(str(tmp_path / "served"))
    np.testing.assert_allclose(served.serve(x), model(x), atol=1e-6)
    operations = served.signatures["serving_default"].graph.get_operations()
    assert not any("Assign" in operation.type for operation in operations)


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16", "mixed_float16"])
@pytest.mark.parametrize("jit", [False, True])
def test_fits_under_every_policy(policy, jit):
    inputs = keras.Input((4, 4, 3), dtype="float32")
    x = keras.layers.Conv2D(8, 3, dtype=policy)(inputs)
    x = batch_normalization(dtype=policy)(x)
    x = keras.layers.Flatten(dtype=policy)(x)
    x = batch_normalization(dtype=policy)(keras.layers.Dense(8, dtype=policy)(x))
    model = keras.Model(inputs, keras.layers.Dense(1, dtype="float32")(x))
    model.compile("sgd", "mse", jit_compile=jit)
    rng = np.random.default_rng(0)
    data = rng.normal(size=(32, 4, 4, 3)), rng.normal(size=(32, 1))
    losses = model.fit(*data, batch_size=16, epochs=8, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    assert not np.allclose(model.layers[2].moving_mean, 0)
