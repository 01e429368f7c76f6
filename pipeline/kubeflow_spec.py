"""What TFX's compiler has no words for, put into the compiled job."""

import json
import os
from collections.abc import Iterable
from typing import Any

import yaml
from tfx.orchestration.data_types import RuntimeParameter

from pipeline.kubeflow_cli import KFP
from tf_scl.errors import InputError
from tf_scl.files import write_file

_HOOK = ["python", "-m", "components.image_example_gen.kubeflow_hook"]


def complete(job: dict[str, Any], root: str, parameters: Iterable[RuntimeParameter]) -> None:
    """Completes what TFX compiled.

    - A runtime parameter has its default and its help; TFX keeps neither.
    - ImageExampleGen's hook on Vertex AI is our own.
    - A pusher is never cached: it looks into the serving folder itself,
      where its driver does in a local run.
    - The YAML too names the folder for artifacts.

    Args:
        job: The PipelineJob as a dict; it is changed.
        root: Folder for the artifacts.
        parameters: List of `RuntimeParameter`.
    """
    spec = job["pipelineSpec"]
    spec["defaultPipelineRoot"] = root
    defined = spec["root"]["inputDefinitions"]["parameters"]
    for parameter in parameters:
        defined[parameter.name]["defaultValue"] = parameter.default
        defined[parameter.name]["description"] = parameter.description
    executors = spec["deploymentSpec"]["executors"]
    container = executors["ImageExampleGen_executor"]["container"]
    container["lifecycle"]["preCacheCheck"]["command"] = list(_HOOK)
    tasks = spec["root"]["dag"]["tasks"]
    for pusher in {"Pusher", "ClassifierPusher"} & tasks.keys():
        del tasks[pusher]["cachingOptions"]


def write(job: dict[str, Any], path: str, target: str) -> None:
    """Writes the PipelineSpec as YAML, or the whole job as JSON.

    kfp's client reads a bare PipelineSpec and refuses JSON; Vertex AI's wants
    the job around it.

    Raises:
        InputError: The file cannot be written.
    """
    if target == KFP:
        text = yaml.safe_dump(job["pipelineSpec"], sort_keys=True)
    else:
        text = json.dumps(job, indent=2, sort_keys=True)
    try:
        os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
        write_file(path, text)
    except OSError as error:
        raise InputError(
            f"cannot write the compiled pipeline to {path!r}: {error.strerror}; give another "
            "file with --output"
        ) from error
