"""The command line of the Kubeflow runner."""

import dataclasses
import os
from collections.abc import Sequence
from typing import Any

from tf_scl.config import Config
from tf_scl.data.sources.open_source import absolute
from tf_scl.encoders.model_files import refuse_relative_paths
from tf_scl.errors import InputError
from tf_scl.flags import SOURCES, Parser, add_flags, config_from
from tf_scl.labels.labels_file import FOLDERS, read_labels_file

KFP, VERTEX = ".yaml", ".json"


@dataclasses.dataclass(frozen=True)
class Arguments:
    """What the user asked for.

    Attributes:
        config: `tf_scl.Config`.
        data: The source of images, as a container can open it.
        root: Folder for the artifacts, such as "gs://bucket/tf_scl".
        serving: Folder that a model server watches.
        image: Name of the container image.
        output: Path of the compiled file.
        target: `KFP` or `VERTEX`.
        beam: Tuple of (component or None for all, Beam flag).
        cpu, memory: Limits of the Trainer, in cores and gigabytes; 0 for none.
        accelerator: (type, count) of the Trainer, or None.
        machine: Machine type of its Vertex job, or None.
        vertex_training: (project, region) of its Vertex job, or None.
        labels: Path of a file of labels, or `FOLDERS`; None where no classifier is asked for.
    """

    config: Config
    data: str
    root: str
    serving: str
    image: str
    output: str
    target: str
    beam: tuple[tuple[str | None, str], ...] = ()
    cpu: float = 0.0
    memory: float = 0.0
    accelerator: tuple[str, int] | None = None
    machine: str | None = None
    vertex_training: tuple[str, str] | None = None
    labels: str | None = None


def parse(argv: Sequence[str] | None = None) -> Arguments:
    """Reads the command line.

    Returns:
        `Arguments`.

    Raises:
        InputError: An unknown or missing flag, or a value that cannot be used.
        SystemExit: --help.
    """
    given = vars(build_parser(argv).parse_args(argv))
    own = {name: given.pop(name) for name in list(given) if name in _OWN}
    config = config_from(given, "laptop")
    target = next((one for one in (KFP, VERTEX) if own["output"].endswith(one)), None)
    if target is None:
        raise InputError(
            f"--output {own['output']!r} must end with {KFP}, for Kubeflow Pipelines, or "
            f"{VERTEX}, for Vertex AI"
        )
    if absolute(own["data"]) != own["data"].rstrip("/"):
        raise InputError(
            f"--data {own['data']!r} is relative to a folder here; give the whole path that "
            "it has in the containers"
        )
    refuse_relative_paths(config.model)
    if own["labels"] not in (None, FOLDERS):
        if absolute(own["labels"]) != own["labels"]:
            raise InputError(
                f"--labels {own['labels']!r} is relative to a folder here; give the whole path, "
                "by which this machine and the containers can read it"
            )
        read_labels_file(own["labels"])
    own["serving"] = own["serving"] or f"{own['root'].rstrip('/')}/serving"
    own["beam"] = tuple(_beam_flag(text) for text in own["beam"])
    own["accelerator"] = _accelerator(own["accelerator"])
    own["vertex_training"] = _pair("--vertex-training", own["vertex_training"], "PROJECT:REGION")
    _check_together(target, own)
    return Arguments(config=config, target=target, **own)


def _check_together(target: str, own: dict[str, Any]) -> None:
    vertex = own["vertex_training"]
    if vertex and target != VERTEX:
        raise InputError(
            f"--vertex-training needs Vertex AI; let --output {own['output']!r} end with {VERTEX}"
        )
    if vertex and not own["machine"]:
        raise InputError("--vertex-training needs --machine, such as --machine n1-standard-8")
    if own["machine"] and not vertex:
        raise InputError(
            f"--machine {own['machine']!r} is for --vertex-training; a pipeline's own containers "
            "are given --cpu and --memory"
        )
    if vertex and (own["cpu"] or own["memory"]):
        raise InputError("--cpu and --memory are not for --vertex-training; its --machine has them")


