"""Methods by name, for configurations; CONTRIBUTING.md lists what else a new one touches."""

from typing import Any

import keras

from tf_scl.config import Config
from tf_scl.models.prediction_head import prediction_head
from tf_scl.models.simclr import SimCLR
from tf_scl.models.simsiam import SimSiam
from tf_scl.models.spectral_contrastive import SpectralContrastive
from tf_scl.models.two_view_model import TwoViewModel


def _spectral(config: Config) -> dict[str, Any]:
    return {"mu": config.model.mu, "negatives": config.train.negatives}


def _simclr(config: Config) -> dict[str, Any]:
    return {"temperature": config.model.temperature, "negatives": config.train.negatives}


def _simsiam(config: Config) -> dict[str, Any]:
    return {"predictor": prediction_head(config.model.embedding_dim, config.model.predictor_hidden)}


# name -> (class, its own arguments from a `Config`)
METHODS = {
    "spectral": (SpectralContrastive, _spectral),
    "simclr": (SimCLR, _simclr),
    "simsiam": (SimSiam, _simsiam),
}


def build_method(
    config: Config,
    encoder: keras.layers.Layer,
    projector: keras.layers.Layer,
    augmentation: keras.layers.Layer | None,
) -> TwoViewModel:
    """The two-view model of `config.model.method`, around the given parts.

    Args:
        config: `tf_scl.Config`.
        encoder, projector, augmentation: As in `TwoViewModel`.

    Returns:
        `TwoViewModel`, not compiled.
    """
    method, arguments = METHODS[config.model.method]
    return method(
        encoder,
        projector,
        augmentation,
        config.train.accumulate,
        backbone_rate=config.model.backbone_rate,
        **arguments(config),
    )
