"""The public names, and where each of them is; `tf_scl/__init__.py` loads one when it is used."""

from .augmentation.two_views import TwoViews as TwoViews
from .callbacks.checkpoint_and_resume import CheckpointAndResume as CheckpointAndResume
from .callbacks.online_knn import OnlineKNN as OnlineKNN
from .callbacks.online_linear_probe import OnlineLinearProbe as OnlineLinearProbe
from .callbacks.stateful import StatefulCallback as StatefulCallback
from .callbacks.stop_on_non_finite import StopOnNonFinite as StopOnNonFinite
from .classification.classifier import Classifier as Classifier
from .classification.few_labels import fit_classifier as fit_classifier
from .config import Config as Config
from .config import preset as preset
from .encoders.resnet import resnet as resnet
from .errors import InputError as InputError
from .evaluation.bootstrap import accuracy_interval as accuracy_interval
from .evaluation.collapse import effective_rank as effective_rank
from .evaluation.knn import knn_accuracy as knn_accuracy
from .evaluation.linear_probe import linear_probe as linear_probe
from .evaluation.paper_probe import paper_probe as paper_probe
from .evaluation.representation import evaluate_representation as evaluate_representation
from .evaluation.sgd_probe import sgd_linear_probe as sgd_linear_probe
from .evaluation.spectrum import estimate_spectrum as estimate_spectrum
from .losses.spectral import spectral_contrastive_loss as spectral_contrastive_loss
from .models.prediction_head import prediction_head as prediction_head
from .models.projection_head import projection_head as projection_head
from .models.simclr import SimCLR as SimCLR
from .models.simsiam import SimSiam as SimSiam
from .models.spectral_contrastive import SpectralContrastive as SpectralContrastive
from .models.two_view_model import TwoViewModel as TwoViewModel
from .optimizers.l2_sgd import L2SGD as L2SGD
from .optimizers.lars import LARS as LARS
from .saving import load_model as load_model
from .serving.export import export_saved_model as export_saved_model
from .serving.onnx_file import export_onnx as export_onnx
from .serving.ordered import ordered_encoder as ordered_encoder
from .training import pretrain as pretrain

__version__: str
