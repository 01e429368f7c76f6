"""Views of evaluation images, embedded: what the spectrum of their graph is estimated from."""

import numpy as np
import tensorflow as tf

from tf_scl.augmentation.two_views import TwoViews
from tf_scl.data.input_pipeline import labelled_batches

FEATURES, EMBEDDINGS = "encoder features", "projected embeddings"
_BATCH = 256


def embed_views(encoder, projected, files, config, images, views):
    """Embeds several views of each image with an encoder, and with it and its projector.

    Records are ordered by the hash of their image, so the first ones are a
    random sample.

    Args:
        encoder: Folder of a SavedModel by `tf_scl.export_saved_model`.
        projected: The same with `projector=True`.
        files: List of TFRecord paths.
        config: `tf_scl.Config` of the training: how views are drawn, and how
            its method compares embeddings.
        images: Int, how many images at most.
        views: Int, even: views of each image.

    Returns:
        (dict, labels): `FEATURES` -> float32 [N, V, D] and `EMBEDDINGS` ->
        float32 [N, V, d], as the method's loss sees them; int64 [N], negative
        where an image has no label.
    """
    # A loaded model must stay referenced while its signature is in use.
    models = {FEATURES: tf.saved_model.load(encoder), EMBEDDINGS: tf.saved_model.load(projected)}
    model = config.model
    layer = TwoViews(model.image_size, **vars(config.augment))
    found = {kind: [] for kind in models}
    labels = []
    batches = labelled_batches(files, _BATCH, model.image_size, model.channels)
    for number, (pixels, batch_labels, _) in enumerate(batches):
        drawn = []
        for pair in range(views // 2):
            seed = [config.train.seed, number * views + pair]
            drawn += layer.pair(pixels, tf.constant(seed, tf.int32))
        for kind, loaded in models.items():
            embed = loaded.signatures["encode_images"]
            embedded = [embed(images=view)["embedding"].numpy() for view in drawn]
            found[kind].append(np.stack(embedded, axis=1))
        labels.append(batch_labels.numpy())
        if sum(map(len, labels)) >= images:
            break
    joined = {kind: np.concatenate(parts)[:images] for kind, parts in found.items()}
    joined[EMBEDDINGS] = compared(joined[EMBEDDINGS], model)
    return joined, np.concatenate(labels)[:images]


def compared(embeddings, model):
    """Embeddings as the loss of a method compares them.

    Args:
        embeddings: Float array [..., d], of the projector.
        model: `tf_scl.config.ModelConfig`.

    Returns:
        Array of the same shape: with the spectral loss, rows clipped to norm
        sqrt(mu); else of norm 1.
    """
    norms = np.maximum(np.linalg.norm(embeddings, axis=-1, keepdims=True), 1e-12)
    if model.method == "spectral":
        return embeddings * np.minimum(1.0, np.sqrt(model.mu) / norms)
    return embeddings / norms
