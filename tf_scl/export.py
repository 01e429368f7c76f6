"""SavedModels that TF Serving loads, with the preprocessing inside."""

import json
import os
import uuid

import keras
import tensorflow as tf

from tf_scl.data import decode

METADATA_FILE = os.path.join("assets.extra", "tf_scl.json")


def export_saved_model(encoder, path, metadata=None):
    """Writes an encoder as a SavedModel.

    Signatures, both with the output `embedding`, float32 [N, D]:

    - `serving_default`: `image_bytes`, string [N], each an encoded PNG, JPEG,
      BMP or GIF of any size;
    - `encode_images`: `images`, float32 [N, H, W, C], values 0..255, of any
      one size.

    Images are brought to the encoder's size: the short side resized, the
    centre cut. The model loads with tensorflow alone. The folder appears
    complete or not at all.

    Args:
        encoder: `keras.Model` with input [N, S, S, C] and S, C known.
        path: Folder to write. It must not exist.
        metadata: JSON-able dict for `assets.extra/tf_scl.json`, beside
            "image_size", "channels" and "dimension"; or None.

    Raises:
        ValueError: An encoder whose input has no fixed square size.
        FileExistsError: `path` exists.
    """
    _, height, width, channels = encoder.input_shape
    if height is None or height != width or channels is None:
        raise ValueError(
            "the encoder must have an input of fixed square size [N, S, S, C] to be "
            f"exported. Received: {encoder.input_shape}"
        )
    path = os.fspath(path).rstrip("/")
    if tf.io.gfile.exists(path):
        raise FileExistsError(f"{path} exists already; export to a new folder")

    def encode(images):
        return {"embedding": tf.cast(encoder(images, training=False), tf.float32)}

    def encode_images(images):
        return encode(decode.fit_to_square(images, height))

    def encode_bytes(image_bytes):
        return encode(decode.decode_batch(image_bytes, height, channels))

    archive = keras.export.ExportArchive()
    archive.track(encoder)
    archive.add_endpoint(
        "serving_default", encode_bytes, [tf.TensorSpec([None], tf.string, "image_bytes")]
    )
    images = tf.TensorSpec([None, None, None, channels], tf.float32, "images")
    archive.add_endpoint("encode_images", encode_images, [images])
    aside = f"{path}-{uuid.uuid4().hex}.partial"
    archive.write_out(aside, verbose=False)
    tf.io.gfile.makedirs(os.path.join(aside, os.path.dirname(METADATA_FILE)))
    with tf.io.gfile.GFile(os.path.join(aside, METADATA_FILE), "w") as file:
        shape = {"image_size": height, "channels": channels, "dimension": encoder.output_shape[-1]}
        file.write(json.dumps({**shape, **(metadata or {})}, indent=2))
    tf.io.gfile.rename(aside, path)


def read_metadata(path):
    """What `export_saved_model` noted of a SavedModel, a dict."""
    with tf.io.gfile.GFile(os.path.join(path, METADATA_FILE)) as file:
        return json.load(file)
