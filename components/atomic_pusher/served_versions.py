"""What the folder that a model server watches holds, and what we noted there."""

import dataclasses
import os
import uuid
from typing import Any

from tfx.dsl.io import fileio
from tfx.types import artifact_utils

from components.inputs import InputDict
from tf_scl.dataclass_json import dumps, read_json
from tf_scl.files import remove_partial, write_file

_NOTE_FILE = os.path.join("assets.extra", "push.json")
# TF Serving looks at folders whose name is a number, and at no other.
_INCOMING = ".incoming-"


def incoming(base: str) -> str:
    """Path of a new folder in which a version can be filled."""
    return os.path.join(base, f"{_INCOMING}{uuid.uuid4().hex}")


def remove_incoming(base: str) -> None:
    """Removes what killed pushes were filling; call it only while there can be no other."""
    if not fileio.exists(base):
        return
    for name in (one.strip("/") for one in fileio.listdir(base)):
        path = os.path.join(base, name)
        if name.startswith(_INCOMING):
            fileio.rmtree(path)
        elif name.isdigit():
            for folder in (path, os.path.dirname(os.path.join(path, _NOTE_FILE))):
                remove_partial(folder)


def newest_version(base: str) -> str | None:
    """Path of the version that a server would take, or None."""
    if not fileio.exists(base):
        return None
    versions = [name.strip("/") for name in fileio.listdir(base)]
    numbers = [int(name) for name in versions if name.isdigit()]
    return os.path.join(base, str(max(numbers))) if numbers else None


@dataclasses.dataclass(frozen=True)
class Note:
    """What is noted in a version.

    Attributes:
        model: URI of the model artifact that it is of; None where the version is not of ours.
        push: What names the execution that pushed it, or wrote its card last; or None.
        evaluation: URI of the evaluation that its card was made of.
        stated: JSON of the settings that its card was made of.
    """

    model: str | None = None
    push: str | None = None
    evaluation: str | None = None
    stated: str | None = None


def write_note(version: str, note: Note) -> None:
    """Writes the note of a version, complete or not at all."""
    path = os.path.join(version, _NOTE_FILE)
    fileio.makedirs(os.path.dirname(path))
    write_file(path, dumps(note))


def read_note(version: str) -> Note:
    """Reads the note of a version; an empty one where it is not of ours."""
    path = os.path.join(version, _NOTE_FILE)
    return read_json(Note, path) if fileio.exists(path) else Note()


def wanted_note(inputs: InputDict, parameters: dict[str, Any], push: str | None) -> Note:
    """The note of a version that an execution of the Pusher leaves.

    Args:
        inputs: "model" and "evaluation".
        parameters: "serve_config".
        push: As of `Note`.
    """
    model, evaluation = (
        artifact_utils.get_single_uri(inputs[name]) for name in ("model", "evaluation")
    )
    return Note(model, push, evaluation, parameters["serve_config"])
