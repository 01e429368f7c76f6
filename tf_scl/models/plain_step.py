"""One step on a batch that fits into memory at once; its peer is `accumulated_step`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import tensorflow as tf

from tf_scl.distribute import multi_replica_context
from tf_scl.models.keras_compat import as_keras_reduces
from tf_scl.typing import Element

if TYPE_CHECKING:
    from tf_scl.models.two_view_model import TwoViewModel


def train_step(model: TwoViewModel, data: Element) -> dict[str, tf.Tensor]:
    """Takes the gradient of this replica's share of the loss, and a step of the optimizer.

    Args:
        model: `TwoViewModel`, compiled.
        data: An element of the data, of this replica.

    Returns:
        Dict of scalars: the running means of the loss and of its terms.
    """
    context = multi_replica_context()
    inputs = model.check_inputs(data)
    with model.clustering():
        views = model.views(inputs)
        with tf.GradientTape() as tape:
            embeddings, penalty = model.embed_views(views, training=True)
            values = model.loss_and_terms(embeddings[0], embeddings[1], penalty, context)
            scaled = model.optimizer.scale_loss(values["loss"])
        gradients = tape.gradient(scaled, model.trainable_variables)
    model.apply_gradients(gradients, context)
    return as_keras_reduces(model.track(values, context), context)


def test_step(model: TwoViewModel, data: Element) -> dict[str, tf.Tensor]:
    """Computes the loss and its terms in inference mode, and changes no weight.

    Args:
        model, data: As of `train_step`.

    Returns:
        As `train_step`.
    """
    context = multi_replica_context()
    with model.clustering():
        views = model.views(model.check_inputs(data))
        embeddings, penalty = model.embed_views(views, training=False)
        values = model.loss_and_terms(embeddings[0], embeddings[1], penalty, context)
    return as_keras_reduces(model.track(values, context), context)
