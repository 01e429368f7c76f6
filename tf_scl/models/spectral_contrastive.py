"""Spectral contrastive learning (HaoChen et al., NeurIPS 2021, arXiv 2106.04156)."""

import keras

from tf_scl.losses import spectral
from tf_scl.models.two_view_model import TwoViewModel


@keras.saving.register_keras_serializable(package="tf_scl")
class SpectralContrastive(TwoViewModel):
    """Trains an encoder with the spectral contrastive loss.

    Under a `tf.distribute` strategy the loss and its gradient are exactly
    those of one device with the global batch: replicas exchange one d x d
    moment for each view, not their features. That holds for the whole step if
    the layers do so too; our encoders and projector, made under the strategy,
    synchronise their batch normalisation.

    Example:

    ```python
    model = tf_scl.SpectralContrastive(
        tf_scl.resnet(18), augmentation=tf_scl.TwoViews(32))
    model.compile(keras.optimizers.SGD(0.06, momentum=0.9))
    model.fit(images, batch_size=256, epochs=10)
    features = model.predict(images)
    ```

    Args:
        encoder, projector, augmentation: As in `TwoViewModel`.
        mu: Float > 0, rows of the embeddings are clipped to norm sqrt(mu)
            and the loss is divided by mu, as in the official code. None for
            the plain loss.

    Metrics: "loss" and its parts "attraction" (-2 mean z.z') and "repulsion"
    (mean of the squared inner products of different images), both divided by
    mu where there is one.
    """

    term_names = ("attraction", "repulsion")

    def __init__(self, encoder, projector=None, augmentation=None, mu=1.0, **kwargs):
        spectral.check_mu(mu)
        super().__init__(encoder, projector, augmentation, **kwargs)
        self.mu = mu

    def contrastive_terms(self, z1, z2, context):
        return spectral.replica_terms(z1, z2, mu=self.mu, context=context)

    def get_config(self):
        return {**super().get_config(), "mu": self.mu}
