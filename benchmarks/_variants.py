"""Extensions of the spectral contrastive loss, which benchmarks.variants and semi_supervised judge.

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
        labeled: Float in [0, 1), weight of the labeled images in the graph (`LabeledModel`).
    """

    large: int = 2
    small: int = 0
    memory: float = 0.0
    non_negative: bool = False
    labeled: float = 0.0


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
        kind = LabeledModel if variant.labeled else VariantModel
        return kind(variant, small, encoder, projector, large)


class VariantModel(SpectralContrastive):
    """One replica, whole batches."""

    def __init__(self, variant, small_views, *parts):
        super().__init__(*parts, mu="auto", build=False)
        self.small_views = small_views
        self.variant = variant
        if variant.memory:
            d = self.projector.layers[-2].units
            self.past = tf.Variable(tf.zeros([d, d]), trainable=False)
            self.steps = tf.Variable(0.0, trainable=False)
        self.build_if_known()

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
        cosine, squared = _pairs(u)
        width = tf.cast(tf.shape(u)[2], u.dtype)
        if self.variant.memory:
            rows = tf.reshape(u, [-1, u.shape[-1]])
            squared = self._remembered(squared, rows, _moment(u))
        return _at_best_scale(cosine, squared, width)

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


class LabeledModel(VariantModel):
    """The spectral loss of a graph that also joins images of one label.

    Sun et al., NeurIPS 2023, arXiv 2311.03524 (SORL): of an edge's weight a share b =
    `labeled` is that of two views of two labeled images of one class, all classes alike. Its
    five terms are the two sums above of a mixture: images are drawn with a probability of
    1 - b from all and with b from the labeled ones, first a class of C and then an image of it
    (L the embeddings of these),

        a = (1 - b) a_all + b mean_c mean_{i != j of c} l_i.l_j
        r = (1 - b)^2 r_all + 2 b (1 - b) mean (u_i.l_j)^2 + b^2 r_labeled
        r_labeled = 1/C mean_c mean_{i != j of c} (l_i.l_j)^2
                    + (1 - 1/C) mean_{c != c'} mean_{i of c, j of c'} (l_i.l_j)^2

    and every square is a product of d x d moments. A batch is images and, as labels, (labeled
    images, their classes), as many of each class. No other field of the variant counts.
    """

    def train_step(self, data):
        images, (labeled, classes) = data
        with tf.GradientTape() as tape:
            both = tf.concat([images, labeled], axis=0)
            views = [normalize(as_accurate(self.embed(v, True))) for v in self.augmentation(both)]
            count = tf.shape(images)[0]
            values = self._mixture(
                tf.stack([v[:count] for v in views]), tf.stack([v[count:] for v in views]), classes
            )
            values = {"loss": values["attraction"] + values["repulsion"], **values}
        gradients = tape.gradient(values["loss"], self.trainable_variables)
        self.apply_gradients(gradients, None)
        return self.track(values, None)

    def _mixture(self, u, labeled, classes):
        b, width = self.variant.labeled, tf.cast(tf.shape(u)[2], u.dtype)
        own, squared = _pairs(u)
        members = tf.one_hot(classes, tf.reduce_max(classes) + 1, dtype=u.dtype)  # [B, C]
        within, squared_labeled, of_labeled = _class_pairs(labeled, members)
        across = tf.reduce_sum(_moment(u) * of_labeled)
        cosine = (1 - b) * own + b * within
        squared = (1 - b) ** 2 * squared + 2 * b * (1 - b) * across + b**2 * squared_labeled
        return _at_best_scale(cosine, squared, width)


def _at_best_scale(cosine, squared, width):
    """The terms of the loss with mu="auto", of its two sums."""
    mu = _best_mu(cosine, squared, width, None)
    attraction, repulsion = -2 * cosine, mu * squared
    scaled = tf.stop_gradient(mu * (attraction + repulsion))
    return {"attraction": attraction, "repulsion": repulsion, "mu": mu, "scaled_loss": scaled}


def _class_pairs(u, members):
    """Of labeled images, [V, B, d], as many of each class: means over pairs of images.

    Returns:
        Mean cosine within a class, `LabeledModel`'s r_labeled, and the second moment.
    """
    views, classes = (tf.cast(size, u.dtype) for size in (tf.shape(u)[0], tf.shape(members)[1]))
    count = tf.reduce_sum(members, axis=0)
    pairs = count * (count - 1) * views**2
    gram = tf.einsum("vbd,wbd->bvw", u, u)
    sums = tf.einsum("bc,vbd->cd", members, u)
    own = tf.linalg.matvec(members, tf.reduce_sum(gram, [1, 2]), transpose_a=True)
    within = (tf.reduce_sum(sums**2, axis=1) - own) / pairs
    moments = tf.einsum("bc,vbd,vbe->cde", members, u, u)  # sums over images and views
    own = tf.linalg.matvec(members, tf.reduce_sum(gram**2, [1, 2]), transpose_a=True)
    squared_within = (tf.reduce_sum(moments**2, [1, 2]) - own) / pairs
    means = moments / (count * views)[:, None, None]
    whole = tf.reduce_sum(means, axis=0)
    between = tf.reduce_sum(whole**2) - tf.reduce_sum(means**2)
    squared = tf.reduce_mean(squared_within) / classes + between / classes**2
    return tf.reduce_mean(within), squared, whole / classes


def _moment(u):
    """The mean of x x^T over the rows of [V, N, d]."""
    rows = tf.reshape(u, [-1, u.shape[-1]])
    return tf.matmul(rows, rows, transpose_a=True) / tf.cast(tf.shape(rows)[0], u.dtype)


def _pairs(u):
    """Mean cosine of two views of one image, mean squared cosine of views of two images."""
    views, images, _ = (tf.cast(size, u.dtype) for size in tf.unstack(tf.shape(u)))
    gram = tf.einsum("vnd,wnd->nvw", u, u)
    own = tf.reduce_sum(tf.linalg.trace(gram))
    cosine = (tf.reduce_sum(gram) - own) / (images * views * (views - 1))
    whole = tf.reduce_sum(tf.square(_moment(u))) * (images * views) ** 2
    return cosine, (whole - tf.reduce_sum(tf.square(gram))) / (images * (images - 1) * views**2)
