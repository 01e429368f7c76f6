"""From SavedModels and records to a verdict."""

import dataclasses

import numpy as np

from tf_scl.evaluation.representation import PIXELS, PRETRAINED, evaluate_all
from tf_scl.evaluation.served import embed_with_saved_models


@dataclasses.dataclass(frozen=True)
class Judgement:
    """A verdict, and what it was passed on.

    Attributes:
        evaluation: Dict, `tf_scl.evaluation.representation.evaluate_all`.
        train_features: float32 [N, D], of the pretrained encoder.
        test_features: float32 [M, D], likewise.
        test_labels: int64 [M], negative where an image has no label.
    """

    evaluation: dict
    train_features: np.ndarray
    test_features: np.ndarray
    test_labels: np.ndarray


def judge(models, train_files, test_files, config, class_names=None):
    """Embeds both parts with every model, measures these and raw pixels, judges.

    Args:
        models: Dict from name to the folder of a SavedModel, `PRETRAINED`
            first; others, such as `LAST_BLESSED`, may be of another image size.
        train_files, test_files: Lists of TFRecord paths.
        config: `tf_scl.config.EvaluateConfig`.
        class_names: List of the names of the labels, or None.

    Returns:
        `Judgement`.
    """
    train, train_pixels, train_labels = embed_with_saved_models(models, train_files)
    test, test_pixels, test_labels = embed_with_saved_models(models, test_files)
    representations = {name: (train[name], test[name]) for name in models}
    representations[PIXELS] = train_pixels, test_pixels
    evaluation = evaluate_all(representations, train_labels, test_labels, config, class_names)
    return Judgement(evaluation, train[PRETRAINED], test[PRETRAINED], test_labels)
