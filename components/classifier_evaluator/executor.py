"""Executor of ClassifierEvaluator."""

import json
import logging
import os
from typing import Any

import numpy as np
import tensorflow as tf
from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils
from tfx.utils import path_utils

from components.artifacts import EVALUATION_FILE
from components.blessing import bless
from components.classifier_trainer.executor import TRAINED
from components.inputs import last_blessed_path, read_labels
from components.runtime_settings import overridden
from tf_scl.classification.evaluation import LAST_CLASSIFIER, evaluate_classifier
from tf_scl.config import Config
from tf_scl.data.input_pipeline import record_files
from tf_scl.dataclass_json import dumps
from tf_scl.evaluation.unseen import unseen_by
from tf_scl.files import write_file
from tf_scl.labels.joined import ImageLabels, labels_in, read_labeled_images
from tf_scl.serving.export import read_metadata
from tf_scl.typing import Array

_BATCH = 256

_log = logging.getLogger(__name__)


class Executor(base_executor.BaseExecutor):
    """Classifies the labeled images of the split "eval" by the SavedModel, writes the verdict."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Writes `evaluation.json` and the blessing; without a classifier the blessing alone.

        Args:
            input_dict: "examples", "labels", "classifier"; and "last_blessed", where there is one.
            output_dict: "evaluation", "blessing".
            exec_properties: "evaluate_config", JSON of `EvaluateConfig`, and "code_digest".
        """
        classifier = artifact_utils.get_single_instance(input_dict["classifier"])
        blessing = artifact_utils.get_single_instance(output_dict["blessing"])
        if not classifier.get_int_custom_property(TRAINED):
            bless(blessing, classifier, False)
            return
        evaluate = {"evaluate": json.loads(exec_properties["evaluate_config"])}
        config = Config.from_dict(overridden(evaluate, exec_properties)).evaluate
        labels = read_labels(artifact_utils.get_single_uri(input_dict["labels"]))
        path = path_utils.serving_model_path(classifier.uri)
        train, test = (
            record_files(artifact_utils.get_split_uri(input_dict["examples"], split))
            for split in ("train", "eval")
        )
        train_targets = labels_in(train, labels)
        probabilities, targets = _classify(path, test, labels)
        last = last_blessed_path(input_dict, classifier)
        evaluation = evaluate_classifier(
            probabilities,
            targets,
            labels.classes,
            train_targets[train_targets >= 0],
            {LAST_CLASSIFIER: _given_by(last, test, labels)} if last else {},
            config,
            read_metadata(path)["settings"]["classify"]["balanced"],
            unseen_by(last, test)[labels_in(test, labels) >= 0] if last else None,
        )
        directory = artifact_utils.get_single_uri(output_dict["evaluation"])
        write_file(os.path.join(directory, EVALUATION_FILE), dumps(evaluation))
        bless(blessing, classifier, evaluation.verdict.blessed)


def _classify(path: str, files: list[str], labels: ImageLabels) -> tuple[Array, Array]:
    """Scores by a SavedModel, float32 [M, its classes], and the labels [M], of labeled images."""
    metadata = read_metadata(path)
    size, channels = metadata["image_size"], metadata["channels"]
    images, targets = read_labeled_images(files, labels, size, channels)
    model = tf.saved_model.load(path)  # referenced while its signature is in use
    classify = model.signatures["encode_uint8"]
    parts = [
        classify(images=tf.constant(images[at : at + _BATCH]))["score"].numpy()
        for at in range(0, max(1, len(images)), _BATCH)
    ]
    return np.concatenate(parts), targets


def _given_by(path: str, files: list[str], labels: ImageLabels) -> Array:
    """The classes that another classifier gives to the same images, int [M]; -1 for others."""
    scores, _ = _classify(path, files, labels)
    numbers = {name: number for number, name in enumerate(labels.classes)}
    known = np.array([numbers.get(name, -1) for name in read_metadata(path)["classes"]])
    return known[scores.argmax(axis=1)]
