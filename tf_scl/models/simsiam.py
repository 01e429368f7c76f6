"""SimSiam (Chen and He, CVPR 2021, arXiv 2011.10566)."""

from typing import Any

import keras
import tensorflow as tf

from tf_scl.config import Config
from tf_scl.errors import InputError
from tf_scl.losses import negative_cosine
from tf_scl.models import checks
from tf_scl.models.prediction_head import prediction_head
from tf_scl.models.projection_head import projection_head
from tf_scl.models.two_view_model import TwoViewModel


@keras.saving.register_keras_serializable(package="tf_scl")
class SimSiam(TwoViewModel):
    """Trains an encoder without negatives: a predictor on one side, a stop-gradient on the other.

    Args:
        encoder, projector, augmentation, accumulate: As in `TwoViewModel`.
        predictor: `keras.Model` or layer from embeddings [N, d] to [N, d].
            Defaults to `prediction_head(d)`.

    Metrics: "loss", which is "negative_cosine", from -1 (equal views) to 1.

    Raises:
        InputError: No predictor, and an encoder whose output is not known yet.
    """

    term_names = ("negative_cosine",)

    def __init__(
        self,
        encoder: keras.layers.Layer,
        projector: keras.layers.Layer | None = None,
        augmentation: keras.layers.Layer | None = None,
        accumulate: int = 1,
        predictor: keras.layers.Layer | None = None,
        **kwargs: Any,
    ) -> None:
        projector = projection_head() if projector is None else projector
        if predictor is None:
            predictor = _default_predictor(encoder, projector, augmentation is not None)
        super().__init__(encoder, projector, augmentation, accumulate, build=False, **kwargs)
        self.predictor = predictor
        self.build_if_known()

    @classmethod
    def own_arguments(cls, config: Config) -> dict[str, Any]:
        dimension, hidden = config.model.embedding_dim, config.model.predictor_hidden
        return {"predictor": prediction_head(dimension, hidden)}

    def embed(self, view: tf.Tensor, training: bool) -> tuple[tf.Tensor, tf.Tensor]:
        z = super().embed(view, training)
        return z, self.predictor(z, training=training)

    def contrastive_terms(
        self,
        embedding1: tuple[tf.Tensor, tf.Tensor],
        embedding2: tuple[tf.Tensor, tf.Tensor],
        context: tf.distribute.ReplicaContext | None,
    ) -> dict[str, tf.Tensor]:
        return negative_cosine.replica_terms(*embedding1, *embedding2, context)

    def get_config(self) -> dict[str, Any]:
        predictor = keras.saving.serialize_keras_object(self.predictor)
        return {**super().get_config(), "predictor": predictor}


def _default_predictor(
    encoder: keras.layers.Layer, projector: keras.layers.Layer, augmented: bool
) -> keras.Sequential:
    if not (getattr(encoder, "built", False) and hasattr(encoder, "output_shape")):
        raise InputError(
            "the width of the default predictor follows from the encoder's output, which "
            f"{encoder!r} does not tell before it is called; pass "
            "`predictor=tf_scl.prediction_head(d)`, d being the projector's output width"
        )
    checks.check_encoder(encoder, augmented)
    features = checks.check_features(encoder(keras.Input(batch_shape=encoder.input_shape)))
    return prediction_head(projector(features).shape[-1])
