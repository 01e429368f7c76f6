"""The end of a training that has diverged."""

import math

import keras

from tf_scl import checkpoints
from tf_scl.errors import InputError
from tf_scl.typing import Logs, PathLike


class StopOnNonFinite(keras.callbacks.Callback):
    """Ends `fit` at the step at which the loss becomes NaN or infinite.

    Logs are means over the steps of the epoch so far, which one such step
    spoils for good; so the first mean that is not finite tells the step.

    Args:
        folder: Path of the checkpoint folder, to name the last good one; or None.

    Raises:
        InputError: From `fit`, with the epoch, the step, the parts of the
            loss and the last good checkpoint.
    """

    def __init__(self, folder: PathLike | None = None) -> None:
        super().__init__()
        self.folder = folder

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self._epoch, self._before = epoch, ""

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        if not logs or "loss" not in logs:
            return
        parts = ", ".join(f"{name} {value:.4g}" for name, value in logs.items())
        if math.isfinite(logs["loss"]):
            self._before = f"; means of the epoch until then: {parts}"
            return
        raise InputError(
            f"the loss is not finite at epoch {self._epoch + 1}, step {batch + 1} "
            f"({parts}{self._before}); {checkpoints.describe_newest(self.folder)}; "
            "train with a smaller learning rate (train.base_learning_rate)"
        )
