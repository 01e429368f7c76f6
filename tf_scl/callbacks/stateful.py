"""Callbacks whose state is saved along with the training."""

from collections.abc import Mapping

import keras

from tf_scl.typing import Array


class StatefulCallback(keras.callbacks.Callback):
    """A callback that a resumed training goes on with; a base class.

    `pretrain` saves those among its callbacks, `CheckpointAndResume` those that it is given.
    While batches are passed over that a resumed epoch was trained on already, `is_skipping`
    tells them from others.
    """

    def get_state(self) -> dict[str, Array]:
        """Dict from name to array: all that `set_state` needs."""
        raise NotImplementedError

    def set_state(self, state: Mapping[str, Array]) -> None:
        """The inverse of `get_state`."""
        raise NotImplementedError
