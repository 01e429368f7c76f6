"""SimCLR (Chen et al., ICML 2020, arXiv 2002.05709)."""

import keras

from tf_scl.losses import nt_xent
from tf_scl.losses.spectral import check_negatives
from tf_scl.models.two_view_model import TwoViewModel


@keras.saving.register_keras_serializable(package="tf_scl")
class SimCLR(TwoViewModel):
    """Trains an encoder with NT-Xent, the peer that we measure ourselves against.

    Args:
        encoder, projector, augmentation, accumulate: As in `TwoViewModel`.
        temperature: Float > 0; 0.5 is the paper's for CIFAR-10 (appendix B.9).
        negatives: "global", the images of all replicas, whose features are
            gathered; or "replica", those of the same replica.

    Metrics: "loss" and its parts "attraction" (minus the mean similarity of
    pairs over the temperature) and "repulsion" (the mean log-sum-exp).
    """

    term_names = ("attraction", "repulsion")

    def __init__(
        self,
        encoder,
        projector=None,
        augmentation=None,
        accumulate=1,
        temperature=0.5,
        negatives="global",
        **kwargs,
    ):
        nt_xent.check_temperature(temperature)
        check_negatives(negatives)
        super().__init__(encoder, projector, augmentation, accumulate, **kwargs)
        self.temperature = temperature
        self.negatives = negatives

    def contrastive_terms(self, embedding1, embedding2, context):
        return nt_xent.replica_terms(
            embedding1, embedding2, self.temperature, self.negatives, context
        )

    def get_config(self):
        return {
            **super().get_config(),
            "temperature": self.temperature,
            "negatives": self.negatives,
        }
