import keras
import numpy as np
import pytest
import tensorflow as tf

import tf_scl
from tf_scl.callbacks.checkpoint_and_resume import CheckpointAndResume
from tf_scl.callbacks.stop_on_non_finite import StopOnNonFinite


def _spoiled(pairs, batch):
    """The batches, of which one holds a NaN."""
    first, second = (array.copy() for array in pairs)
    first[8 * batch] = np.nan
    return tf.data.Dataset.from_tensor_slices((first, second)).batch(8)


def test_the_message_names_step_parts_and_checkpoint(pair_model, pairs, tmp_path):
    model = pair_model()
    model.fit(
        _spoiled(pairs, 4).take(4).repeat(2),
        steps_per_epoch=4,
        epochs=2,
        verbose=0,
        callbacks=[StopOnNonFinite(tmp_path), CheckpointAndResume(tmp_path, 4)],
    )
    message = (
        r"not finite at epoch 1, step 5 \(attraction nan, .*loss nan.*; means of the epoch until "
        r"then: attraction -\d.*\); the last good checkpoint is .*-00000008.npz; train with a "
        "smaller learning rate"
    )
    with pytest.raises(tf_scl.InputError, match=message):
        model.fit(_spoiled(pairs, 4), verbose=0, callbacks=[StopOnNonFinite(tmp_path)])


def test_without_checkpoints_it_says_so(pair_model, pairs):
    message = r"epoch 1, step 1 \(attraction nan[^;]*\); there is no checkpoint to go back to"
    with pytest.raises(tf_scl.InputError, match=message):
        pair_model().fit(_spoiled(pairs, 0), verbose=0, callbacks=[StopOnNonFinite()])


def test_no_checkpoint_is_written_from_the_step_on(pair_model, pairs, tmp_path):
    callbacks = [StopOnNonFinite(tmp_path), CheckpointAndResume(tmp_path, 1)]
    with pytest.raises(tf_scl.InputError, match="step 3 .*checkpoint is .*-00000002.npz"):
        pair_model().fit(_spoiled(pairs, 2), verbose=0, callbacks=callbacks)


def test_a_finite_loss_does_not_stop(pair_model, pairs):
    data = tf.data.Dataset.from_tensor_slices(pairs).batch(8)
    history = pair_model().fit(data, epochs=2, verbose=0, callbacks=[StopOnNonFinite()])
    assert isinstance(history, keras.callbacks.History)


@pytest.mark.parametrize("norm", [1e15, 1e25])
def test_embeddings_too_large_for_the_loss_without_mu_stop(pairs, norm):
    encoder = keras.Sequential([keras.Input((6,)), keras.layers.Rescaling(norm)])
    model = tf_scl.SpectralContrastive(encoder, keras.layers.Dense(4), mu=None)
    model.compile(tf_scl.L2SGD(0.05))
    data = tf.data.Dataset.from_tensor_slices(pairs).batch(8)
    with pytest.raises(tf_scl.InputError, match="not finite at epoch 1, step 1 "):
        model.fit(data, verbose=0, callbacks=[StopOnNonFinite()])
