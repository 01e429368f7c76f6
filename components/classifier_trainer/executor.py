"""Executor of ClassifierTrainer."""

import hashlib
import json
import logging
import os
from typing import Any

from tfx import types
from tfx.components.util import model_utils
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils
from tfx.utils import path_utils

import tf_scl
from components.artifacts import CLASSIFIER_FILE, KERAS_FILE
from components.inputs import read_labels
from components.runtime_settings import overridden
from tf_scl.classification.few_labels import fit_classifier
from tf_scl.config import Config
from tf_scl.data.input_pipeline import record_files
from tf_scl.dataclass_json import dumps
from tf_scl.labels.joined import read_labeled_images
from tf_scl.saving import load_model
from tf_scl.serving.export import LINEAGE, export_saved_model, read_metadata
from tf_scl.serving.reference import reference_images

TRAINED = "trained"  # custom property of a `ClassifierModel`

_log = logging.getLogger(__name__)


class Executor(base_executor.BaseExecutor):
    """Trains on the labeled images of the split "train", exports."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Writes the classifier.

        Args:
            input_dict: "examples", "labels", "model", "model_run", "blessing".
            output_dict: "classifier".
            exec_properties: "classify_config", JSON of `ClassifyConfig`, and "code_digest".
        """
        classifier = artifact_utils.get_single_instance(output_dict["classifier"])
        blessing = artifact_utils.get_single_instance(input_dict["blessing"])
        blessed = model_utils.is_model_blessed(blessing)
        classifier.set_int_custom_property(TRAINED, int(blessed))
        if not blessed:
            _log.info("the encoder was not blessed: no classifier is trained")
            return
        encoder = artifact_utils.get_single_instance(input_dict["model"])
        noted = read_metadata(path_utils.serving_model_path(encoder.uri))
        classify = {"classify": json.loads(exec_properties["classify_config"])}
        config = Config.from_dict({**noted["settings"], **overridden(classify, exec_properties)})
        labels = read_labels(artifact_utils.get_single_uri(input_dict["labels"]))
        files, aside = (
            record_files(artifact_utils.get_split_uri(input_dict["examples"], split))
            for split in ("train", "eval")
        )
        size, channels = config.model.image_size, config.model.channels
        images, numbers = read_labeled_images(files, labels, size, channels)
        run = artifact_utils.get_single_uri(input_dict["model_run"])
        network = load_model(os.path.join(run, KERAS_FILE))
        _log.info("training a classifier on %d labeled images", len(numbers))
        model = fit_classifier(network, images, numbers, config.classify, labels.classes)
        model.save(os.path.join(classifier.uri, CLASSIFIER_FILE))
        metadata = {
            "tf_scl": tf_scl.__version__,
            "settings": config.to_dict("ingest", "augment", "model", "train", "classify"),
            "temperature": model.temperature,
            # Of what was pretrained; where more than the head is tuned, the labels changed it.
            LINEAGE: noted.get(LINEAGE),
            "classifier": {
                "labeled_images": len(numbers),
                "labels_digest": hashlib.sha256(dumps(labels).encode()).hexdigest(),
                "code_digest": exec_properties.get("code_digest"),
            },
        }
        path = path_utils.serving_model_path(classifier.uri)
        reference = reference_images(aside, size, channels)
        export_saved_model(model, path, metadata, reference=reference)
