"""Views of evaluation images, embedded: for the spectrum of their graph, and to match them."""

from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf

from tf_scl.augmentation.two_views import TwoViews
from tf_scl.config import Config, ModelConfig
from tf_scl.data.input_pipeline import labeled_batches
from tf_scl.labels.joined import ImageLabels
from tf_scl.typing import Array

_BATCH = 256


def embed_views(
    paths: Mapping[str, str],
    files: Sequence[str],
    config: Config,
    given: ImageLabels | None = None,
) -> tuple[dict[str, Array], Array]:
    """Embeds several views of each image with every model, the same views with each.

    Records are ordered by the hash of their image, so the first ones are a
    random sample.

    Args:
        paths: Dict from name to the folder of a SavedModel by
            `tf_scl.export_saved_model`, all of one image size.
        files: List of TFRecord paths.
        config: `tf_scl.Config` of the training: how views are drawn; and of
            `evaluate`, of how many images at most, and how many of each.
        given: `ImageLabels` that take the place of those in the records, or None.

    Returns:
        (dict, labels): name -> float32 [N, V, D]; int64 [N], negative
        where an image has no label.
    """
    # A loaded model must stay referenced while its signature is in use.
    models = {name: tf.saved_model.load(path) for name, path in paths.items()}
    model = config.model
    images, views = config.evaluate.spectrum_images, config.evaluate.spectrum_views
    layer = TwoViews(model.image_size, **vars(config.augment))
    found: dict[str, list[Array]] = {name: [] for name in models}
    labels: list[Array] = []
    batches = labeled_batches(files, _BATCH, model.image_size, model.channels)
    for number, (pixels, batch_labels, names) in enumerate(batches):
        drawn: list[tf.Tensor] = []
        for pair in range(views // 2):
            seed = [config.train.seed, number * views + pair]
            drawn += layer.pair(pixels, tf.constant(seed, tf.int32))
        for name, loaded in models.items():
            embed = loaded.signatures["encode_images"]
            embedded = [embed(images=view)["embedding"].numpy() for view in drawn]
            found[name].append(np.stack(embedded, axis=1))
        labels.append(batch_labels.numpy() if given is None else given.of(names.numpy()))
        if sum(map(len, labels)) >= images:
            break
    joined = {name: np.concatenate(parts)[:images] for name, parts in found.items()}
    return joined, np.concatenate(labels)[:images]


def compared(embeddings: Array, model: ModelConfig) -> Array:
    """Embeddings as the loss of a method compares them.

    Args:
        embeddings: Float array [..., d], of the projector.
        model: `tf_scl.config.ModelConfig`.

    Returns:
        Array of the same shape: with the spectral loss and a number as mu, rows
        clipped to norm sqrt(mu); else of norm 1, also where mu is "auto", whose
        norm is another one in each batch.
    """
    # In float64, which holds the squares of all that float32 holds.
    norms = np.linalg.norm(np.asarray(embeddings, np.float64), axis=-1, keepdims=True)
    norms = np.maximum(norms, np.finfo(np.float64).tiny)
    if model.method == "spectral" and not isinstance(model.mu, str):
        return embeddings * np.minimum(1.0, np.sqrt(model.mu) / norms)
    return embeddings / norms
