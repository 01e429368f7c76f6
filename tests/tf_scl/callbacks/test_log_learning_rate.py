import keras
import pytest
import tensorflow as tf

from tf_scl.callbacks.log_learning_rate import LogLearningRate


@pytest.mark.parametrize("scaled", [False, True])
def test_history_has_the_rate_after_each_epoch(pair_model, pairs, scaled):
    schedule = keras.optimizers.schedules.PolynomialDecay(0.1, 20, 0.0)
    optimizer = keras.optimizers.SGD(schedule)
    if scaled:
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    data = tf.data.Dataset.from_tensor_slices(pairs).batch(8)
    history = pair_model(optimizer).fit(data, epochs=3, verbose=0, callbacks=[LogLearningRate()])
    assert history.history["learning_rate"] == pytest.approx([0.075, 0.05, 0.025])
