"""SGD whose weight decay is an L2 penalty inside the gradient."""

import keras

from tf_scl.optimizers import arguments


@keras.saving.register_keras_serializable(package="tf_scl")
class L2SGD(keras.optimizers.SGD):
    """SGD with momentum and an L2 penalty added to the gradient.

    Keras's own `weight_decay` is decoupled: it shrinks the weights beside the
    momentum. The official spectral contrastive code (like most published SGD
    recipes) adds `l2 * w` to the gradient, so the momentum carries it; with
    momentum 0.9 that decays about ten times as much for the same number.

    Args:
        learning_rate, momentum, nesterov, and the rest: as in
            `keras.optimizers.SGD`.
        l2: Float >= 0, the coefficient added as `gradient + l2 * weight` to
            every trainable variable, biases and normalisation too.

    Raises:
        InputError: A value out of range.
    """

    def __init__(self, learning_rate=0.01, momentum=0.0, nesterov=False, l2=0.0, **kwargs):
        super().__init__(
            arguments.rate(learning_rate),
            momentum=arguments.number("momentum", momentum, 0, 1),
            nesterov=arguments.flag("nesterov", nesterov),
            **kwargs,
        )
        self.l2 = arguments.number("l2", l2)

    def update_step(self, gradient, variable, learning_rate):
        penalty = keras.ops.cast(self.l2, variable.dtype) * variable
        super().update_step(
            keras.ops.cast(gradient, variable.dtype) + penalty, variable, learning_rate
        )

    def get_config(self):
        return {**super().get_config(), "l2": self.l2}
