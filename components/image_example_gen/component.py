"""Interface of ImageExampleGen."""

import json
from typing import Any

from tfx import types
from tfx.components.example_gen.component import FileBasedExampleGen
from tfx.dsl.components.base.base_beam_component import BaseBeamComponent
from tfx.dsl.components.base.executor_spec import BeamExecutorSpec
from tfx.orchestration.data_types import RuntimeParameter
from tfx.proto import example_gen_pb2
from tfx.types import component_spec, standard_artifacts
from tfx.utils import proto_utils

from components.artifacts import IngestionReport
from components.code_digest import code_digest
from components.image_example_gen import driver, executor


class ImageExampleGenSpec(types.ComponentSpec):
    """Channels and parameters; the keys are those that TFX's ExampleGen driver reads."""

    PARAMETERS = {
        "input_base": component_spec.ExecutionParameter(type=str),
        "input_config": component_spec.ExecutionParameter(type=str),
        "ingest_config": component_spec.ExecutionParameter(type=str),
        "code_digest": component_spec.ExecutionParameter(type=str),
    }
    INPUTS: dict[str, component_spec.ChannelParameter] = {}
    OUTPUTS = {
        "examples": component_spec.ChannelParameter(type=standard_artifacts.Examples),
        "report": component_spec.ChannelParameter(type=IngestionReport),
    }


class ImageExampleGen(FileBasedExampleGen):
    """Ingests a source of images, with or without labels.

    Outputs:
        examples: `Examples` with the splits "train" and "eval", TFRecords of
            tf.train.Example (`tf_scl.data.features`); "class_names" is a
            custom property of it.
        report: `IngestionReport`, the counts and every rejected image.

    It runs again when the source, a setting or its code changes. On Vertex AI
    `kubeflow_hook` sees such a change. Kubeflow Pipelines runs neither driver
    nor hook: there the location of the source counts, not what lies at it.
    """

    SPEC_CLASS = ImageExampleGenSpec
    EXECUTOR_SPEC = BeamExecutorSpec(executor.Executor)
    DRIVER_CLASS = driver.SourceDriver

    def __init__(self, source: str | RuntimeParameter, ingest: dict[str, Any]) -> None:
        """Makes the component.

        Args:
            source: The images, as `tf_scl.data.sources.open_source` reads it: the
                path of a folder, or such as "tfds:cifar10"; or a RuntimeParameter.
            ingest: `tf_scl.config.IngestConfig` as a dict.
        """
        # What TFX's driver parses; ours fingerprints the source.
        everything = example_gen_pb2.Input(
            splits=[example_gen_pb2.Input.Split(name="all", pattern="*")]
        )
        spec = ImageExampleGenSpec(
            input_base=source,
            input_config=proto_utils.proto_to_json(everything),
            ingest_config=json.dumps(ingest, sort_keys=True),
            # Its section of the settings is a parameter; the others do not concern it.
            code_digest=code_digest(executor.__name__, leave_out=["tf_scl.config"]),
            examples=types.Channel(type=standard_artifacts.Examples),
            report=types.Channel(type=IngestionReport),
        )
        # FileBasedExampleGen's own constructor knows no second output.
        BaseBeamComponent.__init__(self, spec=spec)
