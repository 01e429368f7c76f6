"""Features from SavedModels, the very ones that are served."""

from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf

from tf_scl.data.input_pipeline import labeled_batches
from tf_scl.images.decode import fit_to_square
from tf_scl.labels.joined import ImageLabels
from tf_scl.serving.export import read_metadata
from tf_scl.typing import Array

_BATCH = 256
_PIXELS = 32  # largest side of the raw-pixel baseline: its probe has 32 * 32 * C inputs


def extract_features(
    paths: Mapping[str, str], files: Sequence[str], labels: ImageLabels | None = None
) -> tuple[dict[str, Array], Array, Array]:
    """Embeds all images of record files with several SavedModels.

    The files are read once for each image size that the models have.

    Args:
        paths: Dict from name to the folder of a SavedModel by
            `tf_scl.export_saved_model`.
        files: List of TFRecord paths.
        labels: `ImageLabels` that take the place of those in the records, or None.

    Returns:
        (features, pixels, labels): dict from name to float32 [N, D]; float32
        [N, P] with values 0..1, the images as the first model sees them, but
        resized to 32 x 32 where they are larger;
        int64 [N], negative where an image has no label.
    """
    sizes: dict[tuple[int, int], dict[str, str]] = {}
    for name, path in paths.items():
        metadata = read_metadata(path)
        sizes.setdefault((metadata["image_size"], metadata["channels"]), {})[name] = path
    parts = [_embed(models, files, labels, *size) for size, models in sizes.items()]
    features = {name: rows for found, _, _ in parts for name, rows in found.items()}
    return features, parts[0][1], parts[0][2]


def _embed(
    paths: Mapping[str, str],
    files: Sequence[str],
    given: ImageLabels | None,
    size: int,
    channels: int,
) -> tuple[dict[str, Array], Array, Array]:
    # A loaded model must stay referenced while its signature is in use.
    models = {name: tf.saved_model.load(path) for name, path in paths.items()}
    features: dict[str, list[Array]] = {name: [] for name in models}
    pixels, labels = [], []
    for images, batch_labels, names in labeled_batches(files, _BATCH, size, channels):
        images = tf.cast(images, tf.float32)
        for name, model in models.items():
            embedded = model.signatures["encode_images"](images=images)["embedding"]
            features[name].append(embedded.numpy())
        small = fit_to_square(images, min(size, _PIXELS))
        pixels.append(small.numpy().reshape(len(images), -1) / 255)
        labels.append(batch_labels.numpy() if given is None else given.of(names.numpy()))
    joined = {name: np.concatenate(parts) for name, parts in features.items()}
    return joined, np.concatenate(pixels), np.concatenate(labels)
