"""The record format: the only place that knows the feature names.

Each record is a `tf.train.Example` with one image:

| feature             | type         | meaning                                            |
|---------------------|--------------|----------------------------------------------------|
| `image/encoded`     | bytes        | a PNG or JPEG file, 8 bits, gray or RGB            |
| `image/format`      | bytes        | `png` or `jpeg`                                    |
| `image/height`      | int64        | pixels                                             |
| `image/width`       | int64        | pixels                                             |
| `image/channels`    | int64        | 1 or 3                                             |
| `image/filename`    | bytes        | path below the image folder                        |
| `image/sha256`      | bytes        | hex digest of the file as it was found             |
| `image/class/label` | int64, or absent | index of the class in sorted order             |
| `image/class/text`  | bytes, or absent | name of the class folder                       |
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import tensorflow as tf

if TYPE_CHECKING:
    from tf_scl.images.check_image import CheckedImage

ENCODED = "image/encoded"
FORMAT = "image/format"
HEIGHT = "image/height"
WIDTH = "image/width"
CHANNELS = "image/channels"
FILENAME = "image/filename"
SHA256 = "image/sha256"
LABEL = "image/class/label"
CLASS = "image/class/text"

NO_LABEL = -1


def encode_example(
    image: CheckedImage,
    filename: bytes,
    sha256: str,
    label: int | None = None,
    class_name: bytes | None = None,
) -> bytes:
    """Serializes one checked image.

    Args:
        image: `check_image.CheckedImage`.
        filename: bytes, path below the image folder.
        sha256: str, hex digest of the original file.
        label: Int, or None for an image without a label.
        class_name: bytes, or None for a label without a name; counts with a label only.

    Returns:
        bytes, a serialized `tf.train.Example`.
    """
    features = {
        ENCODED: _bytes(image.encoded),
        FORMAT: _bytes(image.format.encode()),
        HEIGHT: _int(image.height),
        WIDTH: _int(image.width),
        CHANNELS: _int(image.channels),
        FILENAME: _bytes(filename),
        SHA256: _bytes(sha256.encode()),
    }
    if label is not None:
        features[LABEL] = _int(label)
        if class_name is not None:
            features[CLASS] = _bytes(class_name)
    example = tf.train.Example(features=tf.train.Features(feature=features))
    return example.SerializeToString(deterministic=True)


def encode_image(encoded: bytes) -> bytes:
    """Serializes an encoded image alone, as a request to a served classifier holds it."""
    features = tf.train.Features(feature={ENCODED: _bytes(encoded)})
    return tf.train.Example(features=features).SerializeToString(deterministic=True)


def parse_encoded(serialized: tf.Tensor) -> tf.Tensor:
    """Encoded images, string [N], of serialized examples [N]. Reads no label."""
    spec = {ENCODED: tf.io.FixedLenFeature([], tf.string)}
    return tf.io.parse_example(serialized, spec)[ENCODED]


def parse_filenames(serialized: tf.Tensor) -> tf.Tensor:
    """Names of the images in their source, string [N], of serialized examples [N]."""
    spec = {FILENAME: tf.io.FixedLenFeature([], tf.string, "")}
    return tf.io.parse_example(serialized, spec)[FILENAME]


def parse_hashes(serialized: tf.Tensor) -> tf.Tensor:
    """Hex digests of the images' files, string [N], of serialized examples [N]."""
    spec = {SHA256: tf.io.FixedLenFeature([], tf.string)}
    return tf.io.parse_example(serialized, spec)[SHA256]


def parse_labeled(serialized: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Encoded images, labels (int64, `NO_LABEL` where absent) and class names, each [N]."""
    spec = {
        ENCODED: tf.io.FixedLenFeature([], tf.string),
        LABEL: tf.io.FixedLenFeature([], tf.int64, NO_LABEL),
        CLASS: tf.io.FixedLenFeature([], tf.string, ""),
    }
    parsed = tf.io.parse_example(serialized, spec)
    return parsed[ENCODED], parsed[LABEL], parsed[CLASS]


def parse_channels(serialized: tf.Tensor) -> tf.Tensor:
    """Channels, int64 [N], of serialized examples [N]."""
    spec = {CHANNELS: tf.io.FixedLenFeature([], tf.int64)}
    return tf.io.parse_example(serialized, spec)[CHANNELS]


def _bytes(value: bytes) -> tf.train.Feature:
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))


def _int(value: int) -> tf.train.Feature:
    return tf.train.Feature(int64_list=tf.train.Int64List(value=[value]))
