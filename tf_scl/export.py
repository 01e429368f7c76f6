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

    - `serving_default`: `image_bytes`, string [N], each an encoded PNG or
      JPEG of any size;
    - `encode_images`: `images`, float32 [N, H, W, C], values 0..255, of any
      one size.

    Images are brought to the encoder's size: the central square, resized.
    The model loads with tensorflow alone. The folder appears complete or not
    at all.

    Args:
        encoder: Functional or Sequential `keras.Model` with input
            [N, S, S, C], S and C known. (Of a `SpectralContrastive` model,
            its `.encoder`.)
        path: Folder to write. It must not exist.
        metadata: JSON-able dict for `assets.extra/tf_scl.json`, beside
            "image_size", "channels" and "dimension"; or None.

    Raises:
        ValueError: An encoder whose input has no fixed square size.
        FileExistsError: `path` exists.
    """
    shape = getattr(encoder, "input_shape", None)
    if shape is None or len(shape) != 4 or None in shape[1:] or shape[1] != shape[2]:
        raise ValueError(
            "to be exported an encoder must be a functional or Sequential model with an input "
            f"of fixed square size [N, S, S, C]. Received: {type(encoder).__name__} with "
            f"input {shape}; wrap it: keras.Sequential([keras.Input((S, S, C)), encoder])"
        )
    _, height, _, channels = shape
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
    try:
        archive.write_out(aside, verbose=False)
        sizes = {"image_size": height, "channels": channels, "dimension": encoder.output_shape[-1]}
        metadata_path = os.path.join(aside, METADATA_FILE)
        tf.io.gfile.makedirs(os.path.dirname(metadata_path))
        with tf.io.gfile.GFile(metadata_path, "w") as file:
            file.write(json.dumps({**sizes, **(metadata or {})}, indent=2))
        tf.io.gfile.rename(aside, path)
    except BaseException:
        if tf.io.gfile.exists(aside):
            tf.io.gfile.rmtree(aside)
        raise


def read_metadata(path):
    """What `export_saved_model` noted of a SavedModel, a dict."""
    with tf.io.gfile.GFile(os.path.join(path, METADATA_FILE)) as file:
        return json.load(file)
