"""Batches that `fit` passes over, because a resumed epoch was trained on them already."""

from collections.abc import Callable, Iterator
from typing import Any

import keras

from tf_scl.typing import Element


class SkippedBatches:
    """Stands in for a model's train function until so many batches are passed over.

    `fit` has no way to begin inside an epoch, so it is given this function in the place of the
    one that trains. Callbacks see the batches, with empty logs.

    Attributes:
        skipping: Whether the last call passed over its batches.
    """

    def __init__(self, model: keras.Model, batches: int, data_resume: bool) -> None:
        """Takes the place of the train function; `stop` gives it back.

        Args:
            model: `keras.Model`, in `fit`.
            batches: Int, to pass over.
            data_resume: Whether the data begin behind those batches, so that none is taken.
        """
        self._model, self._left, self._data_resume = model, batches, data_resume
        self._train: Callable[[Iterator[Element]], Any] = model.train_function
        self.skipping = False
        model.train_function = self

    def __call__(self, iterator: Iterator[Element]) -> Any:
        """A step, or `steps_per_execution` of them: trained, or passed over."""
        if self._left <= 0:
            logs = self._train(iterator)  # which raises at the end of data of unknown length
            self.skipping = False
            return logs
        self.skipping = True
        steps = self._model.steps_per_execution
        self._left -= steps
        if not self._data_resume:
            for _ in range(steps):
                next(iterator)
        return {}

    def stop(self) -> None:
        """Gives the model its train function back."""
        if self._model.train_function is self:
            self._model.train_function = self._train


def is_skipping(model: keras.Model) -> bool:
    """Whether the batch that `fit` tells callbacks of was passed over."""
    function = model.train_function
    return isinstance(function, SkippedBatches) and function.skipping
