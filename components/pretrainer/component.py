"""TFX's Trainer, set up to run tf_scl's pretraining."""

from tfx import v1 as tfx

from components.code_digest import code_digest
from components.pretrainer import run_fn


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
    return tfx.components.Trainer(
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
    )
