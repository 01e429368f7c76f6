"""Interface of ClassifierEvaluator."""

import json
from typing import Any

from tfx import types
from tfx.dsl.components.base import base_component
from tfx.dsl.components.base.executor_spec import ExecutorClassSpec
from tfx.types import component_spec, standard_artifacts

from components.artifacts import ClassifierBlessing, ClassifierModel, ImageLabels
from components.classifier_evaluator import executor
from components.code_digest import code_digest


class ClassifierEvaluatorSpec(types.ComponentSpec):
    """Channels and parameters."""

    PARAMETERS = {
        "evaluate_config": component_spec.ExecutionParameter(type=str),
        "code_digest": component_spec.ExecutionParameter(type=str),
    }
    INPUTS = {
        "examples": component_spec.ChannelParameter(type=standard_artifacts.Examples),
        "labels": component_spec.ChannelParameter(type=ImageLabels),
        "classifier": component_spec.ChannelParameter(type=ClassifierModel),
        "last_blessed": component_spec.ChannelParameter(type=ClassifierModel, optional=True),
    }
    OUTPUTS = {
        "evaluation": component_spec.ChannelParameter(type=standard_artifacts.ModelEvaluation),
        "blessing": component_spec.ChannelParameter(type=ClassifierBlessing),
    }


class ClassifierEvaluator(base_component.BaseComponent):
    """Judges a served classifier on the labeled images of the split "eval".

    Outputs:
        evaluation: `ModelEvaluation`, `evaluation.json`
            (`tf_scl.classification.evaluation.ClassifierEvaluation`).
        blessing: `ClassifierBlessing`; the conditions are those of
            `tf_scl.classification.evaluation`.
    """

    SPEC_CLASS = ClassifierEvaluatorSpec
    EXECUTOR_SPEC = ExecutorClassSpec(executor.Executor)

    def __init__(
        self,
        examples: types.Channel,
        labels: types.Channel,
        classifier: types.Channel,
        evaluate: dict[str, Any],
        last_blessed: types.Channel | None = None,
    ) -> None:
        """Makes the component.

        Args:
            examples: Channel of `Examples`.
            labels: Channel of `ImageLabels`.
            classifier: Channel of `ClassifierModel`.
            evaluate: `tf_scl.config.EvaluateConfig` as a dict.
            last_blessed: Channel of `ClassifierModel`, the one to compare with; it may be empty.
        """
        super().__init__(
            ClassifierEvaluatorSpec(
                evaluate_config=json.dumps(evaluate, sort_keys=True),
                code_digest=code_digest(executor.__name__),
                examples=examples,
                labels=labels,
                classifier=classifier,
                last_blessed=last_blessed,
                evaluation=types.Channel(type=standard_artifacts.ModelEvaluation),
                blessing=types.Channel(type=ClassifierBlessing),
            )
        )
