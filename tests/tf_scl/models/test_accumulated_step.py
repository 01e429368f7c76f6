import keras
import numpy as np
import pytest
import tensorflow as tf

import tf_scl
from tests import one_step
from tests.conftest import crops, first_fast
from tf_scl.models.accumulated_step import AccumulatedStep
from tf_scl.normalization import batch_normalization


def _model(case, normalized=False, dropout=0.0, **options):
    """As `one_step.build`, but (where not `normalized`) each row by itself."""
    method, arguments, width = one_step.CASES[case]
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float64")
    try:
        keras.utils.set_random_seed(0)
        layers = [keras.Input((6, 6, 2)), keras.layers.Conv2D(4, 3, activation="relu")]
        layers += [batch_normalization()] if normalized else []
        layers += [keras.layers.GlobalAveragePooling2D(), keras.layers.Dropout(dropout, seed=5)]
        encoder = keras.Sequential(layers)
        regularizer = keras.regularizers.L2(0.01)
        projector = keras.layers.Dense(width, kernel_regularizer=regularizer)
        if method is tf_scl.SimSiam:
            arguments = {"predictor": keras.layers.Dense(width)}
        return method(encoder, projector, **arguments, **options)
    finally:
        keras.config.set_dtype_policy(before)


def _train(model, data, steps=2, optimizer=None, **compile_options):
    model.compile(optimizer or keras.optimizers.SGD(0.1, momentum=0.9), **compile_options)
    history = model.fit(data.repeat(steps), verbose=0).history
    return [w.numpy() for w in model.weights], history


def _data(n=16):
    views = tuple(view[:n] for view in one_step.views())
    return tf.data.Dataset.from_tensors(views).unbatch().batch(n, drop_remainder=True)


@pytest.mark.parametrize("case", ["spectral moment", "spectral sample", "simclr", "simsiam"])
def test_eight_micro_batches_take_the_steps_of_one_batch(case):
    """Weights and losses after two steps, in float64; penalties of weights included."""
    whole, history = _train(_model(case), _data())
    parts, other = _train(_model(case, accumulate=8), _data())
    assert "regularization" in history
    assert {k: v[0] for k, v in history.items()} == pytest.approx(
        {k: v[0] for k, v in other.items()},
        rel=1e-6,  # Keras's running means are float32
    )
    for one, two in zip(whole, parts, strict=True):
        np.testing.assert_allclose(two, one, rtol=1e-9, atol=1e-10)


def test_the_mean_of_small_gradients_would_be_another():
    """What it is not: four losses of four images each, averaged."""
    whole, _ = _train(_model("spectral moment"), _data(), steps=1)
    model = _model("spectral moment")
    views = one_step.views()
    with tf.GradientTape() as tape:
        loss = tf.add_n(
            [
                tf.add_n(list(model.contrastive_terms(*z, None).values())[:2]) / 4
                for z in ([model.embed(v[i : i + 4], True) for v in views] for i in (0, 4, 8, 12))
            ]
        )
    gradients = tape.gradient(loss, model.trainable_variables)
    small = [w - 0.1 * g for w, g in zip(model.trainable_variables, gradients, strict=True)]
    assert max(np.abs(a - b).max() for a, b in zip(whole, small, strict=False)) > 1e-4


def test_normalization_sees_micro_batches():
    """The exact gradient of the model in which each micro-batch is normalized by itself."""
    model = _model("spectral moment", normalized=True, accumulate=4)
    twin = _model("spectral moment", normalized=True)
    views = one_step.views()
    with tf.GradientTape() as tape:
        pairs = [[twin.embed(v[i : i + 4], True) for v in views] for i in (0, 4, 8, 12)]
        z1, z2 = (tf.concat(z, 0) for z in zip(*pairs, strict=True))
        terms = twin.contrastive_terms(z1, z2, None)
        penalty = 0.01 * tf.reduce_sum(tf.square(twin.projector.kernel))
        loss = terms["attraction"] + terms["repulsion"] + penalty
    gradients = tape.gradient(loss, twin.trainable_variables)
    start = [w.numpy() for w in twin.trainable_variables]
    _train(model, _data(), steps=1, optimizer=keras.optimizers.SGD(0.1))
    for weight, before, gradient in zip(model.trainable_variables, start, gradients, strict=True):
        # Keras's regularizer holds 0.01 in float32.
        np.testing.assert_allclose(weight, before - 0.1 * gradient, rtol=1e-7, atol=1e-8)
    for one, two in zip(model.non_trainable_variables, twin.non_trainable_variables, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-9)  # averages moved once a micro-batch


