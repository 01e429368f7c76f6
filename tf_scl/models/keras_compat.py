"""Workarounds for what Keras does on several replicas, or with pairs of views: all of them.

Each says where Keras's behavior comes from and what will end it. Where no version is named, the
behavior is that of Keras 3.4.1 to 3.15.1, and no later version is known to change it.
"""

import contextlib
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tf_scl.distribute import is_multi_worker
from tf_scl.typing import Element


class CompatModel(keras.Model):
    """A `keras.Model` that trains on several replicas, with XLA, and on pairs of views."""

    # Made by Keras, which has no types.
    train_function: Any
    test_function: Any
    predict_function: Any
    jit_compile: Any

    _clustered = False

    def compile(self, *args: Any, **options: Any) -> None:
        """As `keras.Model.compile`; with `jit_compile=True` also on several replicas.

        XLA cannot compile the exchange between mirrored replicas, and `fit` fails (Keras issue
        19005; after pull request 18716 `jit_compile="auto"` stays without XLA there). So Keras is
        told to compile nothing, and the step has XLA compile what lies between by `clustering`. On
        a TPU all is compiled anyway. It ends when XLA compiles collectives of a
        `MirroredStrategy`.
        """
        super().compile(*args, **options)
        strategy = self.distribute_strategy
        in_parts = bool(self.jit_compile) and strategy.num_replicas_in_sync > 1
        self._clustered = in_parts and not isinstance(strategy, tf.distribute.TPUStrategy)
        if in_parts:
            self.jit_compile = False

    def clustering(self) -> contextlib.AbstractContextManager[Any]:
        """Scope whose operations XLA compiles where it cannot compile the whole step."""
        if self._clustered and not tf.executing_eagerly():
            return tf.xla.experimental.jit_scope()
        return contextlib.nullcontext()

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Compiles a model that is loaded.

        Keras's own does nothing but warn where a class has a `compile` of its own. That is
        documented, and here to stay.
        """
        self.compile(**keras.saving.deserialize_keras_object(config))
        if self.built:
            self.optimizer.build(self.trainable_variables)

    def see_first_batch(self, data: Element) -> None:
        """Called under a strategy with one replica's part of a batch, before the first step."""

    def local_part(self, data: Element) -> Element:
        """One replica's part of the data."""
        local_results = self.distribute_strategy.experimental_local_results
        return tf.nest.map_structure(lambda x: local_results(x)[0], data)

    def _maybe_symbolic_build(self, iterator: Any = None, data_batch: Any = None) -> None:
        """Builds the model under a strategy from one replica's part of a batch.

        Keras takes the mean of a batch over the replicas to learn its shape (since 3.5, pull
        request 19969), which fails for pairs of views on several workers. It ends when Keras asks
        the batch for its shape alone.
        """
        if iterator is not None and self._distribute_strategy is not None:
            data_batch = self.local_part(next(next(batches for _, _, batches in iterator)))
            iterator = None
            self.see_first_batch(data_batch)
        super()._maybe_symbolic_build(iterator, data_batch)


def first_of_pair(x: Any) -> Any:
    """The first of two batches of views, or of their two shapes; one batch or shape as it is.

    Keras builds a model by a call of it on a symbol of its data, pairs too, though `call` takes
    images. It ends with `_maybe_symbolic_build`.
    """
    is_pair = isinstance(x, (tuple, list)) and not isinstance(x[0], (int, type(None)))
    return x[0] if is_pair else x


def as_keras_reduces(
    logs: dict[str, tf.Tensor], context: tf.distribute.ReplicaContext | None
) -> dict[str, tf.Tensor]:
    """The logs of a step, with an axis to take the mean over where there are several workers.

    `reduce_per_replica` takes the mean over the first axis there, which fails for scalars (from
    Keras Core pull request 119 on). It ends when Keras reduces scalars as it does on one worker.
    """
    several = context and is_multi_worker(context.strategy)
    return {name: value[None] for name, value in logs.items()} if several else logs


def finite_on_all_or_none(
    gradients: list[tf.Tensor | None], context: tf.distribute.ReplicaContext
) -> list[tf.Tensor | None]:
    """Makes every gradient NaN on all replicas if any is not finite on one.

    `LossScaleOptimizer` skips a step whose gradients overflowed, but it asks one replica, and
    before the gradients are added up (pull request 18691 takes them for equal on all). It ends
    when Keras asks all replicas.
    """
    gradients = [g if g is None else tf.convert_to_tensor(g) for g in gradients]  # dense
    finite = [tf.reduce_all(tf.math.is_finite(g)) for g in gradients if g is not None]
    overflows = 1.0 - tf.cast(tf.reduce_all(finite), tf.float32)
    overflows = context.all_reduce(tf.distribute.ReduceOp.SUM, overflows)
    nan_if_overflow = tf.where(overflows > 0, np.nan, 0.0)
    return [g if g is None else g + tf.cast(nan_if_overflow, g.dtype) for g in gradients]
