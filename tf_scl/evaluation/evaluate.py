"""From SavedModels and records to a verdict."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from tf_scl.config import Config
from tf_scl.evaluation import baseline_cache
from tf_scl.evaluation.gate import LAST_BLESSED, PIXELS, PRETRAINED, UNTRAINED
from tf_scl.evaluation.knn import usable_k
from tf_scl.evaluation.leakage import NearCopies, near_copies
from tf_scl.evaluation.representation import evaluate_all
from tf_scl.evaluation.results import Evaluation, Leakage
from tf_scl.evaluation.saved_model_features import extract_features
from tf_scl.evaluation.spectrum import MIN_IMAGES
from tf_scl.evaluation.unseen import unseen_by
from tf_scl.evaluation.views import embed_views
from tf_scl.labels.joined import ImageLabels
from tf_scl.serving.export import read_metadata
from tf_scl.typing import Array

PROJECTED = "pretrained encoder with its projector"


@dataclasses.dataclass(frozen=True)
class EvaluationResult:
    """A verdict, and what it was passed on.

    Attributes:
        evaluation: Measures, checks and verdict.
        train_features: float32 [N, D], of the pretrained encoder.
        test_features: float32 [M, D], likewise.
        test_labels: int64 [M], negative where an image has no label.
        views: Dict from `PRETRAINED`, `UNTRAINED` and `PROJECTED` to float32
            [N, V, D], V views of the first N evaluation images; empty where there
            are too few images, or features are not finite.
        view_labels: int64 [N], likewise.
        near_copies: Across the two parts; None where the pretrained encoder notes no cosine for
            it, or features are not finite.
    """

    evaluation: Evaluation
    train_features: Array
    test_features: Array
    test_labels: Array
    views: dict[str, Array]
    view_labels: Array
    near_copies: NearCopies | None = None


def evaluate_models(
    models: Mapping[str, str],
    projected: str,
    train_files: Sequence[str],
    test_files: Sequence[str],
    config: Config,
    class_names: Sequence[str] | None = None,
    cache: tuple[str, str] | None = None,
    labels: ImageLabels | None = None,
) -> EvaluationResult:
    """Embeds both parts with every model, measures these and raw pixels, evaluates.

    Args:
        models: Dict from name to the folder of a SavedModel, `PRETRAINED`
            first, then `UNTRAINED`; others, such as `LAST_BLESSED`, may be of another
            image size.
        projected: Folder of the SavedModel of the encoder and its projector.
        train_files, test_files: Lists of TFRecord paths.
        config: `tf_scl.Config` of the run.
        class_names: List of the names of the labels, or None.
        cache: (folder, text): where the numbers of the raw pixels are kept from run
            to run, and what else they depend on, such as a digest of the code; or
            None to measure them each time.
        labels: `ImageLabels` that take the place of those in the records, or None.

    Returns:
        `EvaluationResult`.
    """
    train, train_pixels, train_labels = extract_features(models, train_files, labels)
    test, test_pixels, test_labels = extract_features(models, test_files, labels)
    representations = {name: (train[name], test[name]) for name in models}
    data = train_pixels, train_labels, test_pixels, test_labels
    representations[PIXELS] = train_pixels, test_pixels
    evaluate, labeled = config.evaluate, train_labels[train_labels >= 0]
    if len(labeled):  # said once, not for each representation
        evaluate = dataclasses.replace(evaluate, knn_k=usable_k(labeled, evaluate.knn_k))
    views: dict[str, Array] = {}
    view_labels = test_labels[:0]
    if len(test_labels) >= MIN_IMAGES and np.isfinite(test[PRETRAINED]).all():
        shown = {PRETRAINED: models[PRETRAINED], UNTRAINED: models[UNTRAINED], PROJECTED: projected}
        views, view_labels = embed_views(shown, test_files, config, labels)
    evaluation = evaluate_all(
        representations,
        train_labels,
        test_labels,
        evaluate,
        class_names,
        {name: one for name, one in views.items() if name != PROJECTED},
        {PIXELS: baseline_cache.measure(cache, *data, evaluate)} if cache else None,
        unseen_by(models[LAST_BLESSED], test_files) if LAST_BLESSED in models else None,
    )
    features = train[PRETRAINED], test[PRETRAINED]
    copies = _near_copies(models[PRETRAINED], *features)
    if copies is not None:
        leakage = Leakage(len(copies.cosines), copies.cosine, copies.by_chance)
        evaluation = dataclasses.replace(evaluation, leakage=leakage)
    return EvaluationResult(evaluation, *features, test_labels, views, view_labels, copies)


def _near_copies(model: str, train: Array, test: Array) -> NearCopies | None:
    cosine = read_metadata(model).get("duplicate_cosine")
    if cosine is None or not (np.isfinite(train).all() and np.isfinite(test).all()):
        return None
    return near_copies(train, test, cosine)
