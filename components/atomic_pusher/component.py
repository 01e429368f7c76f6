"""Interfaces of AtomicPusher and of the same for classifiers."""

import json
from typing import Any

from tfx import types
from tfx import v1 as tfx
from tfx.dsl.components.base.base_component import BaseComponent
from tfx.dsl.components.base.executor_spec import ExecutorClassSpec
from tfx.types import component_spec, standard_artifacts, standard_component_specs

from components.artifacts import ClassifierBlessing, ClassifierModel
from components.atomic_pusher import driver, executor


class AtomicPusherSpec(standard_component_specs.PusherSpec):
    """TFX's, and what a model card is made of."""

    PARAMETERS = {
        **standard_component_specs.PusherSpec.PARAMETERS,
        "serve_config": component_spec.ExecutionParameter(type=str),
    }
    INPUTS = {
        "model": component_spec.ChannelParameter(type=standard_artifacts.Model),
        "model_blessing": component_spec.ChannelParameter(type=standard_artifacts.ModelBlessing),
        "evaluation": component_spec.ChannelParameter(type=standard_artifacts.ModelEvaluation),
    }


class ClassifierPusherSpec(AtomicPusherSpec):
    """The same with the artifact types of classifiers."""

    INPUTS = {
        **AtomicPusherSpec.INPUTS,
        "model": component_spec.ChannelParameter(type=ClassifierModel),
        "model_blessing": component_spec.ChannelParameter(type=ClassifierBlessing),
    }


class AtomicPusher(tfx.components.Pusher):
    """TFX's Pusher whose versions appear complete or not at all, with a model card in each.

    It runs again when the version that it pushed is gone or superseded.

    Outputs:
        pushed_model: `PushedModel`, the SavedModel and its card, `README.md`
            (`tf_scl.report.model_card`), as they are in the served version.
    """

    SPEC_CLASS = AtomicPusherSpec
    EXECUTOR_SPEC = ExecutorClassSpec(executor.Executor)
    DRIVER_CLASS = driver.ServingFolderDriver

    def __init__(
        self,
        model: types.Channel,
        blessing: types.Channel,
        evaluation: types.Channel,
        push_destination: tfx.proto.PushDestination,
        serve: dict[str, Any],
    ) -> None:
        """Makes the component.

        Args:
            model: Channel of `Model`, or of `ClassifierModel`.
            blessing: Channel of its blessing.
            evaluation: Channel of `ModelEvaluation`, what was measured of it.
            push_destination: `tfx.proto.PushDestination`, a folder.
            serve: `tf_scl.config.ServeConfig` as a dict.
        """
        # TFX's own constructor makes a spec of its own types.
        BaseComponent.__init__(
            self,
            self.SPEC_CLASS(
                model=model,
                model_blessing=blessing,
                evaluation=evaluation,
                push_destination=push_destination,
                serve_config=json.dumps(serve, sort_keys=True),
                pushed_model=types.Channel(type=standard_artifacts.PushedModel),
            ),
        )


class ClassifierPusher(AtomicPusher):
    """Pushes a classifier that was blessed, to a folder of its own."""

    SPEC_CLASS = ClassifierPusherSpec
    EXECUTOR_SPEC = ExecutorClassSpec(executor.ClassifierExecutor)
