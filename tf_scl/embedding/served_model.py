"""The SavedModel that a collection is embedded with: found, checked and told from others."""

import dataclasses
import hashlib
import json
import os
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tf_scl.config import IngestConfig
from tf_scl.data.sources.source import one_line
from tf_scl.errors import InputError
from tf_scl.images.content_hash import file_sha256
from tf_scl.serving.export import METADATA_FILE, read_metadata
from tf_scl.serving.model_folder import find_saved_model
from tf_scl.serving.signatures import BYTES, OUTPUT
from tf_scl.typing import PathLike


@dataclasses.dataclass(frozen=True)
class ServedModel:
    """A SavedModel of `tf_scl.export_saved_model`.

    Attributes:
        path: Str, its folder.
        metadata: Dict, what the export noted of it.
    """

    path: str
    metadata: dict[str, Any]

    @property
    def dimension(self) -> int:
        """Int D, numbers in an embedding."""
        return self.metadata["dimension"]

    @property
    def max_pixels(self) -> int:
        """Int, images with more are not taken."""
        return self.metadata.get("max_pixels", IngestConfig().max_pixels)

    def fingerprint(self) -> str:
        """Hex digest of the files that TensorFlow loads, names and contents.

        It is the same wherever the folder is, and whatever else stands in it, such as a card.
        """
        digest = hashlib.sha256()
        for path in _files(self.path):
            digest.update(path[len(self.path) :].encode(errors="surrogateescape") + b"\0")
            digest.update(bytes.fromhex(file_sha256(path)))
        return digest.hexdigest()

    def load(self) -> Any:
        """Loads the model and embeds no images at all, which shows whether it can embed some.

        Returns:
            What `tf.saved_model.load` returned.

        Raises:
            InputError: It cannot be loaded, or gives no [N, D].
        """
        try:
            loaded = tf.saved_model.load(self.path)
            shape = embed_images(loaded, []).shape
        except Exception as error:  # TensorFlow raises all kinds on what is missing or damaged
            raise InputError(
                f"the model {self.path!r} cannot be loaded and used ({one_line(error)}); is it "
                "complete? Copy it again, or export it again with tf_scl.export_saved_model"
            ) from error
        if shape != (0, self.dimension):
            raise InputError(
                f"the model {self.path!r} gives embeddings of {shape[1:]}, but its "
                f"{METADATA_FILE} says {self.dimension}; export it again with "
                "tf_scl.export_saved_model"
            )
        return loaded


def find_model(path: PathLike) -> ServedModel:
    """The SavedModel in a folder, or in the newest of its version folders 1/, 2/, ...

    Args:
        path: Path, local or of any file system that `tf.io.gfile` knows.

    Returns:
        `ServedModel`.

    Raises:
        InputError: No such folder, no SavedModel in it, or none of tf_scl.
    """
    path = find_saved_model(path)
    if not tf.io.gfile.exists(os.path.join(path, METADATA_FILE)):
        raise InputError(
            f"{path!r} is a SavedModel, but not one of tf_scl: it has no {METADATA_FILE}. Give one "
            "that a `make run` has pushed, or write one with tf_scl.export_saved_model"
        )
    return ServedModel(path, _metadata(path))


def embed_images(model: Any, encoded: Sequence[bytes]) -> npt.NDArray[np.float32]:
    """Embeds encoded images by a loaded SavedModel, with its own preprocessing.

    Args:
        model: What `tf.saved_model.load` returned.
        encoded: List of bytes, PNG or JPEG files.

    Returns:
        float32 [N, D].

    Raises:
        tf.errors.InvalidArgumentError: An image that the model refuses.
    """
    images = tf.constant(encoded, tf.string, [len(encoded)])
    return model.signatures[BYTES](image_bytes=images)[OUTPUT].numpy()


def embed_or_refuse(
    model: Any, encoded: Sequence[bytes]
) -> tuple[npt.NDArray[np.float32], dict[int, str]]:
    """Embeds encoded images, but for those that the model refuses.

    Args:
        model, encoded: As of `embed_images`.

    Returns:
        (embeddings, refused): float32 [M, D] of those that it takes, in their
        order; and dict from the index of each other to the reason.
    """
    try:
        return embed_images(model, encoded), {}
    except tf.errors.InvalidArgumentError:
        pass  # one bad image makes the whole call fail, so each is tried alone
    embedded, refused = [embed_images(model, [])], {}
    for index, image in enumerate(encoded):
        try:
            embedded.append(embed_images(model, [image]))
        except tf.errors.InvalidArgumentError as error:
            refused[index] = _reason(error)
    return np.concatenate(embedded), refused


def _metadata(path: str) -> dict[str, Any]:
    try:
        metadata = read_metadata(path)
        dimension = metadata["dimension"]
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{os.path.join(path, METADATA_FILE)!r} is damaged ({one_line(error)}): a JSON "
            'object with "dimension" is needed; export the model again with '
            "tf_scl.export_saved_model"
        ) from error
    if type(dimension) is not int or dimension < 1:
        raise InputError(
            f"{os.path.join(path, METADATA_FILE)!r} has the dimension {json.dumps(dimension)}; a "
            "whole number from 1 is needed: export the model again"
        )
    return metadata


def _files(folder: str) -> list[str]:
    graph = os.path.join(folder, "saved_model.pb")
    parts = (os.path.join(folder, name) for name in ("assets", "variables"))
    return [graph] + sorted(
        os.path.join(directory, name)
        for part in parts
        for directory, _, names in tf.io.gfile.walk(part)
        for name in names
    )


def _reason(error: tf.errors.OpError) -> str:
    """What a model says of the one image that it was given, out of all that TensorFlow says."""
    said = re.search(r"image_bytes\[0\] is ([^\]\n]*)", error.message)
    return said[1] if said else one_line(error)
