"""Interface of ClassifierTrainer."""

import json
from typing import Any

from tfx import types
from tfx.dsl.components.base import base_component
from tfx.dsl.components.base.executor_spec import ExecutorClassSpec
from tfx.types import component_spec, standard_artifacts

from components.artifacts import ClassifierModel, ImageLabels
from components.classifier_trainer import executor
from components.code_digest import code_digest


class ClassifierTrainerSpec(types.ComponentSpec):
    """Channels and parameters."""

    PARAMETERS = {
        "classify_config": component_spec.ExecutionParameter(type=str),
        "code_digest": component_spec.ExecutionParameter(type=str),
    }
    INPUTS = {
        "examples": component_spec.ChannelParameter(type=standard_artifacts.Examples),
        "labels": component_spec.ChannelParameter(type=ImageLabels),
        "model": component_spec.ChannelParameter(type=standard_artifacts.Model),
        "model_run": component_spec.ChannelParameter(type=standard_artifacts.ModelRun),
        "blessing": component_spec.ChannelParameter(type=standard_artifacts.ModelBlessing),
    }
    OUTPUTS = {"classifier": component_spec.ChannelParameter(type=ClassifierModel)}


class ClassifierTrainer(base_component.BaseComponent):
    """Trains a classifier on top of an encoder that was blessed, by `tf_scl.fit_classifier`.

    Of an encoder that was not, nothing is made: the artifact's custom property "trained" is 0.

    Outputs:
        classifier: `ClassifierModel`, the SavedModel (`tf_scl.export_saved_model`) and
            `classifier.keras`.
    """

    SPEC_CLASS = ClassifierTrainerSpec
    EXECUTOR_SPEC = ExecutorClassSpec(executor.Executor)

    def __init__(
        self,
        examples: types.Channel,
        labels: types.Channel,
        model: types.Channel,
        model_run: types.Channel,
        blessing: types.Channel,
        classify: dict[str, Any],
    ) -> None:
        """Makes the component.

        Args:
            examples: Channel of `Examples`; the split "train" is learned from.
            labels: Channel of `ImageLabels`.
            model: Channel of `Model`, the encoder; its lineage is noted in the classifier.
            model_run: Channel of `ModelRun`, which holds the encoder as a Keras model.
            blessing: Channel of `ModelBlessing`, of the encoder.
            classify: `tf_scl.config.ClassifyConfig` as a dict.
        """
        super().__init__(
            ClassifierTrainerSpec(
                classify_config=json.dumps(classify, sort_keys=True),
                code_digest=code_digest(executor.__name__),
                examples=examples,
                labels=labels,
                model=model,
                model_run=model_run,
                blessing=blessing,
                classifier=types.Channel(type=ClassifierModel),
            )
        )
