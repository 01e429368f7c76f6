"""The learning rate among the metrics of an epoch."""

import keras

from tf_scl.typing import Logs


class LogLearningRate(keras.callbacks.Callback):
    """Adds "learning_rate", that of the next step, to the logs of each epoch.

    So it is in the history, on the progress bar and in TensorBoard. Put it
    before the callbacks that read logs.
    """

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        optimizer = self.model.optimizer
        optimizer = getattr(optimizer, "inner_optimizer", optimizer)  # of a LossScaleOptimizer
        logs["learning_rate"] = float(keras.ops.convert_to_numpy(optimizer.learning_rate))
