"""A map of features: a point in the plane for each image."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from tf_scl.errors import InputError
from tf_scl.evaluation.features import check_features
from tf_scl.report.facts import EmbeddingMap
from tf_scl.typing import Array
from tf_scl.unit_rows import unit_rows

_DIRECTIONS = 50  # principal components that t-SNE starts from, as van der Maaten (2008) has it
_PERPLEXITY = 30
_LEAST = 5  # images; with fewer t-SNE means nothing


def embedding_map(
    features: ArrayLike,
    labels: ArrayLike,
    classes: Sequence[str],
    seed: int = 0,
    limit: int = 1000,
) -> EmbeddingMap:
    """Places features in the plane: t-SNE of principal components.

    Features are brought to norm 1 first, as the kNN vote compares them. The
    same arguments give the same map.

    Args:
        features: Float array [N, D].
        labels: Int array [N], negative where an image has no label.
        classes: List of names; a label is an index of it.
        seed: Int, which images are shown and where t-SNE begins.
        limit: Int, the largest number of images that are shown.

    Raises:
        InputError: Features that are not finite, labels that do not match, or
            no scikit-learn.
    """
    labels = np.asarray(labels)
    rows = check_features("the map's", features, labels)
    if labels.size and labels.max() >= len(classes):
        raise InputError(
            f"labels of the map must be below the number of classes, {len(classes)}. "
            f"Received: {labels.max()}"
        )
    chosen = np.random.default_rng(seed).permutation(len(labels))[:limit]
    chosen.sort()
    points, method = _coordinates(unit_rows(rows[chosen]), seed)
    return EmbeddingMap(
        points=tuple((x, y) for x, y in np.round(points, 3).tolist()),
        labels=tuple(label if label >= 0 else None for label in labels[chosen].tolist()),
        classes=tuple(map(str, classes)),
        method=f"{method} of {len(chosen):,} of {len(labels):,} images' features at norm 1",
    )


def principal_components(features: Array, count: int) -> Array:
    """Coordinates along the first principal components.

    Args:
        features: float64 [N, D].
        count: Int; of fewer the rest is 0.

    Returns:
        float64 [N, count]; the largest entry of each column is positive.
    """
    centered = features - features.mean(axis=0)
    left, singular, _ = np.linalg.svd(centered, full_matrices=False)
    components = (left * singular)[:, :count]
    if components.size:
        largest = np.abs(components).argmax(axis=0)
        signs = np.sign(components[largest, np.arange(components.shape[1])])
        components = components * np.where(signs < 0, -1.0, 1.0)
    return np.pad(components, ((0, 0), (0, count - components.shape[1])))


def _coordinates(features: Array, seed: int) -> tuple[Array, str]:
    """float [N, 2] and how they came about."""
    images, dimension = features.shape
    directions = min(_DIRECTIONS, dimension, images)
    reduced = principal_components(features, max(directions, 2))
    if images < _LEAST or np.abs(reduced).max() < 1e-6:
        return reduced[:, :2], "the first two principal components"
    perplexity = min(_PERPLEXITY, (images - 1) / 3)
    points = _import_manifold().TSNE(
        2,
        perplexity=perplexity,
        # Begins at the first two components, not at random.
        init=reduced[:, :2] / max(reduced[:, 0].std(), 1e-12) * 1e-4,
        learning_rate="auto",
        random_state=seed,
    )
    method = f"t-SNE (perplexity {perplexity:.3g}) of {directions} principal components"
    return points.fit_transform(reduced), method


def _import_manifold() -> Any:
    try:
        from sklearn import manifold
    except ImportError as error:
        raise InputError(
            f"the map of embeddings needs scikit-learn, which cannot be imported ({error}): "
            "pip install scikit-learn"
        ) from error
    return manifold
