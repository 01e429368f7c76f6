"""What TFX's Trainer runs."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

import tensorflow as tf

import tf_scl
from components.artifacts import HISTORY_FILE, KERAS_FILE, PROJECTED_DIR, UNTRAINED_DIR
from components.pretrainer.request import TrainerRequest
from tf_scl.config import Config, Settings
from tf_scl.data.input_pipeline import record_files
from tf_scl.files import write_file
from tf_scl.serving.export import LINEAGE, export_saved_model
from tf_scl.serving.reference import reference_images
from tf_scl.training import MAY_CHANGE, pretrain

if TYPE_CHECKING:
    from tfx.components.trainer.fn_args_utils import FnArgs

    from tf_scl.models.two_view_model import TwoViewModel

LOG_DIR = "logs"
# In a checkpoint folder: the settings of the training that has written all its outputs.
_FINISHED_FILE = "finished.json"


def run_fn(fn_args: FnArgs) -> None:
    """Pretrains an encoder and exports it.

    Writes the trained encoder to `fn_args.serving_model_dir`, with embeddings of evaluation
    images that new ones can be compared with (`tf-scl drift`); to
    `fn_args.model_run_dir` the same encoder before its first step
    (`untrained`), the trained one with its projector (`projected`) and as a
    Keras model (`encoder.keras`), and the metrics of each epoch, as
    `history.json` and for TensorBoard (`logs`). What is noted in the models as
    `train.epochs` is what was trained for, also where that came of `train.minutes`.

    A run that was stopped is gone on with by the next one of the same code,
    settings and examples, also where it was killed after its last step. Its
    checkpoints stay until another training begins: only then it is certain
    that TFX has taken note of what was written.

    Args:
        fn_args: `tfx.components.FnArgs`; its custom_config is a `TrainerRequest`.
    """
    request = TrainerRequest.from_custom_config(fn_args.custom_config)
    settings = request.settings
    folders = _folders(fn_args.train_files)
    files = _files(folders)
    metadata = {
        "tf_scl": tf_scl.__version__,
        "settings": settings,
        LINEAGE: request.lineage,
    }

    def note_epochs(config: Config) -> None:
        metadata["settings"] = {**settings, **config.to_dict("train")}

    def keep_untrained(model: TwoViewModel) -> None:
        path = os.path.join(fn_args.model_run_dir, UNTRAINED_DIR)
        export_saved_model(model.encoder, path, metadata)

    checkpoint_dir = _checkpoint_dir(request, folders)
    if request.checkpoints and checkpoint_dir:
        _remove_finished(request.checkpoints, checkpoint_dir, settings)
    model, history = pretrain(
        files,
        Config.from_dict(settings),
        keep_untrained,
        # A bar for a person at a terminal; a line each epoch in a log.
        verbose=1 if sys.stdout.isatty() else 2,
        checkpoint_dir=checkpoint_dir,
        log_dir=os.path.join(fn_args.model_run_dir, LOG_DIR),
        settled=note_epochs,
    )
    with tf.io.gfile.GFile(os.path.join(fn_args.model_run_dir, HISTORY_FILE), "w") as file:
        file.write(json.dumps(history))
    projected = os.path.join(fn_args.model_run_dir, PROJECTED_DIR)
    export_saved_model(model, projected, metadata, projector=True)
    model.encoder.save(os.path.join(fn_args.model_run_dir, KERAS_FILE))
    _, size, _, channels = model.encoder.input_shape
    reference = reference_images(_files(_folders(fn_args.eval_files)), size, channels)
    export_saved_model(model.encoder, fn_args.serving_model_dir, metadata, reference=reference)
    if checkpoint_dir:
        write_file(os.path.join(checkpoint_dir, _FINISHED_FILE), json.dumps(settings))


def _folders(patterns: Iterable[str]) -> list[str]:
    """TFX gives patterns, FOLDER/*."""
    return [os.path.dirname(pattern) for pattern in patterns]


def _files(folders: Iterable[str]) -> list[str]:
    return [path for folder in folders for path in record_files(folder)]


def _checkpoint_dir(request: TrainerRequest, folders: list[str]) -> str | None:
    """A folder of this code, these settings (but for `MAY_CHANGE`), files and examples, or None."""
    if not request.checkpoints:
        return None
    settings = {
        f"{section}.{name}": value
        for section, values in request.settings.items()
        for name, value in values.items()
        if f"{section}.{name}" not in MAY_CHANGE
    }
    identity = [settings, request.code_digest, request.model_files, folders]
    digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
    return os.path.join(request.checkpoints, digest[:16])


def _remove_finished(root: str, own: str, settings: Settings) -> None:
    """Removes the checkpoints of trainings that are done, unless they are of this very one."""
    if not tf.io.gfile.isdir(root):
        return
    for name in tf.io.gfile.listdir(root):
        folder = os.path.join(root, name.strip("/"))
        note = os.path.join(folder, _FINISHED_FILE)
        if not tf.io.gfile.exists(note):
            continue
        with tf.io.gfile.GFile(note) as file:
            finished = json.loads(file.read())
        if folder != own or finished != json.loads(json.dumps(settings)):
            tf.io.gfile.rmtree(folder)
