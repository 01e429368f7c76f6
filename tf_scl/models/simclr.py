"""SimCLR (Chen et al., ICML 2020, arXiv 2002.05709)."""

from typing import Any

import keras
import tensorflow as tf

from tf_scl.config import Config
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
        encoder: keras.layers.Layer,
        projector: keras.layers.Layer | None = None,
        augmentation: keras.layers.Layer | None = None,
        accumulate: int = 1,
        temperature: float = 0.5,
        negatives: str = "global",
        **kwargs: Any,
    ) -> None:
        nt_xent.check_temperature(temperature)
        check_negatives(negatives)
        super().__init__(encoder, projector, augmentation, accumulate, **kwargs)
        self.temperature = temperature
        self.negatives = negatives

    @classmethod
    def own_arguments(cls, config: Config) -> dict[str, Any]:
        return {"temperature": config.model.temperature, "negatives": config.train.negatives}

    def contrastive_terms(
        self,
        embedding1: tf.Tensor,
        embedding2: tf.Tensor,
        context: tf.distribute.ReplicaContext | None,
    ) -> dict[str, tf.Tensor]:
        return nt_xent.replica_terms(
            embedding1, embedding2, self.temperature, self.negatives, context
        )

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "temperature": self.temperature,
            "negatives": self.negatives,
        }
