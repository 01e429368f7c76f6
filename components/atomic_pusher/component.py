"""Interface of AtomicPusher, and the same for classifiers."""

from tfx import types
from tfx import v1 as tfx
from tfx.dsl.components.base.base_component import BaseComponent
from tfx.dsl.components.base.executor_spec import ExecutorClassSpec
from tfx.types import component_spec, standard_artifacts, standard_component_specs

from components.artifacts import ClassifierBlessing, ClassifierModel
from components.atomic_pusher import driver, executor


class AtomicPusher(tfx.components.Pusher):
    """TFX's Pusher whose versions appear complete or not at all.

    It runs again when the version that it pushed is gone or superseded.
    """

    EXECUTOR_SPEC = ExecutorClassSpec(executor.Executor)
    DRIVER_CLASS = driver.ServingFolderDriver


class ClassifierPusherSpec(standard_component_specs.PusherSpec):
    """TFX's, with the artifact types of classifiers."""

    INPUTS = {
        "model": component_spec.ChannelParameter(type=ClassifierModel),
        "model_blessing": component_spec.ChannelParameter(type=ClassifierBlessing),
    }


class ClassifierPusher(AtomicPusher):
    """Pushes a classifier that was blessed."""

    SPEC_CLASS = ClassifierPusherSpec

    def __init__(
        self,
        classifier: types.Channel,
        blessing: types.Channel,
        push_destination: tfx.proto.PushDestination,
    ) -> None:
        """Makes the component.

        Args:
            classifier: Channel of `ClassifierModel`.
            blessing: Channel of `ClassifierBlessing`.
            push_destination: `tfx.proto.PushDestination`, a folder of its own.
        """
        # TFX's own constructor makes a spec of its own types.
        BaseComponent.__init__(
            self,
            ClassifierPusherSpec(
                model=classifier,
                model_blessing=blessing,
                push_destination=push_destination,
                pushed_model=types.Channel(type=standard_artifacts.PushedModel),
            ),
        )
