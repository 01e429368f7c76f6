"""The graph: which components there are, and what feeds what."""

import os
from collections.abc import Callable

from ml_metadata.proto import metadata_store_pb2
from tfx import types
from tfx import v1 as tfx
from tfx.dsl.components.common import resolver
from tfx.orchestration.data_types import RuntimeParameter

from components.atomic_pusher.component import AtomicPusher
from components.image_example_gen.component import ImageExampleGen
from components.last_blessed import last_blessed
from components.pretrainer.component import pretrainer
from components.representation_evaluator.component import RepresentationEvaluator
from tf_scl.config import Config


def create_pipeline(
    name: str,
    root: str,
    images: str | RuntimeParameter,
    serving: str,
    config: Config,
    metadata: metadata_store_pb2.ConnectionConfig | None = None,
    beam_pipeline_args: list[str] | None = None,
    ingest_beam_args: list[str] | None = None,
    resolve: Callable[[types.Channel], resolver.Resolver] | None = last_blessed,
) -> tfx.dsl.Pipeline:
    """From images to a served encoder.

    Args:
        name: Name of the pipeline.
        root: Folder for the artifacts.
        images: The source of images, a folder or such as "tfds:cifar10".
        serving: Folder that a model server watches; versions go below it.
        config: `tf_scl.Config`.
        metadata: ML Metadata connection config, where the runner needs one.
        beam_pipeline_args: Beam flags, a list, or None.
        ingest_beam_args: Beam flags of the ingestion, where others suit it better.
        resolve: Makes, from the channel of the trained model, the resolver of the one
            that it has to hold its own against; None where the runner has no resolvers.

    Returns:
        `tfx.dsl.Pipeline`.
    """
    settings = config.to_dict()
    example_gen = ImageExampleGen(images, settings["ingest"])
    if ingest_beam_args:
        example_gen.with_beam_pipeline_args(ingest_beam_args)
    examples = example_gen.outputs["examples"]
    statistics_gen = tfx.components.StatisticsGen(examples=examples)
    schema_gen = tfx.components.SchemaGen(
        statistics=statistics_gen.outputs["statistics"], infer_feature_shape=True
    )
    example_validator = tfx.components.ExampleValidator(
        statistics=statistics_gen.outputs["statistics"], schema=schema_gen.outputs["schema"]
    )
    trainer = pretrainer(
        examples,
        schema_gen.outputs["schema"],
        config.to_dict("ingest", "augment", "model", "train"),
        checkpoints=os.path.join(root, "checkpoints"),
        report=example_gen.outputs["report"],
    )
    predecessor = resolve(trainer.outputs["model"]) if resolve else None
    evaluator = RepresentationEvaluator(
        examples,
        example_gen.outputs["report"],
        trainer.outputs["model"],
        trainer.outputs["model_run"],
        settings["evaluate"],
        predecessor.outputs["model"] if predecessor else None,
        cache=os.path.join(root, "cache"),
    )
    pusher = AtomicPusher(
        model=trainer.outputs["model"],
        model_blessing=evaluator.outputs["blessing"],
        push_destination=tfx.proto.PushDestination(
            filesystem=tfx.proto.PushDestination.Filesystem(base_directory=serving)
        ),
    ).with_id("Pusher")
    return tfx.dsl.Pipeline(
        pipeline_name=name,
        pipeline_root=root,
        components=[
            example_gen,
            statistics_gen,
            schema_gen,
            example_validator,
            trainer,
            *([predecessor] if predecessor else []),
            evaluator,
            pusher,
        ],
        enable_cache=True,
        metadata_connection_config=metadata,
        beam_pipeline_args=beam_pipeline_args,
    )
