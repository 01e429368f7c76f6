"""Spectral contrastive learning (HaoChen et al., NeurIPS 2021, arXiv 2106.04156)."""

from typing import Any

import keras
import tensorflow as tf

from tf_scl.config import Config
from tf_scl.losses import spectral
from tf_scl.models.two_view_model import TwoViewModel


@keras.saving.register_keras_serializable(package="tf_scl")
class SpectralContrastive(TwoViewModel):
    """Trains an encoder with the spectral contrastive loss.

    Under a `tf.distribute` strategy the loss and its gradient are exactly
    those of one device with the global batch: replicas exchange d x d moments
    of the embeddings, or the embeddings where these are fewer. That holds for
    the whole step if the layers do so too; our encoders and projector
    synchronize their batch normalization.

    Example:

    ```python
    model = tf_scl.SpectralContrastive(
        tf_scl.resnet(18), augmentation=tf_scl.TwoViews(32))
    model.compile(keras.optimizers.SGD(0.06, momentum=0.9))
    model.fit(images, batch_size=256, epochs=10)
    features = model.predict(images)
    ```

    Args:
        encoder, projector, augmentation, accumulate: As in `TwoViewModel`.
        mu: Float > 0, rows of the embeddings are clipped to norm sqrt(mu)
            and the loss is divided by mu, as in the official code. "auto": in
            each batch all rows are brought to the squared norm at which they
            have the least loss, exactly over replicas and micro-batches
            (`docs/explanation/mu.md`). None for the plain loss.
        negatives: "global", the images of all replicas; or "replica", those of
            the same replica, as in the official code under DataParallel.
        form: "auto", "sample" or "moment": how the loss is computed, see
            `tf_scl.spectral_contrastive_loss`. The result is the same.

    Metrics: "loss" and its parts "attraction" (-2 mean z.z') and "repulsion"
    (mean of the squared inner products of different images), both divided by
    mu where there is one; "clipped", the share of embeddings that reach norm
    sqrt(mu). With mu="auto" the loss is minus the mean cosine of the two views,
    and says little; not "clipped" but "mu", the value that was found, and
    "scaled_loss", mu times the loss, are reported: the latter is what training
    lowers, and the one to compare.
    """

    term_names = ("attraction", "repulsion")
    metric_names: tuple[str, ...] = ("clipped",)

    def __init__(
        self,
        encoder: keras.layers.Layer,
        projector: keras.layers.Layer | None = None,
        augmentation: keras.layers.Layer | None = None,
        accumulate: int = 1,
        mu: float | str | None = "auto",
        negatives: str = "global",
        form: str = "auto",
        **kwargs: Any,
    ) -> None:
        spectral.check_mu(mu)
        spectral.check_negatives(negatives)
        spectral.check_form(form)
        if spectral.is_auto(mu):
            self.metric_names = ("mu", "scaled_loss")
        super().__init__(encoder, projector, augmentation, accumulate, **kwargs)
        self.mu = mu
        self.negatives = negatives
        self.form = form

    @classmethod
    def own_arguments(cls, config: Config) -> dict[str, Any]:
        return {"mu": config.model.mu, "negatives": config.train.negatives}

    def contrastive_terms(
        self,
        embedding1: tf.Tensor,
        embedding2: tf.Tensor,
        context: tf.distribute.ReplicaContext | None,
    ) -> dict[str, tf.Tensor]:
        return spectral.replica_terms(
            embedding1, embedding2, self.mu, self.form, self.negatives, context
        )

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "mu": self.mu,
            "negatives": self.negatives,
            "form": self.form,
        }
