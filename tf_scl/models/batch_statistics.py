"""Batch statistics of a model that has not been trained: the fair baseline."""

import contextlib
import itertools
from collections.abc import Iterable, Iterator

import tensorflow as tf

from tf_scl.models.two_view_model import TwoViewModel
from tf_scl.typing import Element

_BATCHES = 32  # after so many, moving averages of momentum 0.9 hold 3 % of what they began with


@contextlib.contextmanager
def with_statistics_of(model: TwoViewModel, data: Iterable[Element]) -> Iterator[TwoViewModel]:
    """While it lasts, normalizations have the statistics of data; afterwards, those from before.

    Batch normalization begins with a mean of 0 and a variance of 1. Training would
    change these even at a learning rate of 0, so an untrained encoder that keeps them
    is no measure of what was learned: it differs from a trained one in more than its
    weights. Views are drawn and embedded as in training, but no weight is changed.

    Args:
        model: `TwoViewModel`, compiled.
        data: Iterable of batches as `fit` takes them, of one device or of the model's
            strategy; the first 32 are used.

    Yields:
        The model.
    """
    strategy = model.distribute_strategy

    def micro_batch(x: tf.Tensor) -> tf.Tensor:
        return x[: tf.shape(x)[0] // model.accumulate]  # a whole one need not fit into memory

    @tf.function(reduce_retracing=True)
    def embed(batch: Element) -> None:
        def run(batch: Element) -> None:
            inputs = tf.nest.map_structure(micro_batch, model.check_inputs(batch))
            model.embed_views(model.views(inputs), training=True)

        strategy.run(run, (batch,))

    before = [(copy, tf.identity(copy)) for copy in _copies(model, strategy)]
    for batch in itertools.islice(data, _BATCHES):
        embed(batch)
    try:
        yield model
    finally:
        for copy, value in before:
            copy.assign(value)


def _copies(model: TwoViewModel, strategy: tf.distribute.Strategy) -> Iterator[tf.Variable]:
    """Every device's copy of what a forward pass may change."""
    for variable in model.non_trainable_variables:
        yield from strategy.experimental_local_results(variable.value)
