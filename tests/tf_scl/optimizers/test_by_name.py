"""Each name makes its optimizer, with the settings that it takes."""

import keras
import pytest

import tf_scl
from tf_scl.optimizers.by_name import OPTIMIZERS, build_optimizer

_KINDS = {
    "sgd": tf_scl.L2SGD,
    "lars": tf_scl.LARS,
    "lamb": keras.optimizers.Lamb,
    "adamw": keras.optimizers.AdamW,
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_it_follows_the_configuration(name):
    train = tf_scl.Config().replace({"train": {"optimizer": name, "weight_decay": 1e-3}}).train
    optimizer = build_optimizer(train, 0.5)
    assert type(optimizer) is _KINDS[name]
    assert float(optimizer.learning_rate) == 0.5
    if name in ("sgd", "lars"):
        assert (optimizer.momentum, optimizer.l2) == (0.9, 1e-3)
    else:
        assert optimizer.weight_decay == 1e-3
