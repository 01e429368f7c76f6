"""The graph: which components there are, and what feeds what."""

import os
from collections.abc import Callable
from typing import Any

from ml_metadata.proto import metadata_store_pb2
from tfx import types
from tfx import v1 as tfx
from tfx.dsl.components.common import resolver
from tfx.orchestration.data_types import RuntimeParameter

from components.atomic_pusher.component import AtomicPusher, ClassifierPusher
from components.classifier_evaluator.component import ClassifierEvaluator
from components.classifier_trainer.component import ClassifierTrainer
from components.image_example_gen.component import ImageExampleGen
from components.image_labels.component import ImageLabelGen
from components.last_blessed import last_blessed, last_blessed_classifier
from components.pretrainer.component import Pretrainer, pretrainer
from components.representation_evaluator.component import RepresentationEvaluator
from tf_scl.classification.trained_part import HEAD
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
    labels: str | None = None,
    resolve_classifier: Callable[[types.Channel], resolver.Resolver] | None = (
        last_blessed_classifier
    ),
) -> tfx.dsl.Pipeline:
    """From images to a served encoder and, with labels, to a served classifier.

    Args:
        name: Name of the pipeline.
        root: Folder for the artifacts.
        images: The source of images, a folder or such as "tfds:cifar10".
        serving: Folder that a model server watches; versions go below it, those of a
            classifier below `classifier_folder(serving)`.
        config: `tf_scl.Config`.
        metadata: ML Metadata connection config, where the runner needs one.
        beam_pipeline_args: Beam flags, a list, or None.
        ingest_beam_args: Beam flags of the ingestion, where others suit it better.
        resolve: Makes, from the channel of the trained model, the resolver of the one
            that it has to hold its own against; None where the runner has no resolvers.
        labels: Path of a file of labels, or `tf_scl.labels.labels_file.FOLDERS`, for a
            classifier; or None.
        resolve_classifier: As `resolve`, of the classifier.

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
    label_gen = None
    if labels:
        least = 1 if config.classify.tuned == HEAD else 2  # one of them to stop by
        label_gen = ImageLabelGen(labels, least, examples, example_gen.outputs["report"])
        trainer.add_upstream_node(label_gen)  # labels that cannot work are found before it trains
    predecessor = resolve(trainer.outputs["model"]) if resolve else None
    evaluator = RepresentationEvaluator(
        examples,
        example_gen.outputs["report"],
        trainer.outputs["model"],
        trainer.outputs["model_run"],
        settings["evaluate"],
        predecessor.outputs["model"] if predecessor else None,
        cache=os.path.join(root, "cache"),
        labels=label_gen.outputs["labels"] if label_gen else None,
    )
    pusher = AtomicPusher(
        trainer.outputs["model"],
        evaluator.outputs["blessing"],
        evaluator.outputs["evaluation"],
        _folder(serving),
        settings["serve"],
    ).with_id("Pusher")
    classifier = []
    if label_gen:
        classifier = _classifier(
            examples,
            label_gen.outputs["labels"],
            trainer,
            evaluator.outputs["blessing"],
            classifier_folder(serving),
            config,
            resolve_classifier,
        )
        classifier[0].add_upstream_node(pusher)  # whatever becomes of it, the encoder is served
    return tfx.dsl.Pipeline(
        pipeline_name=name,
        pipeline_root=root,
        components=[
            example_gen,
            statistics_gen,
            schema_gen,
            example_validator,
            trainer,
            *([label_gen] if label_gen else []),
            *([predecessor] if predecessor else []),
            evaluator,
            pusher,
            *classifier,
        ],
        enable_cache=True,
        metadata_connection_config=metadata,
        beam_pipeline_args=beam_pipeline_args,
    )


def classifier_folder(serving: str) -> str:
    """The folder for the versions of a classifier, beside that of the encoder's."""
    return f"{serving.rstrip('/')}-classifier"


def _classifier(
    examples: types.Channel,
    labels: types.Channel,
    trainer: Pretrainer,
    blessing: types.Channel,
    serving: str,
    config: Config,
    resolve: Callable[[types.Channel], resolver.Resolver] | None,
) -> list[Any]:
    """The components from a blessed encoder to a served classifier."""
    settings = config.to_dict()
    classifier_trainer = ClassifierTrainer(
        examples,
        labels,
        trainer.outputs["model"],
        trainer.outputs["model_run"],
        blessing,
        settings["classify"],
    )
    classifier = classifier_trainer.outputs["classifier"]
    predecessor = resolve(classifier) if resolve else None
    evaluator = ClassifierEvaluator(
        examples,
        labels,
        classifier,
        settings["evaluate"],
        predecessor.outputs["model"] if predecessor else None,
    )
    pusher = ClassifierPusher(
        classifier,
        evaluator.outputs["blessing"],
        evaluator.outputs["evaluation"],
        _folder(serving),
        settings["serve"],
    )
    return [classifier_trainer, *([predecessor] if predecessor else []), evaluator, pusher]


def _folder(path: str) -> tfx.proto.PushDestination:
    return tfx.proto.PushDestination(
        filesystem=tfx.proto.PushDestination.Filesystem(base_directory=path)
    )
