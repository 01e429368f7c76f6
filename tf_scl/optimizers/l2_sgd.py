"""PyTorch's SGD: weight decay inside the gradient, the learning rate outside the momentum."""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from tf_scl import validation


@keras.saving.register_keras_serializable(package="tf_scl")
class L2SGD(keras.optimizers.SGD):
    """SGD with momentum and an L2 penalty added to the gradient, as `torch.optim.SGD`.

    For each variable w with gradient g, at the step's learning rate:

        g = g + l2 * w
        v = momentum * v + g                     (v is 0 before the first step)
        w = w - learning_rate * v                or, with Nesterov's momentum,
        w = w - learning_rate * (g + momentum * v)

    The official spectral contrastive code, and most published recipes, are
    trained by it. `keras.optimizers.SGD` differs in two ways. It keeps the
    learning rate inside v, so v still holds the rates of earlier steps: in a
    warm-up it is some 1 / (1 - momentum) steps behind, and after a drop of the
    rate it goes on at the old one for as long. And its `weight_decay` is
    decoupled, beside the momentum: with momentum 0.9 the penalty here decays
    about ten times as much for the same number.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.optim.SGD.html,
    with dampening 0.

    Args:
        learning_rate, momentum, nesterov, and the rest: as in
            `keras.optimizers.SGD`. `clipnorm` and the like clip the gradient
            before the penalty is added.
        l2: Float >= 0, the coefficient added as `gradient + l2 * weight` to
            every trainable variable, biases and normalization too.

    Raises:
        InputError: A value out of range.
    """

    def __init__(
        self,
        learning_rate: float | Callable[..., Any] = 0.01,
        momentum: float = 0.0,
        nesterov: bool = False,
        l2: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            validation.rate(learning_rate),
            momentum=validation.number("momentum", momentum, 0, 1),
            nesterov=validation.flag("nesterov", nesterov),
            **kwargs,
        )
        self.l2 = validation.number("l2", l2)

    def update_step(
        self, gradient: tf.Tensor, variable: keras.Variable, learning_rate: tf.Tensor
    ) -> None:
        step = tf.cast(tf.convert_to_tensor(gradient), variable.dtype)  # dense
        step = step + self.l2 * variable
        if self.momentum:
            velocity = self.momentums[self._get_variable_index(variable)]
            next_velocity = self.momentum * velocity + step
            self.assign(velocity, next_velocity)
            step = step + self.momentum * next_velocity if self.nesterov else next_velocity
        self.assign_sub(variable, tf.cast(learning_rate, variable.dtype) * step)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "l2": self.l2}
