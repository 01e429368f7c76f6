"""Extensions of the spectral contrastive loss that benchmarks.variants compares.

All work on unit vectors u_i^v, for images i = 1..N and views v = 1..V, with mu = a / r
as `mu="auto"` has it (docs/explanation/mu.md):

    a = 1 / (N V (V - 1)) sum_i (|sum_v u_i^v|^2 - sum_v |u_i^v|^2)
    r = 1 / (N (N - 1) V^2) (|M|^2 - sum_i sum_vw (u_i^v.u_i^w)^2),   M = sum_iv u_i^v u_i^vT

One d x d moment of all views holds the negatives of any number of views.
"""

import dataclasses

import tensorflow as tf

from tf_scl import SpectralContrastive, TwoViews
from tf_scl.encoders.resnet import resnet
from tf_scl.losses.precision import as_accurate
from tf_scl.losses.row_norms import normalize
from tf_scl.losses.spectral import _best_mu
from tf_scl.models.projection_head import projection_head

SMALL_CROPS = (0.05, 0.2)  # of the image's area; SwAV and DINO have (0.05, 0.14) to (0.05, 0.4)


@dataclasses.dataclass(frozen=True)
class Variant:
    """What is not as in `SpectralContrastive`.

    Attributes:
        large: Even int, views of the encoder's size.
        small: Even int, further views of half that size, crops of `SMALL_CROPS`.
        memory: Float in [0, 1), of the moment of past batches in that of the negatives:
            M <- memory M + (1 - memory) M_batch. The past is a constant to the gradient.
        non_negative: Bool, relu before the loss (Wang et al., ICLR 2024, arXiv 2403.12459).
    """

    large: int = 2
    small: int = 0
    memory: float = 0.0
    non_negative: bool = False


def build_variant(config, variant):
    """The model of a `Config` with the loss of a `Variant`."""
    from tf_scl.precision import layers_in

    model, augment = config.model, vars(config.augment)
    with layers_in(config.train.precision):
        side = None if variant.small else model.image_size
        encoder = resnet(model.depth, (side, side, model.channels), model.stem, model.width)
        projector = projection_head(model.embedding_dim, model.projector_hidden)
        large = TwoViews(model.image_size, seed=config.train.seed, **augment)
        small = TwoViews(
            model.image_size // 2,
            seed=config.train.seed + 1000,
            **{**augment, "crop_scale": SMALL_CROPS},
        )
        return VariantModel(variant, small, encoder, projector, large)


class VariantModel(SpectralContrastive):
    """One replica, whole batches."""

    def __init__(self, variant, small_views, *parts):
        super().__init__(*parts, mu="auto")
        self.small_views = small_views
        self.variant = variant
        if variant.memory:
            d = self.projector.output_shape[-1]
            self.past = tf.Variable(tf.zeros([d, d]), trainable=False)
            self.steps = tf.Variable(0.0, trainable=False)

    def train_step(self, data):
        (images,) = self.check_inputs(data)
        with tf.GradientTape() as tape:
            values = self._terms(self._embeddings(images))
            values = {"loss": values["attraction"] + values["repulsion"], **values}
        gradients = tape.gradient(values["loss"], self.trainable_variables)
        self.apply_gradients(gradients, None)
        return self.track(values, None)

    def _embeddings(self, images):
        """[V, N, d], rows of norm 1."""
        embedded = []
        if self.variant.small:
            embedded += self._small(images)
        for _ in range(self.variant.large // 2):
            embedded += [self.embed(view, True) for view in self.augmentation(images)]
        embedded = [as_accurate(z) for z in embedded]
        if self.variant.non_negative:
            embedded = [tf.nn.relu(z) for z in embedded]
        return tf.stack([normalize(z) for z in embedded])

    def _small(self, images):
        """Embeddings of the small views, without a trace in the moving averages.

        These are for images of the encoder's size, as they are served.
        """
        moving = self.encoder.non_trainable_variables
        before = [tf.identity(weight.value) for weight in moving]
        views = [view for _ in range(self.variant.small // 2) for view in self.small_views(images)]
        embedded = self.embed(tf.concat(views, axis=0), True)
        with tf.control_dependencies([embedded]):
            for weight, value in zip(moving, before, strict=True):
                weight.assign(value)
        return tf.split(embedded, self.variant.small)

    def _terms(self, u):
        views, images, width = (tf.cast(size, u.dtype) for size in tf.unstack(tf.shape(u)))
        gram = tf.einsum("vnd,wnd->nvw", u, u)
        own = tf.reduce_sum(tf.linalg.trace(gram))
        cosine = (tf.reduce_sum(gram) - own) / (images * views * (views - 1))
        rows = tf.reshape(u, [-1, u.shape[-1]])
        moment = tf.matmul(rows, rows, transpose_a=True)
        squared = tf.reduce_sum(tf.square(moment)) - tf.reduce_sum(tf.square(gram))
        squared /= images * (images - 1) * views**2
        if self.variant.memory:
            squared = self._remembered(squared, rows, moment / (images * views))
        mu = _best_mu(cosine, squared, width, None)
        attraction, repulsion = -2 * cosine, mu * squared
        scaled = tf.stop_gradient(mu * (attraction + repulsion))
        return {"attraction": attraction, "repulsion": repulsion, "mu": mu, "scaled_loss": scaled}

    def _remembered(self, squared, rows, moment):
        """The mean squared inner product with negatives of this batch and of past ones.

        Without bias, if the encoder stood still, for this batch's own part leaves out each
        image's views and the past is other batches. The past is a constant, so that half of
        the gradient is missing, that of the negatives' rows; it is put back.
        """
        memory = self.variant.memory
        past = self.past / tf.maximum(1 - memory**self.steps, 1e-6)
        with_past = tf.reduce_mean(tf.reduce_sum(tf.matmul(rows, past) * rows, axis=1))
        with_past = 2 * with_past - tf.stop_gradient(with_past)
        weight = tf.where(self.steps > 0, memory, 0.0)
        self.past.assign(memory * self.past + (1 - memory) * tf.stop_gradient(moment))
        self.steps.assign_add(1.0)
        return (1 - weight) * squared + weight * with_past
