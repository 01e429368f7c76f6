"""What TFX's Trainer runs."""

import json
import os
import sys

import tensorflow as tf

import tf_scl
from components.artifacts import UNTRAINED_DIR
from tf_scl.config import Config
from tf_scl.data.input_pipeline import record_files
from tf_scl.export import export_saved_model
from tf_scl.training import pretrain

KERAS_FILE = "encoder.keras"
HISTORY_FILE = "history.json"


def run_fn(fn_args):
    """Pretrains an encoder and exports it.

    Writes the trained encoder to `fn_args.serving_model_dir`; to
    `fn_args.model_run_dir` the same encoder before its first step
    (`untrained`), the trained one as a Keras model (`encoder.keras`) and the
    metrics of each epoch (`history.json`).

    Args:
        fn_args: `tfx.components.FnArgs`; "settings" in its custom_config holds
            the sections augment, model and train.
    """
    settings = fn_args.custom_config["settings"]
    metadata = {"tf_scl": tf_scl.__version__, "settings": settings}
    # TFX gives patterns, FOLDER/*.
    folders = [os.path.dirname(pattern) for pattern in fn_args.train_files]
    files = [path for folder in folders for path in record_files(folder)]

    def keep_untrained(model):
        path = os.path.join(fn_args.model_run_dir, UNTRAINED_DIR)
        export_saved_model(model.encoder, path, metadata)

    # A bar for a person at a terminal; a line each epoch in a log.
    verbose = 1 if sys.stdout.isatty() else 2
    model, history = pretrain(files, Config.from_dict(settings), keep_untrained, verbose)
    with tf.io.gfile.GFile(os.path.join(fn_args.model_run_dir, HISTORY_FILE), "w") as file:
        file.write(json.dumps(history))
    model.encoder.save(os.path.join(fn_args.model_run_dir, KERAS_FILE))
    export_saved_model(model.encoder, fn_args.serving_model_dir, metadata)
