"""SGD with a learning rate of its own for each layer, for large batches."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf
from keras import ops

from tf_scl import validation


@keras.saving.register_keras_serializable(package="tf_scl")
class LARS(keras.optimizers.Optimizer):
    """Layer-wise adaptive rate scaling (LARS).

    You, Gitman and Ginsburg, "Large Batch Training of Convolutional Networks"
    (arXiv 1708.03888): equation 6 and algorithm 1. For each variable w with
    gradient g, norms being Euclidean:

        ratio = trust_coefficient * |w| / (|g| + l2 * |w| + epsilon)
        v = momentum * v + learning_rate * ratio * (g + l2 * w)
        w = w - v

    The learning rate is inside v, so a schedule does not rescale what v
    already holds; algorithm 1 and SimCLR's official code (`classic_momentum`)
    do the same; PyTorch's SGD, and `L2SGD` here, keep it outside. With a constant
    rate it is all one.
    SimCLR's code differs from the paper in dividing by |g + l2 * w|, which
    comes to the same for its l2 of 1e-6.

    The ratio is 1 where |w| or |g| is 0, so that zero weights can start. It is
    also 1, and l2 is 0, for the variables in `exclude`: those are trained by
    plain SGD with momentum.

    Sums are taken in float32, or in float64 for a float64 variable; a sparse
    gradient (of an embedding) is made dense, as every weight changes.

    Args:
        learning_rate: Float >= 0, a Keras schedule, or a callable without
            arguments. About 0.3 * batch / 256 in SimCLR (Chen et al. 2020,
            arXiv 2002.05709, section 2.2): far above a rate for SGD, because
            of the trust coefficient.
        momentum: Float from 0 to 1.
        l2: Float >= 0, the coefficient of the weight decay inside the gradient.
            Not Keras's `weight_decay`, which shrinks the weights beside the
            momentum, knows no `exclude`, and is best left alone.
        trust_coefficient: Float >= 0, eta of the paper.
        epsilon: Float >= 0, bounds the ratio where the gradient vanishes. 0 in
            the paper; l2 > 0 bounds it too.
        nesterov: Bool, use w = w - momentum * v - learning_rate * ratio *
            (g + l2 * w) with the new v, as in SimCLR's code.
        exclude: List of strings. A variable is excluded if one of them is a
            whole part of its path between slashes: its own name ("bias"), or
            that of a layer or model around it ("head"). Read when the
            optimizer is built. The default means biases and normalization.
        **kwargs: `name`, `clipnorm` and the rest of `keras.optimizers.Optimizer`.

    Raises:
        InputError: A value out of range.
    """

    def __init__(
        self,
        learning_rate: float | Callable[..., Any],
        momentum: float = 0.9,
        l2: float = 0.0,
        trust_coefficient: float = 0.001,
        epsilon: float = 0.0,
        nesterov: bool = False,
        exclude: Sequence[str] = ("bias", "gamma", "beta"),
        **kwargs: Any,
    ) -> None:
        super().__init__(validation.rate(learning_rate), **kwargs)
        self.momentum = validation.number("momentum", momentum, 0, 1)
        self.l2 = validation.number("l2", l2)
        self.trust_coefficient = validation.number("trust_coefficient", trust_coefficient)
        self.epsilon = validation.number("epsilon", epsilon)
        self.nesterov = validation.flag("nesterov", nesterov)
        self.exclude = validation.names("exclude", exclude)

    def build(self, variables: list[keras.Variable]) -> None:
        if self.built:
            return
        super().build(variables)
        self.velocities = self.add_optimizer_variables(variables, "velocity")
        # By position: `update_step` sees a replica's component, without a path.
        self._excluded = frozenset(
            index for index, variable in enumerate(variables) if self._is_excluded(variable)
        )

    def update_step(
        self, gradient: tf.Tensor, variable: keras.Variable, learning_rate: tf.Tensor
    ) -> None:
        index = self._get_variable_index(variable)
        velocity = self.velocities[index]
        dtype = keras.backend.result_type(variable.dtype, "float32")
        weight = ops.cast(variable, dtype)
        step = ops.cast(tf.convert_to_tensor(gradient), dtype)  # dense
        scale = ops.cast(learning_rate, dtype)
        if index not in self._excluded:
            scale = scale * self._trust_ratio(weight, step)
            step = step + self.l2 * weight
        step = scale * step
        next_velocity = self.momentum * ops.cast(velocity, dtype) + step
        self.assign(velocity, next_velocity)
        if self.nesterov:
            next_velocity = self.momentum * next_velocity + step
        self.assign(variable, weight - next_velocity)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "momentum": self.momentum,
            "l2": self.l2,
            "trust_coefficient": self.trust_coefficient,
            "epsilon": self.epsilon,
            "nesterov": self.nesterov,
            "exclude": list(self.exclude),
        }

    def _is_excluded(self, variable: keras.Variable) -> bool:
        path = getattr(variable, "path", variable.name).split(":")[0]
        return not set(self.exclude).isdisjoint(path.split("/"))

    def _trust_ratio(self, weight: tf.Tensor, gradient: tf.Tensor) -> tf.Tensor:
        """Scalar; equation 6, or 1 where a norm is 0."""
        weight_norm, gradient_norm = _norm(weight), _norm(gradient)
        defined = ops.logical_and(weight_norm > 0, gradient_norm > 0)
        divisor = gradient_norm + self.l2 * weight_norm + self.epsilon
        ratio = self.trust_coefficient * weight_norm / ops.where(defined, divisor, 1.0)
        return ops.where(defined, ratio, 1.0)


def _norm(x: tf.Tensor) -> tf.Tensor:
    return ops.sqrt(ops.sum(ops.square(x)))
