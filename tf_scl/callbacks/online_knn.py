"""kNN accuracy of an encoder while it learns."""

from collections.abc import Mapping

import numpy as np

from tf_scl.callbacks.labeled_images import LabeledImages
from tf_scl.callbacks.stateful import StatefulCallback
from tf_scl.evaluation.knn import check_vote, knn_accuracy, usable_k
from tf_scl.typing import Array, ArrayLike, Logs


class OnlineKNN(StatefulCallback):
    """Adds "knn_accuracy" to the logs at the end of epochs.

    It is `tf_scl.knn_accuracy` of the features that the model has then. The
    encoder never sees a label. Put it before the callbacks that read logs.

    Args:
        train_images, train_labels, test_images, test_labels, batch_size: As in
            `LabeledImages`.
        every_epochs: Int, epochs between two measurements; in between the last
            value is repeated.
        k: Int >= 1, neighbors; at most `tf_scl.evaluation.knn.usable_k`.
        temperature: Float > 0, of their vote.

    Raises:
        InputError: As `LabeledImages`, or `k` or `temperature` out of range.
    """

    def __init__(
        self,
        train_images: Array,
        train_labels: ArrayLike,
        test_images: Array,
        test_labels: ArrayLike,
        every_epochs: int = 1,
        k: int = 200,
        temperature: float = 0.1,
        batch_size: int = 256,
    ) -> None:
        super().__init__()
        check_vote(k, temperature)
        self.every_epochs = every_epochs
        self.temperature = temperature
        self._data = LabeledImages(
            "OnlineKNN", train_images, train_labels, test_images, test_labels, batch_size
        )
        self.k = usable_k(self._data.train_labels, k)
        self._accuracy: float | None = None

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        if self._accuracy is None or (epoch + 1) % self.every_epochs == 0:
            data = self._data
            self._accuracy = knn_accuracy(
                data.features(self.model, data.train_images),
                data.train_labels,
                data.features(self.model, data.test_images),
                data.test_labels,
                self.k,
                self.temperature,
            )
        logs["knn_accuracy"] = self._accuracy

    def get_state(self) -> dict[str, Array]:
        """Dict from name to array: the last value, once there is one."""
        return {} if self._accuracy is None else {"accuracy": np.asarray(self._accuracy)}

    def set_state(self, state: Mapping[str, Array]) -> None:
        """The inverse of `get_state`."""
        self._accuracy = float(state["accuracy"]) if state else None
