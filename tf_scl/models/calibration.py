"""Batch statistics of a model that has not been trained: the fair baseline."""

import contextlib
import itertools

import tensorflow as tf

_BATCHES = 32  # after so many, moving averages of momentum 0.9 hold 3 % of what they began with


@contextlib.contextmanager
def calibrated(model, data):
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

    def micro_batch(x):
        return x[: tf.shape(x)[0] // model.accumulate]  # a whole one need not fit into memory

    @tf.function(reduce_retracing=True)
    def embed(batch):
        def run(batch):
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


def _copies(model, strategy):
    """Every device's copy of what a forward pass may change."""
    for variable in model.non_trainable_variables:
        yield from strategy.experimental_local_results(variable.value)
