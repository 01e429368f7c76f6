"""From minutes to epochs: a step of training is timed, and as many epochs are made as fit."""

import math
import time
from collections.abc import Callable, Iterable, Mapping

import keras

from tf_scl.errors import InputError
from tf_scl.typing import Element

# Steps before the timed ones: the first compiles, the second fills caches.
_UNTIMED = 2
_STEPS, _SECONDS = 10, 1.0  # both must be over,
_SECONDS_AT_MOST = 5.0  # or this
_EPOCHS = 10**9  # more than `fit` gets to


def step_seconds(
    model: keras.Model,
    data: Iterable[Element],
    steps_per_epoch: int,
    clock: Callable[[], float] = time.perf_counter,
) -> float:
    """The time of a training step, with what lies between two steps and two epochs.

    After two steps it is the mean over at least ten steps and a second, or over
    what five seconds hold, and one step at least.

    Args:
        model: `keras.Model`, compiled. It is trained meanwhile.
        data: Data for `fit`, of more batches than are taken here.
        steps_per_epoch: Int.
        clock: Function that gives the time in seconds.

    Returns:
        Float, seconds.
    """
    timer = _Timer(clock)
    model.fit(
        data,
        epochs=_EPOCHS,
        steps_per_epoch=steps_per_epoch,
        verbose=0,
        shuffle=False,
        callbacks=[timer],
    )
    return timer.mean


def epochs_within(minutes: float, seconds: float, steps_per_epoch: int) -> int:
    """The whole number of epochs that minutes hold.

    Args:
        minutes: Float, `train.minutes`.
        seconds: Float, of a step.
        steps_per_epoch: Int.

    Returns:
        Int, at least 1.

    Raises:
        InputError: Not one epoch ends in time.
    """
    epoch = seconds * steps_per_epoch
    epochs = math.floor(minutes * 60 / epoch)
    if epochs < 1:
        least = _two_digits(epoch / 60, math.ceil)
        raise InputError(
            f"train.minutes is {minutes:g}, but an epoch takes {_two_digits(epoch)} s "
            f"({count(steps_per_epoch, 'step')} of {_two_digits(seconds)} s); use train.minutes "
            f"{least} or more, or train a smaller model (model.width, model.image_size)"
        )
    return epochs


def describe(minutes: float, seconds: float, epochs: int, steps_per_epoch: int) -> str:
    """The line for the user: what was timed, and what follows."""
    return (
        f"a step takes {_two_digits(seconds)} s: {count(epochs, 'epoch')} of "
        f"{count(steps_per_epoch, 'step')} in {count(minutes, 'minute')}"
    )


def count(number: float, noun: str) -> str:
    """Such as "1 step" or "2 steps"."""
    return f"{number:.15g} {noun}{'' if number == 1 else 's'}"


def _two_digits(value: float, rounding: Callable[[float], float] = round) -> str:
    """A number above 0 as text, to two significant digits, or to whole ones from 10 on."""
    scale = 10 ** max(0, 1 - math.floor(math.log10(value)))
    return f"{rounding(value * scale) / scale:.15g}"


class _Timer(keras.callbacks.Callback):
    """Ends `fit` when enough steps have been timed."""

    def __init__(self, clock: Callable[[], float]) -> None:
        super().__init__()
        self._clock = clock
        self._steps = -_UNTIMED

    # Keras has waited for the step: it hands out the logs as numbers.
    def on_train_batch_end(self, batch: int, logs: Mapping[str, float] | None = None) -> None:
        now = self._clock()
        self._steps += 1
        if self._steps == 0:
            self._start = now
        if self._steps <= 0:
            return
        seconds = now - self._start
        self.mean = seconds / self._steps
        enough = self._steps >= _STEPS and seconds >= _SECONDS
        if enough or seconds >= _SECONDS_AT_MOST:
            self.model.stop_training = True
