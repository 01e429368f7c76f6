"""The metrics of each epoch for TensorBoard."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

from tf_scl import distribute
from tf_scl.typing import Logs, PathLike


class EpochSummaries(keras.callbacks.Callback):
    """Writes the logs of each epoch as scalars, for `tensorboard --logdir FOLDER`.

    Files and names are those of `keras.callbacks.TensorBoard`: FOLDER/train,
    epoch_loss and so on. Unlike it this needs no tensorboard to be installed,
    and writes to the disk at the end of each epoch, so that a killed run has
    its curves. A run that goes on in another folder writes the curves of the
    epochs before as well, from the history that `CheckpointAndResume` restored.

    Args:
        folder: Path, local or remote.
    """

    def __init__(self, folder: PathLike) -> None:
        super().__init__()
        self.folder = os.path.join(str(folder), "train")
        self._writer: Any = None

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        # Not earlier: now the history is restored.
        if self._writer is None:
            self.open(getattr(self.model.history, "history", {}))

    def open(self, history: Mapping[str, Sequence[float]]) -> None:
        """Begins the files, in a new folder with the metrics of epochs before (dict of lists)."""
        if not distribute.is_chief(self.model.distribute_strategy):
            return
        is_new = not tf.io.gfile.exists(self.folder)
        self._writer = tf.summary.create_file_writer(self.folder)
        if is_new:
            for name, values in history.items():
                for epoch, value in enumerate(values):
                    self._write(epoch, {name: value})

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if self._writer is not None:
            self._write(epoch, logs or {})
            self._writer.flush()

    def on_train_end(self, logs: Logs | None = None) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _write(self, epoch: int, logs: Mapping[str, float]) -> None:
        plugin = tf.compat.v1.SummaryMetadata.PluginData(plugin_name="scalars")
        metadata = tf.compat.v1.SummaryMetadata(plugin_data=plugin)
        with self._writer.as_default():
            for name, value in logs.items():
                # What `tf.summary.scalar` does, which is part of tensorboard.
                value = tf.constant(value, tf.float32)
                tf.summary.write(f"epoch_{name}", value, step=epoch, metadata=metadata)
