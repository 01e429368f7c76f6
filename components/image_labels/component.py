"""Interface of ImageLabelGen."""

from tfx import types
from tfx.dsl.components.base import base_component
from tfx.dsl.components.base.executor_spec import ExecutorClassSpec
from tfx.types import component_spec, standard_artifacts

from components.artifacts import ImageLabels, IngestionReport
from components.code_digest import code_digest
from components.image_labels import executor
from tf_scl.labels.labels_file import labels_digest


class ImageLabelGenSpec(types.ComponentSpec):
    """Channels and parameters."""

    PARAMETERS = {
        "source": component_spec.ExecutionParameter(type=str),
        "digest": component_spec.ExecutionParameter(type=str),
        "least_per_class": component_spec.ExecutionParameter(type=int),
        "code_digest": component_spec.ExecutionParameter(type=str),
    }
    INPUTS = {
        "examples": component_spec.ChannelParameter(type=standard_artifacts.Examples),
        "report": component_spec.ChannelParameter(type=IngestionReport),
    }
    OUTPUTS = {"labels": component_spec.ChannelParameter(type=ImageLabels)}


class ImageLabelGen(base_component.BaseComponent):
    """Finds the images that have a label.

    Labels are no part of the examples, so that images which are labeled later change neither
    these nor what was pretrained from them.

    Outputs:
        labels: `ImageLabels`, which image is of which class.

    It runs again when the file of labels, the examples or its code changes. A compiled pipeline
    knows the file as it was when it was compiled.
    """

    SPEC_CLASS = ImageLabelGenSpec
    EXECUTOR_SPEC = ExecutorClassSpec(executor.Executor)

    def __init__(
        self, labels: str, least_per_class: int, examples: types.Channel, report: types.Channel
    ) -> None:
        """Makes the component.

        Args:
            labels: Path of a CSV file (`tf_scl.labels.labels_file`), or
                `tf_scl.labels.labels_file.FOLDERS` for the labels that the examples hold.
            least_per_class: Int, labeled training images that each class must have.
            examples: Channel of `Examples`.
            report: Channel of `IngestionReport`, which images were rejected.
        """
        super().__init__(
            ImageLabelGenSpec(
                source=labels,
                digest=labels_digest(labels),
                least_per_class=least_per_class,
                code_digest=code_digest(executor.__name__),
                examples=examples,
                report=report,
                labels=types.Channel(type=ImageLabels),
            )
        )