def test_views_and_dropout_are_the_same_in_both_passes():
    """One micro-batch of all rows is the plain step, random layers included."""
    images = np.random.default_rng(0).integers(0, 256, (8, 6, 6, 3)).astype("uint8")
    results = []
    for accumulate in (1, 2):
        keras.utils.set_random_seed(0)
        encoder = keras.Sequential(
            [
                keras.Input((6, 6, 3)),
                keras.layers.Rescaling(1 / 255),
                keras.layers.Flatten(),
                keras.layers.Dropout(0.5, seed=1),
            ]
        )
        model = tf_scl.SpectralContrastive(
            encoder,
            keras.layers.Dense(4),
            crops(6, seed=3),
            mu=None,
            accumulate=accumulate,
        )
        model.compile(keras.optimizers.SGD(0.0))
        # A batch of one micro-batch's rows: the count of micro-batches adapts.
        model.make_train_function()
        step = model.train_function
        if accumulate == 2:
            step = AccumulatedStep(model)
            step._micro_batch = 8
        logs = step(iter(tf.data.Dataset.from_tensors(images)))
        results.append({name: float(value) for name, value in logs.items()})
    assert results[0] == pytest.approx(results[1], rel=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("jit", [False, True])
def test_on_two_replicas(one_replica, two_replicas, jit):
    """With normalization over all replicas' micro-batches; XLA in clusters."""
    results = []
    for strategy in (one_replica, two_replicas):
        with strategy.scope():
            model = one_step.build("spectral moment", accumulate=2)
            model.compile(keras.optimizers.SGD(0.5), jit_compile=jit)
        # One replica's first micro-batch are rows 0..7, two replicas' are 0..3 and 8..11.
        order = np.r_[0:4, 8:12, 4:8, 12:16] if strategy is one_replica else np.r_[0:16]
        views = tuple(view[order] for view in one_step.views())
        data = tf.data.Dataset.from_tensors(views).unbatch().batch(16, drop_remainder=True)
        model.fit(data.repeat(2), verbose=0)
        results.append([w.numpy() for w in model.weights])
    for one, two in zip(*results, strict=True):
        tolerance = 1e-5 if jit else 1e-9  # XLA's float64 functions are less accurate
        np.testing.assert_allclose(two, one, rtol=tolerance, atol=0.1 * tolerance)


def test_a_smaller_last_batch_is_trained_on_too():
    views = tuple(view[:11] for view in one_step.views())
    data = tf.data.Dataset.from_tensors(views).unbatch().batch(8)
    results = []
    for accumulate in (1, 4):
        model = _model("spectral moment", accumulate=accumulate)
        model.compile(keras.optimizers.SGD(0.1))
        model.fit(data, verbose=0)
        results.append([w.numpy() for w in model.weights])
    for one, two in zip(*results, strict=True):
        np.testing.assert_allclose(two, one, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("rows", first_fast([17, 15]))
def test_replicas_with_unequal_rows_agree_what_to_exchange(one_replica, two_replicas, rows):
    """d = 64 exceeds the batch: by their own shapes some would gather and some reduce."""
    views = tuple(np.concatenate([view, view[:1]])[:rows] for view in one_step.views())
    results = []
    for strategy, accumulate in ((one_replica, 1), (two_replicas, 2)):
        with strategy.scope():
            model = _model("spectral auto d=64", accumulate=accumulate)
            model.compile(keras.optimizers.SGD(0.1))
        data = tf.data.Dataset.from_tensors(views).unbatch().batch(8)
        model.fit(data, verbose=0)
        results.append([w.numpy() for w in model.trainable_variables])
    for one, two in zip(*results, strict=True):
        np.testing.assert_allclose(two, one, rtol=1e-7, atol=1e-9)


def test_what_cannot_be_cut_is_named():
    model = _model("spectral moment", accumulate=3)
    model.compile(keras.optimizers.SGD(0.1), jit_compile=True)
    with pytest.raises(tf_scl.InputError, match="batch of 13 images.*accumulate=3.*jit_compile"):
        model.fit(_data(13), verbose=0)
    model.compile(keras.optimizers.SGD(0.1), steps_per_execution=2)
    with pytest.raises(tf_scl.InputError, match="steps_per_execution=2"):
        model.fit(_data(), verbose=0)
    with pytest.raises(tf_scl.InputError, match="accumulate=0"):
        _model("spectral moment", accumulate=0)


class TableAndIdle(keras.Model):
    """An unbuilt encoder with an idle weight, and a table whose gradient is sparse."""

    def __init__(self):
        super().__init__()
        self.flat, self.idle = keras.layers.Flatten(), keras.layers.Dense(2)
        self.table = keras.layers.Embedding(3, 72, "uniform", dtype="float32")

    def call(self, images):
        x = self.flat(images)
        self.idle(x)
        return x + keras.ops.cast(self.table(keras.ops.zeros((1,), "int32")), x.dtype)


@pytest.mark.parametrize(
    "replicas,dtype",
    first_fast(
        [
            *(("two_replicas", "float32"), ("one_replica", "mixed_float16")),
            *(("one_replica", "float32"), ("two_replicas", "mixed_float16")),
        ],
        2,
    ),
)
def test_idle_weights_and_sparse_gradients(request, replicas, dtype):
    """As with accumulate=1: what has no part in the loss is not touched, by the decay neither."""
    results, before = [], keras.config.dtype_policy()
    for accumulate in (1, 2):
        keras.config.set_dtype_policy(dtype)
        try:
            keras.utils.set_random_seed(0)
            with request.getfixturevalue(replicas).scope():
                model = tf_scl.SpectralContrastive(
                    TableAndIdle(), keras.layers.Dense(3), accumulate=accumulate
                )
                optimizer = tf_scl.L2SGD(0.01, l2=0.5)
                if dtype == "mixed_float16":
                    optimizer = keras.optimizers.LossScaleOptimizer(optimizer, initial_scale=16.0)
                model.compile(optimizer)
                model.build((None, 6, 6, 2))
            start = {w.path: w.numpy() for w in model.trainable_variables}
            with pytest.warns(UserWarning, match="Gradients do not exist"):
                model.fit(_data(), verbose=0)
        finally:
            keras.config.set_dtype_policy(before)
        for weight in model.trainable_variables:
            moved = np.abs(weight.numpy() - start[weight.path]).max()
            idle = any(weight is one for one in model.encoder.idle.variables)
            assert (moved == 0) == idle, weight.path
        results.append([w.numpy() for w in model.trainable_variables])
    for one, two in zip(*results, strict=True):
        np.testing.assert_allclose(two, one, atol=1e-6 if dtype == "float32" else 2e-3)


def test_an_unbuilt_encoder_is_built_by_the_first_batch():
    encoder = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(4)])
    model = tf_scl.SpectralContrastive(encoder, keras.layers.Dense(3), accumulate=2)
    model.compile(keras.optimizers.SGD(0.01))
    model.fit(_data(), verbose=0)
    assert encoder.layers[1].kernel.shape == (72, 4)


@pytest.mark.parametrize("accumulate", [1, 2])
def test_a_model_with_nothing_to_train_is_named(accumulate):
    encoder = keras.Sequential([keras.Input((6, 6, 2)), keras.layers.Flatten()])
    projector = keras.layers.Activation("linear")
    model = tf_scl.SpectralContrastive(encoder, projector, accumulate=accumulate)
    model.compile(keras.optimizers.SGD(0.01))
    with pytest.raises(tf_scl.InputError, match="^nothing can be trained"):
        model.fit(_data(), verbose=0)