def _beam_flag(text: str) -> tuple[str | None, str]:
    """(None, flag), or (component, flag) from COMPONENT=--flag=value."""
    component, _, flag = text.partition("=") if not text.startswith("-") else (None, "", text)
    if not flag.startswith("--"):
        raise InputError(
            f"--beam={text} is no Beam flag; write --beam=--runner=DataflowRunner, or for one "
            "component alone --beam=ImageExampleGen=--runner=DataflowRunner"
        )
    return component, flag


def _accelerator(text: str | None) -> tuple[str, int] | None:
    kind, count = _pair("--accelerator", text, "TYPE:COUNT") or (None, "1")
    if not count.isdigit() or int(count) < 1:
        raise InputError(f"--accelerator takes TYPE:COUNT, at least one. Received: {text!r}")
    return (kind, int(count)) if kind else None


def _pair(flag: str, text: str | None, form: str) -> tuple[str, str] | None:
    if text is None:
        return None
    first, _, second = text.rpartition(":")
    if not (first and second):
        raise InputError(f"{flag} takes {form}. Received: {text!r}")
    return first, second


def build_parser(argv: Sequence[str] | None = None) -> Parser:
    """The parser of the Kubeflow runner, an `argparse.ArgumentParser`.

    Args:
        argv: List of str, or None for the arguments of the program: --help shows the
            values of the preset that is named there.
    """
    parser = Parser(
        prog="python -m pipeline.kubeflow_runner",
        description="Compiles the pipeline for Kubeflow Pipelines or Vertex AI.",
        **SOURCES,
    )
    for flag, options in _FLAGS.items():
        parser.add_argument(flag, **options)
    add_flags(parser, argv, "laptop")
    return parser


_FLAGS: dict[str, dict[str, Any]] = {
    "--data": {
        "required": True,
        "metavar": "SOURCE",
        "help": "the images, as the containers can open them: tfrecord:gs://..., tfds:NAME, ...",
    },
    "--root": {
        "required": True,
        "metavar": "FOLDER",
        "help": "for all artifacts, such as gs://bucket/tf_scl",
    },
    "--image": {
        "required": True,
        "metavar": "NAME",
        "help": "container image, built from docker/Dockerfile",
    },
    "--labels": {
        "default": None,
        "metavar": "FILE",
        "help": "for a classifier: a CSV file filename,label where this machine and the containers "
        "can read it, such as gs://bucket/labels.csv; or the word folders",
    },
    "--output": {
        "default": "pipeline.yaml",
        "metavar": "FILE",
        "type": os.path.expanduser,
        "help": "*.yaml for Kubeflow Pipelines, *.json for Vertex AI (default: %(default)s)",
    },
    "--serving": {
        "metavar": "FOLDER",
        "help": "that a model server watches (default: ROOT/serving)",
    },
    "--beam": {
        "action": "append",
        "default": [],
        "metavar": "[COMPONENT=]FLAG",
        "help": "a Beam flag, such as --beam=--runner=DataflowRunner, or for one component "
        "--beam=ImageExampleGen=--runner=FlinkRunner; as often as need be (default: the "
        "component's own container)",
    },
    "--cpu": {
        "type": float,
        "default": 0.0,
        "metavar": "CORES",
        "help": "of the Trainer (default: no limit)",
    },
    "--memory": {
        "type": float,
        "default": 0.0,
        "metavar": "GB",
        "help": "of the Trainer (default: no limit)",
    },
    "--accelerator": {
        "metavar": "TYPE:COUNT",
        "help": "of the Trainer: nvidia.com/gpu:1 on Kubernetes, NVIDIA_TESLA_T4:1 on Vertex AI",
    },
    "--vertex-training": {
        "metavar": "PROJECT:REGION",
        "help": "train in a custom job of Vertex AI, on --machine",
    },
    "--machine": {"metavar": "TYPE", "help": "of that job, such as n1-standard-8"},
}
_OWN = {flag[2:].replace("-", "_") for flag in _FLAGS}
