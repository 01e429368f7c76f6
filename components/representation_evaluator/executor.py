"""Executor of RepresentationEvaluator."""

import json
import logging
import os
from typing import Any

import tensorflow as tf
from tfx import types
from tfx.components.evaluator import executor as tfx_evaluator
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils
from tfx.utils import path_utils

from components.artifacts import EVALUATION_FILE, HISTORY_FILE, PROJECTED_DIR, UNTRAINED_DIR
from components.blessing import bless
from components.inputs import input_labels, last_blessed_path
from components.runtime_settings import overridden
from tf_scl.config import Config
from tf_scl.data.input_pipeline import record_files
from tf_scl.dataclass_json import dumps, read_json
from tf_scl.evaluation.evaluate import evaluate_models
from tf_scl.evaluation.gate import LAST_BLESSED, PRETRAINED, UNTRAINED
from tf_scl.report.files import write_report
from tf_scl.report.records import read_class_names
from tf_scl.report.run_facts import read_ingestion, run_facts
from tf_scl.serving.export import read_metadata

_log = logging.getLogger(__name__)


# TFX's entry point on Kubeflow gives the blessings of its own Evaluator the model's name there.
@tfx_evaluator.Executor.register
class Executor(base_executor.BaseExecutor):
    """Embeds both splits, measures, writes the verdict and the report."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Writes `evaluation.json`, `report.html`, `report.json` and the blessing.

        Args:
            input_dict: "examples", "report", "model", "model_run"; and
                "labels" and "last_blessed", where there are such.
            output_dict: "evaluation", "blessing".
            exec_properties: "evaluate_config", JSON of `EvaluateConfig`;
                "code_digest"; and "cache", the folder of what no training changes,
                where there is one.
        """
        model = artifact_utils.get_single_instance(input_dict["model"])
        run_dir = artifact_utils.get_single_uri(input_dict["model_run"])
        models = {
            PRETRAINED: path_utils.serving_model_path(model.uri),
            UNTRAINED: os.path.join(run_dir, UNTRAINED_DIR),
        }
        last = last_blessed_path(input_dict, model)
        if last:
            models[LAST_BLESSED] = last
        train, test = (
            record_files(artifact_utils.get_split_uri(input_dict["examples"], split))
            for split in ("train", "eval")
        )
        evaluate = {"evaluate": json.loads(exec_properties["evaluate_config"])}
        evaluate = overridden(evaluate, exec_properties)
        config = Config.from_dict({**read_metadata(models[PRETRAINED])["settings"], **evaluate})
        labels = input_labels(input_dict)
        names = list(labels.classes) if labels else read_class_names([*train, *test])
        projected = os.path.join(run_dir, PROJECTED_DIR)
        cache = exec_properties.get("cache")
        cache = cache and (cache, exec_properties["code_digest"])
        result = evaluate_models(models, projected, train, test, config, names, cache, labels)
        directory = artifact_utils.get_single_uri(output_dict["evaluation"])
        with tf.io.gfile.GFile(os.path.join(directory, EVALUATION_FILE), "w") as file:
            file.write(dumps(result.evaluation))
        _log.info("writing the report")
        ingestion = read_ingestion(artifact_utils.get_single_uri(input_dict["report"]))
        history = read_json(dict[str, tuple[float, ...]], os.path.join(run_dir, HISTORY_FILE))
        facts = run_facts(
            result,
            models,
            train,
            test,
            config,
            names,
            history,
            data=ingestion.summary.source,
            ingestion=ingestion,
            labels=labels,
        )
        write_report(facts, directory)
        blessing = artifact_utils.get_single_instance(output_dict["blessing"])
        bless(blessing, model, result.evaluation.verdict.blessed)
