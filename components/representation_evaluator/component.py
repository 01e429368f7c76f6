"""Interface of RepresentationEvaluator."""

import json

from tfx import types
from tfx.dsl.components.base import base_component
from tfx.dsl.components.base.executor_spec import ExecutorClassSpec
from tfx.types import component_spec, standard_artifacts

from components.code_digest import code_digest
from components.representation_evaluator import executor


class RepresentationEvaluatorSpec(types.ComponentSpec):
    """Channels and parameters."""

    PARAMETERS = {
        "evaluate_config": component_spec.ExecutionParameter(type=str),
        "code_digest": component_spec.ExecutionParameter(type=str),
    }
    INPUTS = {
        "examples": component_spec.ChannelParameter(type=standard_artifacts.Examples),
        "model": component_spec.ChannelParameter(type=standard_artifacts.Model),
        "model_run": component_spec.ChannelParameter(type=standard_artifacts.ModelRun),
    }
    OUTPUTS = {
        "evaluation": component_spec.ChannelParameter(type=standard_artifacts.ModelEvaluation),
        "blessing": component_spec.ChannelParameter(type=standard_artifacts.ModelBlessing),
    }


class RepresentationEvaluator(base_component.BaseComponent):
    """Judges a frozen encoder beside its untrained self and raw pixels.

    The first component of the pipeline that reads labels.

    Outputs:
        evaluation: `ModelEvaluation`, `evaluation.json`
            (`tf_scl.evaluation.representation.evaluate_all`).
        blessing: `ModelBlessing`, as TFX's Pusher reads it. A collapsed
            encoder, or one that loses to raw pixels, is not blessed.
    """

    SPEC_CLASS = RepresentationEvaluatorSpec
    EXECUTOR_SPEC = ExecutorClassSpec(executor.Executor)

    def __init__(self, examples, model, model_run, evaluate):
        """Makes the component.

        Args:
            examples: Channel of `Examples`.
            model: Channel of `Model`, the trained encoder.
            model_run: Channel of `ModelRun`, which holds the untrained one.
            evaluate: `tf_scl.config.EvaluateConfig` as a dict.
        """
        super().__init__(
            RepresentationEvaluatorSpec(
                evaluate_config=json.dumps(evaluate, sort_keys=True),
                code_digest=code_digest(executor.__name__),
                examples=examples,
                model=model,
                model_run=model_run,
                evaluation=types.Channel(type=standard_artifacts.ModelEvaluation),
                blessing=types.Channel(type=standard_artifacts.ModelBlessing),
            )
        )
