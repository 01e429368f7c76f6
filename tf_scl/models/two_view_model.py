"""The Keras model that every two-view method shares."""

import contextlib

import keras
import numpy as np
import tensorflow as tf

from tf_scl.data.decode import fit_to_square
from tf_scl.distribute import several_replicas, several_workers
from tf_scl.errors import InputError
from tf_scl.losses.precision import as_accurate
from tf_scl.models.accumulated_step import AccumulatedStep
from tf_scl.models.projection_head import projection_head


class TwoViewModel(keras.Model):
    """Learns an encoder from pairs of views; subclasses say with what loss.

    A subclass implements `contrastive_terms` and names what it returns in
    `term_names` and `metric_names`. `call` gives the features of the encoder,
    which is what is kept after training, so `predict` embeds images. Labels in
    the training data are ignored.

    `compile(jit_compile=True)` compiles the whole step with XLA. Over several
    mirrored replicas XLA cannot hold their exchange: it then compiles what
    lies between (TensorFlow's clustering); on a TPU all is compiled anyway.

    Args:
        encoder: `keras.Model` or layer from images [N, H, W, C] (uint8 or
            float, values 0..255) to features [N, D]. A model that expects
            another range starts with a `keras.layers.Rescaling`.
        projector: `keras.Model` or layer from features [N, D] to embeddings
            [N, d] for the loss. Defaults to `projection_head()`.
        augmentation: Layer from images to a pair of batches of views, such as
            `TwoViews`; or None where the data set already yields pairs.
        accumulate: Int >= 1, number of micro-batches that `fit` works through
            a batch in, for batches whose activations do not fit into memory.
            The gradient is exactly that of the whole batch, see
            `AccumulatedStep`, which also says what that means for batch
            normalisation.
        heads: Dict of further layers that a subclass's `embed` uses; each
            becomes the attribute of its name.

    Raises:
        InputError: `accumulate` below 1; or, from `fit`, data of another form.
    """

    # The keys of what `contrastive_terms` returns: those whose sum is the loss, and
    # those that are only reported.
    term_names = ()
    metric_names = ()

    def __init__(
        self, encoder, projector=None, augmentation=None, accumulate=1, heads=None, **kwargs
    ):
        super().__init__(**kwargs)
        if not (isinstance(accumulate, int) and accumulate >= 1):
            raise InputError(
                "`accumulate` must be a number of micro-batches, at least 1. "
                f"Received: accumulate={accumulate!r}"
            )
        self.encoder = encoder
        self.projector = projection_head() if projector is None else projector
        self.augmentation = augmentation
        self.accumulate = accumulate
        for name, head in (heads or {}).items():
            setattr(self, name, head)
        self._clustered = False
        self._meters = {
            name: keras.metrics.Mean(name=name)
            for name in ("loss", *self.term_names, "regularization", *self.metric_names)
        }
        if getattr(encoder, "built", False) and hasattr(encoder, "input_shape"):
            self.build(encoder.input_shape)

    def build(self, input_shape):
        """Makes all weights, by symbolic calls (`keras.Model.build` would make none)."""
        if isinstance(input_shape[0], (tuple, list)):  # a pair of views
            input_shape = input_shape[0]
        # The encoder sees views, whatever the size of the images.
        size = _fixed_size(self.encoder)
        if self.augmentation is not None:
            input_shape, _ = self.augmentation.compute_output_shape(input_shape)
        elif size is not None:
            input_shape = (input_shape[0], size, size, input_shape[-1])
        self.embed(keras.Input(batch_shape=input_shape), training=False)
        self.built = True

    def call(self, images, training=False):
        """Features of images, which are fitted to the encoder's size where it has one."""
        if isinstance(images, (tuple, list)):  # Keras's symbolic build, of data that are pairs
            images = images[0]
        size = _fixed_size(self.encoder)
        if size is not None and tuple(images.shape[1:3]) != (size, size):
            images = fit_to_square(images, size)
        return self.encoder(images, training=training)

    def embed(self, view, training):
        """What the loss sees of one view: a tensor [N, d], or a tuple of such."""
        return self.projector(self.encoder(view, training=training), training=training)

    def contrastive_terms(self, embedding1, embedding2, context):
        """The terms of the loss; a pure function of the embeddings, without weights.

        Args:
            embedding1, embedding2: What `embed` gives for this replica's n
                first and second views.
            context: `tf.distribute.ReplicaContext`, or None on one device.

        Returns:
            Dict of scalars, with the keys `term_names` and `metric_names`.
            Each is this replica's share: over the replicas they add up to the
            value of the global batch.
        """
        raise NotImplementedError

    def train_step(self, data):
        context = several_replicas()
        inputs = self.check_inputs(data)
        with self.clustering():
            views = self.views(inputs)
            with tf.GradientTape() as tape:
                embeddings, penalty = self.embed_views(views, training=True)
                values = self.loss_and_terms(*embeddings, penalty, context)
                scaled = self.optimizer.scale_loss(values["loss"])
            gradients = tape.gradient(scaled, self.trainable_variables)
        self.apply_gradients(gradients, context)
        return _as_keras_reduces(self.track(values, context), context)

    def test_step(self, data):
        context = several_replicas()
        with self.clustering():
            views = self.views(self.check_inputs(data))
            embeddings, penalty = self.embed_views(views, training=False)
            values = self.loss_and_terms(*embeddings, penalty, context)
        return _as_keras_reduces(self.track(values, context), context)

    def make_train_function(self, force=False):
        if self.train_function is not None and not force:
            return self.train_function
        self._choose_compilation()
        if self.accumulate == 1:
            return super().make_train_function(force)
        self.train_function = AccumulatedStep(self)
        return self.train_function

    def make_test_function(self, force=False):
        self._choose_compilation()
        return super().make_test_function(force)

    def _maybe_symbolic_build(self, iterator=None, data_batch=None):
        # Keras would take the mean of a batch over the replicas to learn its shape,
        # which fails for pairs of views on several workers. One replica's part will do.
        if iterator is not None and self._distribute_strategy is not None:
            local_results = self._distribute_strategy.experimental_local_results
            data = next(next(batches for _, _, batches in iterator))
            data_batch = tf.nest.map_structure(lambda x: local_results(x)[0], data)
            iterator = None
        super()._maybe_symbolic_build(iterator, data_batch)

    def _choose_compilation(self):
        strategy = self.distribute_strategy
        if self.jit_compile and strategy.num_replicas_in_sync > 1:
            self.jit_compile = False  # of the step with the replicas' exchange in it
            self._clustered = not isinstance(strategy, tf.distribute.TPUStrategy)

    def clustering(self):
        """Scope whose operations XLA compiles where it cannot compile the whole step."""
        if self._clustered and not tf.executing_eagerly():
            return tf.xla.experimental.jit_scope()
        return contextlib.nullcontext()

    @property
    def metrics(self):
        return list(self._meters.values())

    def get_config(self):
        serialize = keras.saving.serialize_keras_object
        return {
            **super().get_config(),
            "encoder": serialize(self.encoder),
            "projector": serialize(self.projector),
            "augmentation": serialize(self.augmentation),
            "accumulate": self.accumulate,
        }

    @classmethod
    def from_config(cls, config):
        revive = keras.saving.deserialize_keras_object
        return cls(**{k: revive(v) if isinstance(v, dict) else v for k, v in config.items()})

    def embed_views(self, views, training):
        """Embeddings of both views, and the mean of their regularisation penalties or None."""
        embeddings, penalties = [], []
        for view in views:
            embeddings.append(self.embed(view, training))
            penalties += self.losses  # a second call would clear those of the first
        if not penalties:
            return embeddings, None
        # The mean over the views: a weight's penalty counts once.
        return embeddings, tf.add_n([as_accurate(penalty) for penalty in penalties]) / 2.0

    def loss_and_terms(self, embedding1, embedding2, penalty, context):
        """Replica's shares of "loss" and of all that is reported beside it."""
        values = self.contrastive_terms(embedding1, embedding2, context)
        if penalty is not None:
            replicas = context.num_replicas_in_sync if context else 1
            values["regularization"] = penalty / replicas
        loss = tf.add_n([v for name, v in values.items() if name not in self.metric_names])
        return {"loss": loss, **values}

    def apply_gradients(self, gradients, context):
        """One step of the optimiser, from this replica's share of the gradients."""
        # The optimiser adds gradients up over replicas, and shares add up to the
        # global loss: no factor is missing.
        if context is not None and isinstance(self.optimizer, keras.optimizers.LossScaleOptimizer):
            gradients = _finite_on_all_or_none(gradients, context)
        self.optimizer.apply_gradients(zip(gradients, self.trainable_variables, strict=True))

    def check_inputs(self, data):
        """The images, or the pair of views, in an element of the data."""
        if self.augmentation is not None:
            images, _, _ = keras.utils.unpack_x_y_sample_weight(data)
            if isinstance(images, (tuple, list, dict)):
                raise InputError(
                    "with an `augmentation` each element of the data must be a batch of "
                    f"images, alone or as (images, labels). Received: {_describe(data)}. "
                    "For data that already holds two views pass `augmentation=None`"
                )
            return images
        pair = data
        if isinstance(data, (tuple, list)) and data and isinstance(data[0], (tuple, list)):
            pair = data[0]  # ((view1, view2), labels)
        if not isinstance(pair, (tuple, list)) or len(pair) != 2:
            raise InputError(
                "without an `augmentation` each element of the data must be a pair of views "
                f"(view1, view2). Received: {_describe(data)}. "
                "Pass `augmentation=tf_scl.TwoViews(size)` to make views from images"
            )
        if pair[0].shape.as_list() != pair[1].shape.as_list():
            raise InputError(
                "the two views must be of one shape. "
                f"Received: {_describe(pair)}. Is the second one labels?"
            )
        return tuple(pair)

    def views(self, inputs):
        """Two batches of views of what `check_inputs` gave."""
        return inputs if self.augmentation is None else self.augmentation(inputs)

    def track(self, values, context):
        """Adds replicas' shares up, updates the running means, returns these."""
        if context is not None:
            values = context.all_reduce("SUM", values)
        for name, value in values.items():
            self._meters[name].update_state(value)
        return {name: self._meters[name].result() for name in values}


