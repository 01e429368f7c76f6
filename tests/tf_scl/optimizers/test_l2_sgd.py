import pathlib

import keras
import numpy as np
import pytest
import tensorflow as tf

import tf_scl
from tf_scl import training
from tf_scl.optimizers.by_name import build_optimizer

_STORED = np.load(pathlib.Path(__file__).parent / "torch_trajectories.npz")
_RUNS = sorted(name.removesuffix("/loss") for name in _STORED if name.endswith("/loss"))


def _projector(dtype):
    """The projector with the stored weights."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(dtype)
    try:
        head = tf_scl.projection_head(3, (8,))
        head.build((None, 5))
    finally:
        keras.config.set_dtype_policy(before)
    for index, weight in enumerate(head.trainable_weights):
        weight.assign(_STORED[f"start/{index}"])
    return head


def _assert_follows(name, optimizer, tolerance, dtype="float64", jit=False):
    """Ten steps on the spectral loss: each loss, and all weights after each step."""
    head, mu = _projector(dtype), float(_STORED[f"{name}/options"][3])
    optimizer.build(head.trainable_weights)

    @tf.function(jit_compile=jit)
    def step(view1, view2):
        with tf.GradientTape() as tape:
            views = (head(view, training=True) for view in (view1, view2))
            loss = tf_scl.spectral_contrastive_loss(*views, mu=mu)
        weights = head.trainable_weights
        optimizer.apply(tape.gradient(loss, [weight.value for weight in weights]), weights)
        return loss

    for number, views in enumerate(_STORED["views"].astype(dtype)):
        loss = step(*views)
        np.testing.assert_allclose(loss, _STORED[f"{name}/loss"][number], tolerance, tolerance)
        for index, weight in enumerate(head.trainable_weights):
            expected = _STORED[f"{name}/{index}"][number]
            np.testing.assert_allclose(weight, expected, tolerance, tolerance)


def _stored_optimizer(name):
    """An `L2SGD` with the options and, by a schedule, the rates of a stored run."""
    momentum, l2, nesterov, _ = _STORED[f"{name}/options"]
    rates = _STORED["rates"].tolist()
    schedule = keras.optimizers.schedules.PiecewiseConstantDecay(list(range(len(rates) - 1)), rates)
    return tf_scl.L2SGD(schedule, momentum=momentum, nesterov=bool(nesterov), l2=l2)


@pytest.mark.parametrize("name", _RUNS)
def test_takes_pytorchs_steps_through_warm_up_and_decay(name):
    assert len(_RUNS) == 4
    _assert_follows(name, _stored_optimizer(name), 1e-12)


@pytest.mark.parametrize("name", ["recipe", "nesterov"])
def test_so_it_does_compiled_by_xla(name):
    _assert_follows(name, _stored_optimizer(name), 1e-4, "float32", jit=True)


def test_so_does_the_optimizer_of_a_preset():
    """Its warm-up and cosine by the step, with the stored run's number of steps."""
    steps = {"base_learning_rate": 0.5, "batch_size": 256, "warmup_epochs": 4, "epochs": 10}
    train = tf_scl.preset("cifar10").replace({"train": {**steps, "weight_decay": 0.05}}).train
    optimizer = build_optimizer(train, training.learning_rate(train, 1))
    _assert_follows("recipe", optimizer, 1e-5)


def test_gradients_under_loss_scaling():
    """Scaled by 2**15 before, and unscaled by Keras before our step."""
    inner = _stored_optimizer("recipe")
    optimizer = keras.optimizers.LossScaleOptimizer(inner)
    plain, scaled = (keras.Variable(np.array([1.0, -2.0], np.float32)) for _ in range(2))
    alone = _stored_optimizer("recipe")
    optimizer.build([scaled])
    for number in range(4):
        gradient = np.array([0.5, number], np.float32)
        alone.apply([tf.constant(gradient)], [plain])
        optimizer.apply([optimizer.scale_loss(tf.constant(gradient))], [scaled])
    np.testing.assert_allclose(scaled, plain, rtol=1e-6)
    assert np.abs(plain - np.array([1.0, -2.0])).max() > 0.1


def test_a_new_rate_counts_at_once_for_all_of_the_momentum():
    """Velocity 1, then 0.9: at rate 0.1 and then 0 the weight moves by 0.1 and then stays."""
    variable = keras.Variable(np.zeros(1, np.float32))
    optimizer = tf_scl.L2SGD(0.1, momentum=0.9)
    optimizer.apply([tf.ones(1)], [variable])
    np.testing.assert_allclose(variable, [-0.1], rtol=1e-6)
    optimizer.learning_rate = 0.0
    optimizer.apply([tf.zeros(1)], [variable])
    np.testing.assert_allclose(variable, [-0.1], rtol=1e-6)


def test_two_replicas_take_the_steps_of_one(two_replicas):
    """Each replica has its own gradient; the optimizer sees the sum, and one penalty."""
    with two_replicas.scope():
        variable = keras.Variable(np.array([1.0, -2.0], np.float32))
        optimizer = tf_scl.L2SGD(0.1, momentum=0.9, l2=0.5)
        optimizer.build([variable])

    def step():
        here = tf.distribute.get_replica_context().replica_id_in_sync_group
        optimizer.apply([tf.where(here == 0, [3.0, 0.0], [1.0, 5.0])], [variable])

    w, velocity = np.array([1.0, -2.0]), np.zeros(2)
    for _ in range(2):
        tf.function(lambda: two_replicas.run(step))()
        velocity = 0.9 * velocity + np.array([4.0, 5.0]) + 0.5 * w
        w = w - 0.1 * velocity
    for copy in two_replicas.experimental_local_results(variable.value):
        np.testing.assert_allclose(copy.numpy(), w, rtol=1e-5)


def test_an_embeddings_sparse_gradient():
    """Row 0 twice, row 2 once; the penalty is on every row."""
    variable = keras.Variable(np.ones((3, 2), np.float32))
    gradient = tf.IndexedSlices(tf.ones((3, 2)), [0, 0, 2], (3, 2))
    tf_scl.L2SGD(0.1, momentum=0.9, l2=0.5).apply([gradient], [variable])
    np.testing.assert_allclose(variable, [[0.75] * 2, [0.95] * 2, [0.85] * 2], rtol=1e-6)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"l2": -1}, "`l2` must be a number, at least 0. Received: l2=-1"),
        ({"l2": float("nan")}, "l2=nan"),
        ({"momentum": 1.5}, "`momentum` must be a number between 0 and 1.*momentum=1.5"),
        ({"learning_rate": -1.0}, "learning_rate=-1.0"),
        ({"nesterov": "yes"}, "nesterov='yes'"),
    ],
    ids=str,
)
def test_bad_arguments_are_refused(options, message):
    with pytest.raises(tf_scl.InputError, match=message):
        tf_scl.L2SGD(**options)
