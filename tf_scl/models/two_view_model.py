"""The Keras model that every two-view method shares."""

import keras
import tensorflow as tf

from tf_scl.data.decode import fit_to_square
from tf_scl.distribute import several_replicas
from tf_scl.errors import InputError
from tf_scl.models.projection_head import projection_head


class TwoViewModel(keras.Model):
    """Learns an encoder from pairs of views; subclasses say with what loss.

    A subclass implements `contrastive_terms` and names the terms in
    `term_names`. `call` gives the features of the encoder, which is what is
    kept after training, so `predict` embeds images. Labels in the training
    data are ignored.

    Args:
        encoder: `keras.Model` or layer from images [N, H, W, C] (uint8 or
            float, values 0..255) to features [N, D]. A model that expects
            another range starts with a `keras.layers.Rescaling`.
        projector: `keras.Model` or layer from features [N, D] to embeddings
            [N, d] for the loss. Defaults to `projection_head()`.
        augmentation: Layer from images to a pair of batches of views, such as
            `TwoViews`; or None where the data set already yields pairs.

    Raises:
        InputError: From `fit`, for data of another form.
    """

    # The keys of what `contrastive_terms` returns; each is reported beside the loss.
    term_names = ()

    def __init__(self, encoder, projector=None, augmentation=None, **kwargs):
        super().__init__(**kwargs)
        self.encoder = encoder
        self.projector = projection_head() if projector is None else projector
        self.augmentation = augmentation
        self._meters = {
            name: keras.metrics.Mean(name=name)
            for name in ("loss", *self.term_names, "regularization")
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
        self.projector(self.encoder(keras.Input(batch_shape=input_shape)))
        self.built = True

    def call(self, images, training=False):
        """Features of images, which are fitted to the encoder's size where it has one."""
        if isinstance(images, (tuple, list)):  # Keras's symbolic build, of data that are pairs
            images = images[0]
        size = _fixed_size(self.encoder)
        if size is not None and tuple(images.shape[1:3]) != (size, size):
            images = fit_to_square(images, size)
        return self.encoder(images, training=training)

    def contrastive_terms(self, z1, z2, context):
        """The terms of the loss, whose sum is minimised.

        Args:
            z1, z2: Embeddings [n, d] of this replica's two views.
            context: `tf.distribute.ReplicaContext`, or None on one device.

        Returns:
            Dict of float32 scalars. Each is this replica's share: over the
            replicas they add up to the term of the global batch.
        """
        raise NotImplementedError

    def train_step(self, data):
        views = self._views(data)
        context = several_replicas()
        with tf.GradientTape() as tape:
            terms = self._terms(views, context, training=True)
            loss = tf.add_n(list(terms.values()))
            scaled = self.optimizer.scale_loss(loss)
        variables = self.trainable_variables
        gradients = tape.gradient(scaled, variables)
        # The optimiser adds gradients up over replicas, and shares add up to
        # the global loss: no factor is missing.
        self.optimizer.apply_gradients(zip(gradients, variables, strict=True))
        return self._track(terms, context)

    def test_step(self, data):
        context = several_replicas()
        return self._track(self._terms(self._views(data), context, training=False), context)

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
        }

    @classmethod
    def from_config(cls, config):
        parts = ("encoder", "projector", "augmentation")
        revive = keras.saving.deserialize_keras_object
        return cls(**{k: revive(v) if k in parts else v for k, v in config.items()})

    def _terms(self, views, context, training):
        embeddings, penalties = [], []
        for view in views:
            features = self.encoder(view, training=training)
            embeddings.append(self.projector(features, training=training))
            penalties += self.losses  # a second call would clear those of the first
        terms = self.contrastive_terms(*embeddings, context)
        if penalties:
            # The mean over the views: a weight's penalty counts once.
            replicas = context.num_replicas_in_sync if context else 1
            terms["regularization"] = tf.add_n(penalties) / (2 * replicas)
        return terms

    def _views(self, data):
        if self.augmentation is not None:
            images, _, _ = keras.utils.unpack_x_y_sample_weight(data)
            if isinstance(images, (tuple, list, dict)):
                raise InputError(
                    "with an `augmentation` each element of the data must be a batch of "
                    f"images, alone or as (images, labels). Received: {_describe(data)}. "
                    "For data that already holds two views pass `augmentation=None`"
                )
            return self.augmentation(images)
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
        return pair

    def _track(self, terms, context):
        values = dict(terms)
        if context is not None:
            values = {k: context.all_reduce("SUM", v) for k, v in values.items()}
        values = {"loss": tf.add_n(list(values.values())), **values}
        for name, value in values.items():
            self._meters[name].update_state(value)
        return {name: self._meters[name].result() for name in values}


def _fixed_size(encoder):
    """Side of the square that an encoder takes, or None where it takes any size."""
    shape = getattr(encoder, "input_shape", None)
    square = isinstance(shape, tuple) and len(shape) == 4 and shape[1] == shape[2]
    return shape[1] if square else None


def _describe(data):
    if isinstance(data, (tuple, list)):
        return f"({', '.join(_describe(item) for item in data)})"
    return f"shape {tuple(data.shape)}" if hasattr(data, "shape") else type(data).__name__
