"""One exact training step on a batch that does not fit into memory at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import tensorflow as tf

from tf_scl.distribute import is_multi_worker, multi_replica_context
from tf_scl.errors import InputError
from tf_scl.losses.precision import as_accurate
from tf_scl.typing import Element

if TYPE_CHECKING:
    from tf_scl.models.two_view_model import TwoViewModel


class AccumulatedStep:
    """A training step in micro-batches, with the gradient of the whole batch.

    The loss couples all images of a batch, so the mean of the micro-batches'
    own gradients would be another one, with fewer negatives. Instead, with Z
    the embeddings of the whole batch, as in GradCache (Gao et al. 2021, arXiv
    2101.06983, section 3):

    1. embeds all micro-batches, keeping Z [N, d] but no activations;
    2. takes dL/dZ of the exact loss of all N pairs, on all replicas;
    3. embeds each micro-batch once more and propagates its rows of dL/dZ
       back, adding gradients up; then the optimizer takes one step.

    The third pass sees the same views, dropout masks and so on, since seed
    generators (and batch normalization's moving averages) are set back to
    where the first began. The price is a second forward pass.

    Batch normalization takes the statistics of a micro-batch (over all
    replicas), never of the whole batch, which would have to be in memory for
    that: the step is exact for this model, in which each micro-batch is
    normalized by itself, and so not the same for every number of
    micro-batches. Its moving averages move once for each micro-batch.

    It stands in for Keras's train function: called with an iterator over
    batches, returns the metrics. A smaller last batch is worked through in
    fewer micro-batches.

    Args:
        model: `TwoViewModel`, compiled.

    Raises:
        InputError: `steps_per_execution` above 1; or, when called, a batch
            that XLA cannot cut into micro-batches of one size.
    """

    def __init__(self, model: TwoViewModel) -> None:
        if model.steps_per_execution != 1:
            raise InputError(
                f"accumulate={model.accumulate} needs steps_per_execution=1 in `compile`. "
                f"Received: steps_per_execution={model.steps_per_execution}"
            )
        self._model = model
        self._strategy = model.distribute_strategy
        self._micro_batch = 0  # rows of a replica in one
        self._penalized = False  # these two are known once the third pass is traced
        self._unconnected: list[bool] = []
        self._zeros = self._on_replicas(self._zeros_of_replica)
        self._embed = self._on_replicas(self._embed_on_replica)
        self._loss = self._on_replicas(self._loss_of_replica)
        self._backward = self._on_replicas(self._backward_on_replica)
        self._apply = self._on_replicas(self._apply_on_replica)

    def __call__(self, iterator: Iterator[Element]) -> dict[str, tf.Tensor]:
        data = next(iterator)
        count = self._count(data)
        indices = [tf.constant(index) for index in range(count)]
        self._build(data)
        state = [(copy, tf.identity(copy)) for copy in self._copies()]
        embeddings = [self._embed(data, index, count) for index in indices]
        for copy, value in state:
            copy.assign(value)
        values, gradients = self._loss(embeddings, self._same_shape_everywhere(data))
        total, penalty = self._zeros()
        for index in indices:
            total, penalty = self._backward(data, index, count, gradients, total, penalty)
        logs = self._apply(values, total, penalty)
        return {name: self._strategy.experimental_local_results(x)[0] for name, x in logs.items()}

    def _build(self, data: Element) -> None:
        """Weights and slots, where the first batch is what tells their shapes."""
        model = self._model
        with self._strategy.scope():
            if not model.built:
                model.build(self._strategy.experimental_local_results(_first(data))[0].shape)
            if not model.optimizer.built:
                model.optimizer.build(model.trainable_variables)

    def _on_replicas(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function on every replica, compiled as the model asks."""

        def run(*args: Any) -> Any:
            return self._strategy.run(function, args)

        if self._model.run_eagerly:
            return run
        # Without AutoGraph, as Keras's own step: it would put our errors into its own words.
        return tf.function(
            run, autograph=False, reduce_retracing=True, jit_compile=self._model.jit_compile
        )

    def _count(self, data: Element) -> int:
        """Number of micro-batches: fewer where a last batch is smaller."""
        rows = [len(x) for x in self._strategy.experimental_local_results(_first(data))]
        most = max(rows)
        if most > self._micro_batch * self._model.accumulate:
            self._micro_batch = -(-most // self._model.accumulate)
        count = -(-most // self._micro_batch)
        if not self._needs_static_shapes:
            return count
        for more in range(count, 2 * count + 1):
            if all(n % more == 0 for n in rows):
                return more
        raise InputError(
            f"XLA needs micro-batches of one size, but a batch of {most} images cannot be cut "
            f"into {count}, nor into a few more; use a batch size that is a multiple of "
            f"accumulate={self._model.accumulate} and drop the rest of the data "
            "(drop_remainder=True), or compile with jit_compile=False"
        )

    @property
    def _needs_static_shapes(self) -> bool:
        on_tpu = isinstance(self._strategy, tf.distribute.TPUStrategy)
        return on_tpu or bool(self._model.jit_compile)

    def _same_shape_everywhere(self, data: Element) -> bool:
        """Whether all replicas are known to hold equally many rows, and more than one.

        What they exchange for the loss depends on static shapes, so these must agree.
        """
        rows = {len(x) for x in self._strategy.experimental_local_results(_first(data))}
        return len(rows) == 1 and max(rows) > 1 and not is_multi_worker(self._strategy)

    def _copies(self) -> Iterator[tf.Variable]:
        """Every device's copy of what a forward pass may change."""
        for variable in self._model.non_trainable_variables:
            yield from self._strategy.experimental_local_results(variable.value)

    def _zeros_of_replica(self) -> tuple[list[tf.Tensor], tf.Tensor]:
        zeros = [tf.zeros(w.shape, w.dtype) for w in self._model.trainable_variables]
        return zeros, tf.zeros([])

    def _embed_on_replica(self, data: Element, index: tf.Tensor, count: int) -> list[Element]:
        inputs = self._inputs(data, index, count)
        with self._model.clustering():
            return self._model.embed_views(self._model.views(inputs), training=True)[0]

    def _loss_of_replica(
        self, embeddings: list[Element], same_shape: bool
    ) -> tuple[dict[str, tf.Tensor], Element]:
        """Shares of loss and terms, and dL/dZ."""
        whole = tf.nest.map_structure(lambda *x: as_accurate(tf.concat(x, axis=0)), *embeddings)
        if not same_shape and not tf.executing_eagerly():
            whole = tf.nest.map_structure(
                lambda x: tf.compat.v1.placeholder_with_default(x, [None, *x.shape[1:]]), whole
            )
        with self._model.clustering():
            with tf.GradientTape() as tape:
                tape.watch(whole)
                values = self._model.loss_and_terms(
                    whole[0], whole[1], None, multi_replica_context()
                )
            return values, tape.gradient(values["loss"], whole, unconnected_gradients=_ZERO)

    def _backward_on_replica(
        self,
        data: Element,
        index: tf.Tensor,
        count: int,
        gradients: Element,
        total: list[tf.Tensor],
        penalty: tf.Tensor,
    ) -> tuple[list[tf.Tensor], tf.Tensor]:
        """Adds a micro-batch's share to the gradients of the weights, and to the penalty."""
        model, context = self._model, multi_replica_context()
        parts = count * (context.num_replicas_in_sync if context else 1)
        inputs = self._inputs(data, index, count)
        gradients = [self._cut(x, index, count) for x in tf.nest.flatten(gradients)]
        with model.clustering():
            views = model.views(inputs)
            with tf.GradientTape() as tape:
                embeddings, more = model.embed_views(views, training=True)
                embeddings = [as_accurate(z) for z in tf.nest.flatten(embeddings)]
                products = zip(embeddings, gradients, strict=True)
                loss = tf.add_n([tf.reduce_sum(z * gradient) for z, gradient in products])
                if more is not None:
                    self._penalized = True
                    loss += more / parts
                    penalty += tf.cast(more / parts, penalty.dtype)
                scaled = model.optimizer.scale_loss(loss)
            own = tape.gradient(scaled, model.trainable_variables)
            self._unconnected = [gradient is None for gradient in own]
            return list(map(_plus, total, own)), penalty

    def _apply_on_replica(
        self, values: dict[str, tf.Tensor], total: list[tf.Tensor], penalty: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        context = multi_replica_context()
        if self._penalized:
            penalty = tf.cast(penalty, values["loss"].dtype)
            values = {**values, "loss": values["loss"] + penalty, "regularization": penalty}
        # A weight without a part in the loss has no gradient, not one of zeros: the
        # optimizer leaves it alone, momentum and weight decay too.
        gradients = [
            None if unconnected else gradient
            for gradient, unconnected in zip(total, self._unconnected, strict=True)
        ]
        self._model.apply_gradients(gradients, context)
        return self._model.track(values, context)

    def _inputs(self, data: Element, index: tf.Tensor, count: int) -> Element:
        inputs = self._model.check_inputs(data)
        return tf.nest.map_structure(lambda x: self._cut(x, index, count), inputs)

    def _cut(self, x: tf.Tensor, index: tf.Tensor, count: int) -> tf.Tensor:
        """The rows of one micro-batch of `count`."""
        n = tf.shape(x)[0]
        if self._needs_static_shapes:  # a size that XLA can know
            return tf.gather(x, index * (n // count) + tf.range(n // count))
        return x[index * n // count : (index + 1) * n // count]


def _plus(total: tf.Tensor, gradient: tf.Tensor | None) -> tf.Tensor:
    """The sum; a sparse gradient (of an embedding) becomes dense."""
    return total if gradient is None else total + tf.convert_to_tensor(gradient)


def _first(data: Element) -> tf.Tensor:
    return tf.nest.flatten(data)[0]


_ZERO = tf.UnconnectedGradients.ZERO
