"""Interface of RepresentationEvaluator."""

import json
from typing import Any

from tfx import types
from tfx.dsl.components.base import base_component
from tfx.dsl.components.base.executor_spec import ExecutorClassSpec
from tfx.types import component_spec, standard_artifacts

from components.artifacts import ImageLabels, IngestionReport
from components.code_digest import code_digest
from components.representation_evaluator import executor


class RepresentationEvaluatorSpec(types.ComponentSpec):
    """Channels and parameters."""

    PARAMETERS = {
        "evaluate_config": component_spec.ExecutionParameter(type=str),
        "code_digest": component_spec.ExecutionParameter(type=str),
        "cache": component_spec.ExecutionParameter(type=str, optional=True),
    }
    INPUTS = {
        "examples": component_spec.ChannelParameter(type=standard_artifacts.Examples),
        "report": component_spec.ChannelParameter(type=IngestionReport),
        "model": component_spec.ChannelParameter(type=standard_artifacts.Model),
        "model_run": component_spec.ChannelParameter(type=standard_artifacts.ModelRun),
        "labels": component_spec.ChannelParameter(type=ImageLabels, optional=True),
        "last_blessed": component_spec.ChannelParameter(
            type=standard_artifacts.Model, optional=True
        ),
    }
    OUTPUTS = {
        "evaluation": component_spec.ChannelParameter(type=standard_artifacts.ModelEvaluation),
        "blessing": component_spec.ChannelParameter(type=standard_artifacts.ModelBlessing),
    }


class RepresentationEvaluator(base_component.BaseComponent):
    """Judges a frozen encoder beside its untrained self, raw pixels and its predecessor.

    The first component of the pipeline that reads labels.

    Outputs:
        evaluation: `ModelEvaluation`, `evaluation.json`
            (`tf_scl.evaluation.results.Evaluation`), `report.html`
            and what it was made from, `report.json` (`tf_scl.report.facts.ReportFacts`).
        blessing: `ModelBlessing`, as TFX's Pusher reads it; the conditions are
            those of `tf_scl.evaluation.gate`.
    """

    SPEC_CLASS = RepresentationEvaluatorSpec
    EXECUTOR_SPEC = ExecutorClassSpec(executor.Executor)

    def __init__(
        self,
        examples: types.Channel,
        report: types.Channel,
        model: types.Channel,
        model_run: types.Channel,
        evaluate: dict[str, Any],
        last_blessed: types.Channel | None = None,
        cache: str | None = None,
        labels: types.Channel | None = None,
    ) -> None:
        """Makes the component.

        Args:
            examples: Channel of `Examples`.
            report: Channel of `IngestionReport`, how the examples came about.
            model: Channel of `Model`, the trained encoder.
            model_run: Channel of `ModelRun`, which holds the untrained one.
            evaluate: `tf_scl.config.EvaluateConfig` as a dict.
            last_blessed: Channel of `Model`, the one to compare with; it may
                be empty.
            cache: Path of a folder, the same in every run, for what no training
                changes (the numbers of the raw pixels); or None.
            labels: Channel of `ImageLabels`, which take the place of those in the
                examples; or None.
        """
        super().__init__(
            RepresentationEvaluatorSpec(
                evaluate_config=json.dumps(evaluate, sort_keys=True),
                code_digest=code_digest(executor.__name__),
                cache=cache,
                examples=examples,
                report=report,
                model=model,
                model_run=model_run,
                labels=labels,
                last_blessed=last_blessed,
                evaluation=types.Channel(type=standard_artifacts.ModelEvaluation),
                blessing=types.Channel(type=standard_artifacts.ModelBlessing),
            )
        )