def _finite_on_all_or_none(gradients, context):
    """Makes every gradient NaN on all replicas if any is not finite on one.

    Keras's LossScaleOptimizer skips a step whose gradients overflowed, but it asks
    one replica, before the gradients are added up.
    """
    gradients = [g if g is None else tf.convert_to_tensor(g) for g in gradients]  # dense
    finite = [tf.reduce_all(tf.math.is_finite(g)) for g in gradients if g is not None]
    overflows = 1.0 - tf.cast(tf.reduce_all(finite), tf.float32)
    overflows = context.all_reduce(tf.distribute.ReduceOp.SUM, overflows)
    spoil = tf.where(overflows > 0, np.nan, 0.0)
    return [g if g is None else g + tf.cast(spoil, g.dtype) for g in gradients]


def _as_keras_reduces(logs, context):
    """Keras takes the mean of a step's logs over axis 0 if there are several workers."""
    several = context and several_workers(context.strategy)
    return {name: value[None] for name, value in logs.items()} if several else logs


def _fixed_size(encoder):
    """Side of the square that an encoder takes, or None where it takes any size."""
    shape = getattr(encoder, "input_shape", None)
    square = isinstance(shape, tuple) and len(shape) == 4 and shape[1] == shape[2]
    return shape[1] if square else None


def _describe(data):
    if isinstance(data, (tuple, list)):
        return f"({', '.join(_describe(item) for item in data)})"
    return f"shape {tuple(data.shape)}" if hasattr(data, "shape") else type(data).__name__
