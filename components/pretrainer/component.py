"""TFX's Trainer, set up to run tf_scl's pretraining."""

import json

from tfx import v1 as tfx
from tfx.dsl.components.base.executor_spec import ExecutorClassSpec

from components.code_digest import code_digest
from components.pretrainer import executor, run_fn


class Pretrainer(tfx.components.Trainer):
    """TFX's Trainer, whose settings a compiled pipeline can leave open."""

    EXECUTOR_SPEC = ExecutorClassSpec(executor.Executor)


def pretrainer(examples, schema, settings, checkpoints=None):
    """Makes the Trainer.

    Args:
        examples: Channel of `Examples`; only the split "train" is read, and
            of it no label.
        schema: Channel of `Schema`.
        settings: Dict of the sections augment, model and train of a `Config`.
        checkpoints: Path of a folder, the same in every run, in which a
            training that was stopped leaves what the next run goes on from;
            or None to begin anew each time. (TFX gives each run new folders
            for its outputs.)

    Returns:
        `tfx.components.Trainer`. It runs again when the examples, a setting
        or the code behind it changes.
    """
    return Pretrainer(
        run_fn=f"{run_fn.__name__}.run_fn",
        examples=examples,
        schema=schema,
        train_args=tfx.proto.TrainArgs(splits=["train"]),
        eval_args=tfx.proto.EvalArgs(splits=["eval"]),
        custom_config={
            "settings": settings,
            "code_digest": code_digest(run_fn.__name__),
            "checkpoints": checkpoints,
        },
    ).with_id("Trainer")


def train_on_vertex(trainer, project, region, worker_pools):
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
