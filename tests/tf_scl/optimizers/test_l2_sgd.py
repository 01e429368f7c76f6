import keras
import numpy as np
import pytest

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


def test_every_argument_survives_serialisation():
    arguments = dict(learning_rate=0.3, momentum=0.8, nesterov=True, l2=0.01, clipnorm=1.0)
    copy = keras.optimizers.deserialize(keras.optimizers.serialize(tf_scl.L2SGD(**arguments)))
    assert isinstance(copy, tf_scl.L2SGD)
    config = copy.get_config()
    assert {name: pytest.approx(config[name]) for name in arguments} == arguments


def test_negative_l2_is_refused():
    with pytest.raises(ValueError, match="l2=-1"):
        tf_scl.L2SGD(l2=-1)
