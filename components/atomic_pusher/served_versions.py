"""What the folder that a model server watches holds, and what we noted there."""

import json
import os
import uuid

from tfx.dsl.io import fileio

_NOTE_FILE = os.path.join("assets.extra", "push.json")
# TF Serving looks at folders whose name is a number, and at no other.
_INCOMING = ".incoming-"


def incoming(base: str) -> str:
    """Path of a new folder in which a version can be filled."""
    return os.path.join(base, f"{_INCOMING}{uuid.uuid4().hex}")


def remove_incoming(base: str) -> None:
    """Removes what killed pushes were filling; call it only while there can be no other."""
    if fileio.exists(base):
        for name in fileio.listdir(base):
            if name.startswith(_INCOMING):
                fileio.rmtree(os.path.join(base, name.strip("/")))


def newest_version(base: str) -> str | None:
    """Path of the version that a server would take, or None."""
    if not fileio.exists(base):
        return None
    versions = [name.strip("/") for name in fileio.listdir(base)]
    numbers = [int(name) for name in versions if name.isdigit()]
    return os.path.join(base, str(max(numbers))) if numbers else None


def write_note(version: str, model_uri: str, push: str | None) -> None:
    """Notes in a version which model it is of, and in which push it came."""
    path = os.path.join(version, _NOTE_FILE)
    fileio.makedirs(os.path.dirname(path))
    with fileio.open(path, "w") as file:
        file.write(json.dumps({"model": model_uri, "push": push}))


def read_note(version: str) -> tuple[str | None, str | None]:
    """(model_uri, push) of a version; (None, None) where it is not of ours."""
    path = os.path.join(version, _NOTE_FILE)
    if not fileio.exists(path):
        return None, None
    with fileio.open(path) as file:
        note = json.loads(file.read())
    return note["model"], note["push"]
