"""How augmentations are compiled, and kept from being compiled into one another."""

import functools

import tensorflow as tf

# Compiled by XLA wherever they are called: each is many elementwise operations on the
# same numbers. Kept apart, because XLA repeats work when it fuses more than that.
compiled = functools.partial(tf.function, jit_compile=True, autograph=False)


def materialize(x: tf.Tensor) -> tf.Tensor:
    """`x`, computed once and stored, where XLA compiles all that surrounds it too.

    XLA fuses a result into each operation that reads it, and so computes it
    anew for every one of them: all colors 21 times over for a blur of 21
    taps. It does not see through a branch that is taken, for all it knows, by
    what the images turn out to be. (With constant parameters TF 2.16's XLA
    even computes wrong values where it does.)

    Args:
        x: Float tensor of rank 4.

    Returns:
        `x`; not a number if no image's first value is one.
    """
    some_number = tf.reduce_any(tf.abs(x[:, 0, 0, 0]) < x.dtype.max)
    return tf.cond(some_number, lambda: x, lambda: x * float("nan"))
