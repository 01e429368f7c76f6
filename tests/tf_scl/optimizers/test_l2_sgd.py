import keras
import numpy as np
import pytest
import tensorflow as tf

import tf_scl


def test_follows_pytorchs_rule():
    """g += l2 w; v = momentum v + g; w -= lr v (torch.optim.SGD's documentation)."""
    gradients = np.random.default_rng(0).normal(size=(5, 3))
    w = np.array([1.0, -2.0, 3.0])
    variable = keras.Variable(w.astype(np.float32))
    optimizer = tf_scl.L2SGD(0.1, momentum=0.9, l2=0.05)
    velocity = np.zeros(3)
    for gradient in gradients:
        velocity = 0.9 * velocity + gradient + 0.05 * w
        w = w - 0.1 * velocity
        optimizer.apply([keras.ops.convert_to_tensor(gradient.astype(np.float32))], [variable])
    np.testing.assert_allclose(variable.numpy(), w, rtol=1e-5)


def test_two_replicas_take_the_steps_of_one(two_replicas):
    """Each replica has its own gradient; the optimiser sees the sum, and one penalty."""
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
        ({"l2": -1}, "`l2` must be a number at least 0. Received: l2=-1"),
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
