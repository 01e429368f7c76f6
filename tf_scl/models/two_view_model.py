"""The Keras model that every two-view method shares."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import keras
import tensorflow as tf

from tf_scl import validation
from tf_scl.config import Config
from tf_scl.errors import InputError
from tf_scl.images.decode import fit_to_square
from tf_scl.losses.precision import as_accurate
from tf_scl.models import checks, plain_step
from tf_scl.models.accumulated_step import AccumulatedStep
from tf_scl.models.checked_model import CheckedModel
from tf_scl.models.keras_compat import finite_on_all_or_none, first_of_pair
from tf_scl.models.projection_head import projection_head
from tf_scl.optimizers.part_rate import multiply_rate
from tf_scl.typing import Element


class TwoViewModel(CheckedModel):
    """Learns an encoder from pairs of views; subclasses say with what loss.

    A subclass implements `contrastive_terms` and names what it returns in
    `term_names` and `metric_names`. `call` gives the features of the encoder,
    which is what is kept after training, so `predict` embeds images. Labels in
    the training data are ignored; sample and class weights, and a loss or
    metrics for `compile`, would be too, and are refused.

    The first batch of each `fit`, `evaluate` and `predict` is looked at on the
    host: images scaled to 0..1 or -1..1 would be learned from as black ones.

    `compile(jit_compile=True)` compiles the whole step with XLA. Over several
    mirrored replicas XLA cannot hold their exchange: it then compiles what
    lies between (TensorFlow's clustering); on a TPU all is compiled anyway.

    Args:
        encoder: `keras.Model` or layer from images [N, H, W, C] (uint8 or
            float, values 0..255) to features [N, D]. A model that expects
            another range, such as 0..1, starts with a `keras.layers.Rescaling`.
        projector: `keras.Model` or layer from features [N, D] to embeddings
            [N, d] for the loss. Defaults to `projection_head()`.
        augmentation: Layer from images to a pair of batches of views, such as
            `TwoViews`; or None where the data set already yields pairs.
        accumulate: Int >= 1, number of micro-batches that `fit` works through
            a batch in, for batches whose activations do not fit into memory.
            The gradient is exactly that of the whole batch, see
            `AccumulatedStep`, which also says what that means for batch
            normalization.
        backbone_rate: Float >= 0, multiplies the learning rate (and so a
            decoupled weight decay) of the encoder's weights. With 0 the encoder
            is frozen: not trainable, and in inference mode also in training.
        build: Bool, whether all weights are made at once where the encoder tells
            the shape of its input. A subclass with layers of its own gives False,
            sets them, and calls `build_if_known` then, as `SimSiam` does.

    Raises:
        InputError: `accumulate` below 1; `backbone_rate` below 0; an encoder that takes or gives
            something else; or, from `compile`, `fit`, `evaluate` and `predict`,
            arguments without effect, data of another form, or, with an
            `augmentation`, images scaled to 0..1 or -1..1 (without one, a
            warning).
    """

    # The keys of what `contrastive_terms` returns: those whose sum is the loss, and
    # those that are only reported.
    term_names: tuple[str, ...] = ()
    metric_names: tuple[str, ...] = ()

    def __init__(
        self,
        encoder: keras.layers.Layer,
        projector: keras.layers.Layer | None = None,
        augmentation: keras.layers.Layer | None = None,
        accumulate: int = 1,
        backbone_rate: float = 1.0,
        build: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.accumulate = validation.whole_number("accumulate", accumulate)
        checks.check_encoder(encoder, augmentation is not None)
        self.backbone_rate = validation.number("backbone_rate", backbone_rate)
        if self.backbone_rate == 0:
            encoder.trainable = False
        self.encoder = encoder
        self.projector = projection_head() if projector is None else projector
        self.augmentation = augmentation
        self._trackers = {
            name: keras.metrics.Mean(name=name)
            for name in ("loss", *self.term_names, "regularization", *self.metric_names)
        }
        if build:
            self.build_if_known()

    @classmethod
    def own_arguments(cls, config: Config) -> dict[str, Any]:
        """What a method takes besides the arguments of this class, from a `tf_scl.Config`."""
        return {}

    def compile(
        self, optimizer: str | keras.optimizers.Optimizer = "rmsprop", *args: Any, **options: Any
    ) -> None:
        super().compile(optimizer, *args, **options)
        if self.backbone_rate not in (0, 1):
            inner = getattr(self.optimizer, "inner_optimizer", self.optimizer)
            multiply_rate(inner, lambda: self.encoder.trainable_variables, self.backbone_rate)

    def build_if_known(self) -> None:
        """Makes all weights, if the encoder tells the shape of its input."""
        if checks.input_shape(self.encoder) is not None:
            self.build(self.encoder.input_shape)

    def build(self, input_shape: Any) -> None:
        """Makes all weights, by symbolic calls (`keras.Model.build` would make none)."""
        input_shape = first_of_pair(input_shape)
        # The encoder sees views, whatever the size of the images.
        size = checks.fixed_size(self.encoder)
        if self.augmentation is not None:
            input_shape, _ = self.augmentation.compute_output_shape(input_shape)
        elif size is not None:
            input_shape = (input_shape[0], size, size, input_shape[-1])
        self.embed(keras.Input(batch_shape=input_shape), training=False)
        self.built = True

    def call(self, images: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Features of images, which are fitted to the encoder's size where it has one."""
        images = first_of_pair(images)
        if tf.is_tensor(images):  # and not Keras's symbol
            images = checks.known_shape(images, self.encoder, any_size=True)
        size = checks.fixed_size(self.encoder)
        if size is not None and tuple(images.shape[1:3]) != (size, size):
            images = fit_to_square(images, size)
        return checks.check_features(self.encoder(images, training=training))

    def embed(self, view: tf.Tensor, training: bool) -> tf.Tensor | tuple[tf.Tensor, ...]:
        """What the loss sees of one view: a tensor [N, d], or a tuple of such."""
        learning = training and self.backbone_rate > 0
        features = checks.check_features(self.encoder(view, training=learning))
        return self.projector(features, training=training)

    def contrastive_terms(
        self, embedding1: Any, embedding2: Any, context: tf.distribute.ReplicaContext | None
    ) -> dict[str, tf.Tensor]:
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

    def train_step(self, data: Element) -> dict[str, tf.Tensor]:
        return plain_step.train_step(self, data)

    def test_step(self, data: Element) -> dict[str, tf.Tensor]:
        return plain_step.test_step(self, data)

    def new_train_function(self) -> Callable[[Iterator[Element]], dict[str, tf.Tensor]]:
        return super().new_train_function() if self.accumulate == 1 else AccumulatedStep(self)

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        return list(self._trackers.values())

    def get_config(self) -> dict[str, Any]:
        serialize = keras.saving.serialize_keras_object
        return {
            **super().get_config(),
            "encoder": serialize(self.encoder),
            "projector": serialize(self.projector),
            "augmentation": serialize(self.augmentation),
            "accumulate": self.accumulate,
            "backbone_rate": self.backbone_rate,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "TwoViewModel":
        revive = keras.saving.deserialize_keras_object
        return cls(**{k: revive(v) if isinstance(v, dict) else v for k, v in config.items()})

    def embed_views(
        self, views: Iterable[tf.Tensor], training: bool
    ) -> tuple[list[Any], tf.Tensor | None]:
        """Embeddings of both views, and the mean of their regularization penalties or None."""
        embeddings, penalties = [], []
        for view in views:
            embeddings.append(self.embed(view, training))
            penalties += self.losses  # a second call would clear those of the first
        if not penalties:
            return embeddings, None
        # The mean over the views: a weight's penalty counts once.
        return embeddings, tf.add_n([as_accurate(penalty) for penalty in penalties]) / 2.0

    def loss_and_terms(
        self,
        embedding1: Any,
        embedding2: Any,
        penalty: tf.Tensor | None,
        context: tf.distribute.ReplicaContext | None,
    ) -> dict[str, tf.Tensor]:
        """Replica's shares of "loss" and of all that is reported beside it."""
        values = self.contrastive_terms(embedding1, embedding2, context)
        if penalty is not None:
            replicas = context.num_replicas_in_sync if context else 1
            values["regularization"] = penalty / replicas
        loss = tf.add_n([v for name, v in values.items() if name not in self.metric_names])
        return {"loss": loss, **values}

    def apply_gradients(
        self, gradients: list[tf.Tensor | None], context: tf.distribute.ReplicaContext | None
    ) -> None:
        """One step of the optimizer, from this replica's share of the gradients."""
        if all(gradient is None for gradient in gradients):
            raise InputError(
                "nothing can be trained: no trainable weight of encoder and projector has a part "
                f"in the loss, of {len(gradients)}; set `trainable = True` on one of them"
            )
        # The optimizer adds gradients up over replicas, and shares add up to the
        # global loss: no factor is missing.
        if context is not None and isinstance(self.optimizer, keras.optimizers.LossScaleOptimizer):
            gradients = finite_on_all_or_none(gradients, context)
        self.optimizer.apply_gradients(zip(gradients, self.trainable_variables, strict=True))

    def check_inputs(self, data: Element) -> tuple[tf.Tensor, ...]:
        """The images, or the pair of views, in an element of the data, of a known shape."""
        return checks.read(self.images_in(data), self.encoder)

    def views(self, inputs: tuple[tf.Tensor, ...]) -> tuple[tf.Tensor, tf.Tensor]:
        """Two batches of views of what `check_inputs` gave."""
        return inputs if self.augmentation is None else self.augmentation(*inputs)

    def track(
        self, values: dict[str, tf.Tensor], context: tf.distribute.ReplicaContext | None
    ) -> dict[str, tf.Tensor]:
        """Adds replicas' shares up, updates the running means, returns these."""
        if context is not None:
            values = context.all_reduce("SUM", values)
        for name, value in values.items():
            self._trackers[name].update_state(value)
        return {name: self._trackers[name].result() for name in values}
