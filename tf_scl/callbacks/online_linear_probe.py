"""A linear classifier that is trained beside the encoder."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from tf_scl.callbacks.labeled_images import LabeledImages
from tf_scl.callbacks.skipped_batches import is_skipping
from tf_scl.callbacks.stateful import StatefulCallback
from tf_scl.evaluation.logistic_regression import cross_entropy_gradient
from tf_scl.typing import Array, ArrayLike, Logs

_KEPT = 0.9  # by the running mean and variance of the features, at each step
_ADAM = (0.9, 0.999, 1e-8)


class OnlineLinearProbe(StatefulCallback):
    """Adds "probe_accuracy" to the logs at the end of epochs.

    Softmax regression on standardized features, with an optimizer (Adam,
    Kingma and Ba 2015, arXiv 1412.6980) of its own. After every `every`
    training steps it makes one step on a batch of labeled images. It is
    numpy from the features on: the encoder never sees a label. Unlike
    `tf_scl.linear_probe` it is always a little behind the encoder; it shows
    how training goes, not how good the encoder is.

    Put it before the callbacks that read logs. `CheckpointAndResume` saves it
    where it is among its `stateful_callbacks`.

    Args:
        train_images, train_labels, test_images, test_labels: As in
            `LabeledImages`.
        every: Int, training steps to a step of the probe.
        batch_size: Int, labeled images to a step of the probe.
        learning_rate: Float, of the probe.
        seed: Int, of the order of the labeled images.

    Raises:
        InputError: As `LabeledImages`.
    """

    def __init__(
        self,
        train_images: Array,
        train_labels: ArrayLike,
        test_images: Array,
        test_labels: ArrayLike,
        every: int = 1,
        batch_size: int = 256,
        learning_rate: float = 0.01,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.every = every
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.seed = seed
        self._data = LabeledImages(
            "OnlineLinearProbe", train_images, train_labels, test_images, test_labels, batch_size
        )
        self._state: dict[str, Any] = {"batches": np.int64(0)}

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        if is_skipping(self.model):
            return
        batches = int(self._state["batches"]) + 1
        self._state["batches"] = np.int64(batches)
        if batches % self.every == 0:
            rng = np.random.default_rng([self.seed, batches])
            size = min(self.batch_size, len(self._data.targets))
            chosen = np.sort(rng.choice(len(self._data.targets), size, replace=False))
            images = np.asarray(self._data.train_images[chosen])
            self._step(self._data.features(self.model, images), self._data.targets[chosen])

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        features = self._data.features(self.model, self._data.test_images)
        if "weights" not in self._state:
            self._start(features.shape[1])
        predicted = self._data.classes[np.argmax(self._logits(features), axis=1)]
        logs["probe_accuracy"] = float(np.mean(predicted == self._data.test_labels))

    def get_state(self) -> dict[str, Array]:
        """Dict from name to array: the probe, its optimizer and its place in the data."""
        return dict(self._state)

    def set_state(self, state: Mapping[str, Array]) -> None:
        """The inverse of `get_state`."""
        self._state = {name: np.array(array) for name, array in state.items()}

    def _start(self, dimension: int) -> None:
        weights = np.zeros((dimension + 1, len(self._data.classes)))  # the bias in the last row
        self._state.update(
            steps=np.int64(0),
            weights=weights,
            first=weights.copy(),
            second=weights.copy(),
            mean=np.zeros(dimension),
            variance=np.ones(dimension),
        )

    def _step(self, features: Array, targets: Array) -> None:
        """One step of Adam on the mean cross-entropy of features [n, D]."""
        state, (beta1, beta2, epsilon) = self._state, _ADAM
        if "weights" not in state:
            self._start(features.shape[1])
        kept = _KEPT if state["steps"] else 0.0
        for name, value in (("mean", features.mean(0)), ("variance", features.var(0))):
            state[name] = kept * state[name] + (1 - kept) * value
        state["steps"] = state["steps"] + 1
        gradient = cross_entropy_gradient(state["weights"], self._standardize(features), targets)
        state["first"] = beta1 * state["first"] + (1 - beta1) * gradient
        state["second"] = beta2 * state["second"] + (1 - beta2) * gradient**2
        first = state["first"] / (1 - beta1 ** state["steps"])
        second = state["second"] / (1 - beta2 ** state["steps"])
        step = self.learning_rate * first / (np.sqrt(second) + epsilon)
        state["weights"] = state["weights"] - step

    def _logits(self, features: Array) -> Array:
        return (
            self._standardize(features) @ self._state["weights"][:-1] + self._state["weights"][-1]
        )

    def _standardize(self, features: Array) -> Array:
        return (features - self._state["mean"]) / (np.sqrt(self._state["variance"]) + 1e-6)
