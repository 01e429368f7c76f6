"""Optimizers by name, for settings. A new one is an entry here.

Imports no optimizer before it is asked for, see `tf_scl/registry.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import keras

    from tf_scl.config import TrainConfig

    Rate: TypeAlias = float | keras.optimizers.schedules.LearningRateSchedule


def _sgd(train: TrainConfig, rate: Rate) -> keras.optimizers.Optimizer:
    from tf_scl.optimizers.l2_sgd import L2SGD

    return L2SGD(rate, momentum=train.momentum, l2=train.weight_decay)


def _lars(train: TrainConfig, rate: Rate) -> keras.optimizers.Optimizer:
    from tf_scl.optimizers.lars import LARS

    return LARS(rate, momentum=train.momentum, l2=train.weight_decay)


def _lamb(train: TrainConfig, rate: Rate) -> keras.optimizers.Optimizer:
    import keras

    return keras.optimizers.Lamb(rate, weight_decay=train.weight_decay)


def _adamw(train: TrainConfig, rate: Rate) -> keras.optimizers.Optimizer:
    import keras

    return keras.optimizers.AdamW(rate, weight_decay=train.weight_decay)


# name -> what makes it, of the section train of a `Config` and a learning rate
OPTIMIZERS: dict[str, Callable[[TrainConfig, Rate], keras.optimizers.Optimizer]] = {
    "sgd": _sgd,
    "lars": _lars,
    "lamb": _lamb,
    "adamw": _adamw,
}


def build_optimizer(train: TrainConfig, rate: Rate) -> keras.optimizers.Optimizer:
    """The optimizer that a `TrainConfig` describes.

    Args:
        train: `tf_scl.config.TrainConfig`.
        rate: Float or schedule, the learning rate.

    Returns:
        `keras.optimizers.Optimizer`.
    """
    return OPTIMIZERS[train.optimizer](train, rate)
