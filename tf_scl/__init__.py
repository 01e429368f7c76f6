"""tf_scl: spectral contrastive pretraining, from raw images to a served encoder.

The loss is that of HaoChen, Wei, Gaidon and Ma, "Provable Guarantees for
Self-Supervised Deep Learning with Spectral Contrastive Loss" (NeurIPS 2021,
arXiv 2106.04156).

Importing the package is cheap: a name is loaded when it is first used, so a
Beam worker that only ingests images never loads Keras, and a training script
never loads Beam or TFX.
"""

import importlib
from typing import Any

__version__ = "0.1.0"

_HOME_OF = {
    "CheckpointAndResume": "tf_scl.callbacks.checkpoint_and_resume",
    "Config": "tf_scl.config",
    "InputError": "tf_scl.errors",
    "L2SGD": "tf_scl.optimizers.l2_sgd",
    "LARS": "tf_scl.optimizers.lars",
    "OnlineKNN": "tf_scl.callbacks.online_knn",
    "OnlineLinearProbe": "tf_scl.callbacks.online_linear_probe",
    "SimCLR": "tf_scl.models.simclr",
    "SimSiam": "tf_scl.models.simsiam",
    "SpectralContrastive": "tf_scl.models.spectral_contrastive",
    "StopOnNonFinite": "tf_scl.callbacks.stop_on_non_finite",
    "TwoViewModel": "tf_scl.models.two_view_model",
    "TwoViews": "tf_scl.augmentation.two_views",
    "accuracy_interval": "tf_scl.evaluation.bootstrap",
    "effective_rank": "tf_scl.evaluation.collapse",
    "estimate_spectrum": "tf_scl.evaluation.spectrum",
    "evaluate_representation": "tf_scl.evaluation.representation",
    "export_onnx": "tf_scl.serving.onnx_file",
    "export_saved_model": "tf_scl.serving.export",
    "knn_accuracy": "tf_scl.evaluation.knn",
    "linear_probe": "tf_scl.evaluation.linear_probe",
    "load_model": "tf_scl.saving",
    "paper_probe": "tf_scl.evaluation.paper_probe",
    "prediction_head": "tf_scl.models.prediction_head",
    "preset": "tf_scl.config",
    "pretrain": "tf_scl.training",
    "projection_head": "tf_scl.models.projection_head",
    "resnet": "tf_scl.encoders.resnet",
    "sgd_linear_probe": "tf_scl.evaluation.sgd_probe",
    "spectral_contrastive_loss": "tf_scl.losses.spectral",
}

__all__ = ["__version__", *sorted(_HOME_OF)]


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(
            f"module 'tf_scl' has no attribute {name!r}; it has {sorted(_HOME_OF)}"
        )
    value = getattr(importlib.import_module(_HOME_OF[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME_OF])
