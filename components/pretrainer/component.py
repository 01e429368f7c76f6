"""TFX's Trainer, set up to run tf_scl's pretraining."""

import json
from typing import Any

from tfx import types
from tfx import v1 as tfx
from tfx.dsl.components.base.base_component import BaseComponent
from tfx.dsl.components.base.executor_spec import ExecutorClassSpec
from tfx.types import component_spec, standard_artifacts, standard_component_specs

from components.artifacts import IngestionReport
from components.code_digest import code_digest
from components.pretrainer import executor, run_fn
from components.pretrainer.request import TrainerRequest
from tf_scl.config import Settings
from tf_scl.encoders import model_files


class PretrainerSpec(standard_component_specs.TrainerSpec):
    """TFX's, and the report of the ingestion, which is noted in the model."""

    INPUTS = {
        **standard_component_specs.TrainerSpec.INPUTS,
        "report": component_spec.ChannelParameter(type=IngestionReport, optional=True),
    }


class Pretrainer(tfx.components.Trainer):
    """TFX's Trainer, whose settings a compiled pipeline can leave open."""

    SPEC_CLASS = PretrainerSpec
    EXECUTOR_SPEC = ExecutorClassSpec(executor.Executor)

    def __init__(self, request: TrainerRequest, **channels_and_parameters: Any) -> None:
        """Makes the component.

        Args:
            request: `TrainerRequest`, which reaches the `run_fn`.
            channels_and_parameters: The others of `PretrainerSpec`.
        """
        # TFX's own constructor knows no further input.
        BaseComponent.__init__(
            self,
            PretrainerSpec(
                custom_config=request.to_json(),
                model=types.Channel(type=standard_artifacts.Model),
                model_run=types.Channel(type=standard_artifacts.ModelRun),
                **channels_and_parameters,
            ),
        )


def pretrainer(
    examples: types.Channel,
    schema: types.Channel,
    settings: Settings,
    checkpoints: str | None = None,
    report: types.Channel | None = None,
) -> Pretrainer:
    """Makes the Trainer.

    Args:
        examples: Channel of `Examples`; only the split "train" is learned
            from, and no label is read.
        schema: Channel of `Schema`.
        settings: Dict of the sections augment, model and train of a `Config`;
            others are noted in the model.
        checkpoints: Path of a folder, the same in every run, in which a
            training that was stopped leaves what the next run goes on from;
            or None to begin anew each time. (TFX gives each run new folders
            for its outputs.)
        report: Channel of `IngestionReport`, for the model's lineage, or None.

    Returns:
        `tfx.components.Trainer`. It runs again when the examples, a setting,
        the code behind it or what a file of the encoder holds changes.
    """
    return Pretrainer(
        run_fn=f"{run_fn.__name__}.run_fn",
        examples=examples,
        schema=schema,
        report=report,
        train_args=tfx.proto.TrainArgs(splits=["train"]),
        eval_args=tfx.proto.EvalArgs(splits=["eval"]),
        request=TrainerRequest(
            settings,
            code_digest(run_fn.__name__),
            checkpoints,
            model_files.digests(settings.get("model", {})),
        ),
    ).with_id("Trainer")


def train_on_vertex(
    trainer: Pretrainer, project: str, region: str, worker_pools: list[dict[str, Any]]
) -> None:
    """Makes a Trainer send its training to Vertex AI as a custom job.

    Args:
        trainer: What `pretrainer` made; it is changed.
        project: Google Cloud project.
        region: Such as "europe-west4".
        worker_pools: List of dicts, WorkerPoolSpec of Vertex AI: the chief's
            machine, accelerator and image, and those of any others.
    """
    from components.pretrainer import vertex_executor

    vertex = tfx.extensions.google_cloud_ai_platform
    job = {"project": project, "job_spec": {"worker_pool_specs": worker_pools}}
    parameters = trainer.spec.exec_properties
    custom = {
        **json.loads(parameters["custom_config"]),
        vertex.ENABLE_VERTEX_KEY: True,
        vertex.VERTEX_REGION_KEY: region,
        vertex.TRAINING_ARGS_KEY: job,
    }
    parameters["custom_config"] = json.dumps(custom, sort_keys=True)
    trainer.executor_spec = ExecutorClassSpec(vertex_executor.Executor)
