"""Executor of RepresentationEvaluator."""

import json
import os

import tensorflow as tf
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils
from tfx.utils import path_utils

from components.artifacts import UNTRAINED_DIR
from tf_scl.config import Config
from tf_scl.data.input_pipeline import record_files
from tf_scl.evaluation.representation import PIXELS, PRETRAINED, UNTRAINED, evaluate_all
from tf_scl.evaluation.served import embed_with_saved_models

EVALUATION_FILE = "evaluation.json"


class Executor(base_executor.BaseExecutor):
    """Embeds both splits, measures, writes the verdict."""

    def Do(self, input_dict, output_dict, exec_properties):
        """Writes `evaluation.json` and the blessing.

        Args:
            input_dict: "examples", "model", "model_run".
            output_dict: "evaluation", "blessing".
            exec_properties: "evaluate_config", JSON of `EvaluateConfig`.
        """
        model = artifact_utils.get_single_instance(input_dict["model"])
        run_dir = artifact_utils.get_single_uri(input_dict["model_run"])
        models = {
            PRETRAINED: path_utils.serving_model_path(model.uri),
            UNTRAINED: os.path.join(run_dir, UNTRAINED_DIR),
        }
        parts = []
        for split in ("train", "eval"):
            uri = artifact_utils.get_split_uri(input_dict["examples"], split)
            features, pixels, labels = embed_with_saved_models(models, record_files(uri))
            parts.append(({**features, PIXELS: pixels}, labels))
        (train, train_labels), (test, test_labels) = parts
        config = Config.from_dict({"evaluate": json.loads(exec_properties["evaluate_config"])})
        evaluation = evaluate_all(
            {name: (train[name], test[name]) for name in (PRETRAINED, UNTRAINED, PIXELS)},
            train_labels,
            test_labels,
            config.evaluate,
        )
        directory = artifact_utils.get_single_uri(output_dict["evaluation"])
        with tf.io.gfile.GFile(os.path.join(directory, EVALUATION_FILE), "w") as file:
            file.write(json.dumps(evaluation, indent=2))
        blessing = artifact_utils.get_single_instance(output_dict["blessing"])
        _bless(blessing, model, evaluation["blessed"])


def _bless(blessing, model, blessed):
    """The file and properties of TFX's own Evaluator, which Pusher and resolvers read."""
    name = "BLESSED" if blessed else "NOT_BLESSED"
    with tf.io.gfile.GFile(os.path.join(blessing.uri, name), "w") as file:
        file.write("")
    blessing.set_int_custom_property("blessed", int(blessed))
    blessing.set_string_custom_property("current_model", model.uri)
    blessing.set_int_custom_property("current_model_id", model.id)
