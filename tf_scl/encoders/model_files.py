"""The files that the settings of a model name: where they are and what they hold.

Imports nothing heavy, so that a command line can look at them first.
"""

import dataclasses
import hashlib
import os
from collections.abc import Mapping
from typing import Any

from tf_scl import registry
from tf_scl.config import NO_WEIGHTS, ModelConfig
from tf_scl.errors import InputError
from tf_scl.images.content_hash import file_sha256

SETTINGS = ("encoder", "weights")  # of the section model; each may be a path

_ENDINGS = {"encoder": (".keras",), "weights": (".keras", ".h5")}


def is_path(text: str) -> bool:
    """Whether a setting is a path: it ends as a file of Keras does, or has a folder in it."""
    return text.endswith((".keras", ".h5")) or (os.sep in text and "://" not in text)


def with_absolute_paths(model: ModelConfig) -> ModelConfig:
    """A `ModelConfig` with whole paths, for trainers that start in folders of their own."""
    changes: dict[str, Any] = {
        name: os.path.abspath(os.path.expanduser(text))
        for name, text in _paths(dataclasses.asdict(model)).items()
        if "://" not in text
    }
    return dataclasses.replace(model, **changes)


def check_files(model: ModelConfig) -> None:
    """Looks for the local files of a `ModelConfig`, and for a method from outside.

    Raises:
        InputError: One is missing, or of another kind by its name.
    """
    if registry.is_outside(model.method):
        registry.source_of(model.method, "model.method")
    for name, path in _paths(dataclasses.asdict(model)).items():
        if name == "encoder" and os.path.isdir(path):  # a preset of KerasHub
            continue
        if not path.endswith(_ENDINGS[name]):
            raise InputError(
                f"model.{name} {path!r} is no {' or '.join(_ENDINGS[name])} file; "
                f"give what model.save or model.save_weights wrote with model.{name}"
            )
        if "://" not in path and not os.path.isfile(path):
            raise InputError(
                f"model.{name} {path!r} does not exist; give the path of a file of Keras with "
                f"model.{name}"
            )


def refuse_relative_paths(model: ModelConfig) -> None:
    """Raises InputError for a path of a `ModelConfig` that holds in one folder only."""
    for name, path in _paths(dataclasses.asdict(model)).items():
        if "://" not in path and not os.path.isabs(path):
            raise InputError(
                f"model.{name} {path!r} is relative to a folder here; give the whole path that "
                "it has in the containers"
            )


def digests(settings: Mapping[str, Any]) -> dict[str, str]:
    """What the files hold, for a cache that must see them change.

    Args:
        settings: Dict, the section model of a `Config`.

    Returns:
        Dict from path to the SHA-256 of the content (hex). Files that cannot be
        seen from here, as in a container, are left out.
    """
    import tensorflow as tf

    paths = sorted([*_paths(settings).values(), *_source_of_method(settings)])
    return {path: _digest(path) for path in paths if tf.io.gfile.exists(path)}


def _source_of_method(settings: Mapping[str, Any]) -> list[str]:
    method = settings.get("method", "")
    if not registry.is_outside(method):
        return []
    try:
        return [os.fspath(registry.source_of(method, "model.method"))]
    except InputError:  # it is in a container
        return []


def _paths(settings: Mapping[str, Any]) -> dict[str, str]:
    texts = {name: settings.get(name, NO_WEIGHTS) for name in SETTINGS}
    return {name: text for name, text in texts.items() if is_path(text)}


def _digest(path: str) -> str:
    import tensorflow as tf

    if not tf.io.gfile.isdir(path):
        return file_sha256(path)
    digest = hashlib.sha256()  # of a preset
    for name in sorted(tf.io.gfile.listdir(path)):
        digest.update(f"{name}\0{_digest(os.path.join(path, name))}".encode())
    return digest.hexdigest()
