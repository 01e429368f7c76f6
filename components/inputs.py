"""Inputs that several executors read alike."""

import logging
import os

import tensorflow as tf
from tfx import types
from tfx.types import artifact_utils
from tfx.utils import path_utils

from components.artifacts import LABELS_FILE
from tf_scl.dataclass_json import read_json
from tf_scl.labels.joined import ImageLabels

_log = logging.getLogger(__name__)

InputDict = dict[str, list[types.Artifact]]


def read_labels(folder: str) -> ImageLabels:
    """The labels in an `ImageLabels` artifact, by its folder."""
    return read_json(ImageLabels, os.path.join(folder, LABELS_FILE))


def input_labels(input_dict: InputDict) -> ImageLabels | None:
    """The labels of the input "labels", or None without such an input."""
    if not input_dict.get("labels"):
        return None
    return read_labels(artifact_utils.get_single_uri(input_dict["labels"]))


def last_blessed_path(input_dict: InputDict, candidate: types.Artifact) -> str | None:
    """The SavedModel of the input "last_blessed", or None without one to compare with.

    Args:
        input_dict: Of an executor.
        candidate: Artifact of the model that is judged, which is not compared with itself.
    """
    (model,) = input_dict.get("last_blessed") or [None]
    if model is None or model.uri == candidate.uri:  # Vertex AI's resolver may find itself
        return None
    path = path_utils.serving_model_path(model.uri)
    if not tf.io.gfile.exists(path):
        _log.warning("the last blessed model is gone from %s: nothing is compared with it", path)
        return None
    return path
