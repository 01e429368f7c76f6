import keras
import numpy as np
import pytest

import tf_scl
from tests import one_step, reference


def test_its_loss_is_nt_xent_of_the_embeddings():
    model = one_step.build("simclr")
    z1, z2 = (model.embed(view, training=True) for view in one_step.views())
    model.compile(keras.optimizers.SGD(0.1))
    logs = model.train_on_batch(one_step.views(), return_dict=True)
    np.testing.assert_allclose(logs["loss"], reference.nt_xent(z1, z2, 0.3), rtol=1e-6)
    np.testing.assert_allclose(logs["attraction"] + logs["repulsion"], logs["loss"], rtol=1e-6)


def test_save_and_load(tmp_path):
    model = one_step.build("simclr", "float32", negatives="replica", accumulate=3)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert (loaded.temperature, loaded.negatives, loaded.accumulate) == (0.3, "replica", 3)
    view = one_step.views()[0]
    np.testing.assert_array_equal(loaded.predict(view, verbose=0), model.predict(view, verbose=0))


@pytest.mark.parametrize("options", [{"temperature": -1}, {"negatives": "some"}])
def test_bad_arguments_are_named_at_once(options):
    with pytest.raises(tf_scl.InputError, match=str(next(iter(options.values())))):
        tf_scl.SimCLR(keras.layers.Flatten(), keras.layers.Dense(2), **options)
