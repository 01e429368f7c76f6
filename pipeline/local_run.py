"""The job of `pipeline.local_runner`: the pipeline on this machine, from the command line on."""

import dataclasses
import logging
import os
import pathlib
import sys
from collections.abc import Sequence

import absl.logging

from components import checks
from pipeline import cli
from tf_scl.config import Config
from tf_scl.data.sources.open_source import absolute, open_source
from tf_scl.errors import InputError
from tf_scl.flags import FlagFormatter
from tf_scl.logging_setup import warm_up_xla

PIPELINE_NAME = "tf_scl"
LOG_FILE = "run.log"
# TFX gives workers the code of this checkout by way of its setup.py.
SETUP_FILE = pathlib.Path(__file__).resolve().parent.parent / "setup.py"

_log = logging.getLogger("pipeline")


def run_command_line(argv: Sequence[str] | None = None) -> None:
    """Runs the whole job and prints its summary.

    Raises:
        InputError: Something that the user gave cannot be used, or a disk that
            is full or cannot be written.
    """
    arguments = cli.parse(argv)
    try:
        config = checks.check_run(
            arguments.data, arguments.out, arguments.config, arguments.fit_batch, arguments.labels
        )
        with checks.exclusive_lock(arguments.out):
            checks.check_metadata_db(arguments.out)
            _configure_logging(os.path.join(arguments.out, LOG_FILE))
            arguments = _fitted(arguments, config)
            print(run(arguments), flush=True)
    except Exception as error:
        cause = _input_error(error) or checks.disk_error(error, arguments.out)
        if cause is None:
            raise
        raise cause from error


def _fitted(arguments: cli.Arguments, config: Config) -> cli.Arguments:
    """The arguments with the settings that fit the images, which is said."""
    batch, fitted = arguments.config.train.batch_size, config.train.batch_size
    if fitted != batch:
        _log.info(
            "train.batch_size is %d, not the preset's %d: for so few images an epoch would have "
            "hardly a step",
            fitted,
            batch,
        )
    return dataclasses.replace(arguments, config=config)


def run(arguments: cli.Arguments) -> str:
    """Runs the pipeline for `cli.Arguments` and returns the summary as text."""
    data = arguments.data
    if data is None:
        from tf_scl.images.digits import write_digits

        data = str(write_digits(os.path.join(arguments.out, "images")))
    data = absolute(data)  # Beam's workers start in folders of their own
    _log.info("images: %s; output: %s; loading TFX", data, arguments.out)
    # Heavy imports wait until the arguments are known to be good.
    warm_up_xla()
    _check_encoder(arguments)
    from tfx import v1 as tfx

    from components.image_example_gen import local_beam
    from pipeline import recovery, summary
    from pipeline.pipeline import classifier_folder, create_pipeline

    summary.remove(arguments.out)  # that of a run before is not this one's
    metadata = tfx.orchestration.metadata.sqlite_metadata_connection_config(
        os.path.join(arguments.out, checks.RECORD_FILE)
    )
    root = os.path.join(arguments.out, checks.ARTIFACTS_DIR)
    serving = os.path.join(arguments.out, checks.SERVING_DIR)
    recovery.recover_interrupted_runs(metadata, root, serving, classifier_folder(serving))
    graph = create_pipeline(
        PIPELINE_NAME,
        root,
        data,
        serving,
        arguments.config,
        metadata,
        local_beam.one_process(SETUP_FILE),
        list(arguments.beam) or local_beam.for_source(open_source(data), SETUP_FILE),
        labels=arguments.labels,
    )
    tfx.orchestration.LocalDagRunner().run(graph)
    return summary.write(metadata, arguments.out)


def _check_encoder(arguments: cli.Arguments) -> None:
    """Builds an encoder that is brought, before the images are read for it."""
    from tf_scl.classification.trained_part import LAST, part_of
    from tf_scl.encoders import backbones

    config = arguments.config
    backbones.check_encoder(config.model)
    if arguments.labels and config.classify.tuned == LAST:
        part_of(backbones.build_encoder(config.model))


def _configure_logging(path: str) -> None:
    """All to a file; to the console what concerns the user."""
    logging.captureWarnings(True)
    logging.raiseExceptions = False  # a log that cannot be written is no reason for a traceback
    absl.logging.set_verbosity(absl.logging.INFO)  # TFX's own; silent else after an export
    file = logging.FileHandler(path)
    file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    console = logging.StreamHandler(sys.stdout)
    console.setFormatter(FlagFormatter("%(message)s"))
    console.addFilter(_for_the_user)
    logging.basicConfig(level=logging.INFO, handlers=[file, console], force=True)


def _for_the_user(record: logging.LogRecord) -> bool:
    """Our own messages, and of TFX's the two that tell how far the run is."""
    if record.name.split(".")[0] in ("tf_scl", "components", "pipeline"):
        return True
    if record.name == "absl" and record.msg == "Component %s is running.":
        record.msg = "-- %s"
        return True
    if record.name == "absl" and record.msg == "A cached execution %d is used.":
        record.msg, record.args = "   nothing changed: cached results are used", ()
        return True
    return False


def _input_error(error: BaseException | None) -> InputError | None:
    """The `InputError` behind an exception, or None."""
    while error is not None:
        if isinstance(error, InputError):
            return error
        error = error.__cause__ or error.__context__
    return None
