"""Another learning rate for some of the weights that an optimizer trains."""

from collections.abc import Callable, Iterable

import keras
import tensorflow as tf


def multiply_rate(
    optimizer: keras.optimizers.Optimizer,
    variables: Callable[[], Iterable[keras.Variable]],
    factor: float,
) -> None:
    """Makes an optimizer train some of its variables at a multiple of its learning rate.

    The factor goes into the learning rate that a variable's own step is given, and
    into that of a decoupled weight decay. So these variables move as they would
    under an optimizer of their own with `factor` times the rate, whether the rate
    stands inside the velocity (`LARS`, Keras's SGD) or outside (`L2SGD`). There
    remains one optimizer, with one state and one learning rate to log and resume.

    It is not a factor on the gradient, which Adam, LAMB and LARS divide by: it
    would cancel.

    Args:
        optimizer: `keras.optimizers.Optimizer`; it is changed. A second call takes
            the place of the first.
        variables: Function without arguments that gives the `keras.Variable`s. It
            is called at the first step, when the optimizer is built.
        factor: Float >= 0.
    """
    kind = type(optimizer)
    places = None

    def is_part(variable: keras.Variable) -> bool:
        nonlocal places
        if places is None:
            part = {id(one) for one in variables()}
            trained = enumerate(optimizer._trainable_variables)
            places = frozenset(place for place, one in trained if id(one) in part)
        # A replica's component is known by its place alone.
        return optimizer._get_variable_index(variable) in places

    def update_step(
        gradient: tf.Tensor, variable: keras.Variable, learning_rate: tf.Tensor
    ) -> None:
        if is_part(variable):
            learning_rate = factor * tf.cast(learning_rate, variable.dtype)
            decay = optimizer.weight_decay
            if decay is not None and optimizer._use_weight_decay(variable):
                variable.assign_sub(learning_rate * decay * variable)
        return kind.update_step(optimizer, gradient, variable, learning_rate)

    def apply_weight_decay(trained: Iterable[keras.Variable]) -> None:
        kind._apply_weight_decay(optimizer, [one for one in trained if not is_part(one)])

    optimizer.update_step = update_step
    optimizer._apply_weight_decay = apply_weight_decay
