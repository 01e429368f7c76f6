"""Does an encoder know two views of an image for the same image? It takes no labels to ask."""

import numpy as np

from tf_scl.typing import Array
from tf_scl.unit_rows import unit_rows

_CHUNK = 1024  # rows at a time: memory is _CHUNK x N, whatever the number of views


def match_views(views: Array) -> Array:
    """How often a view of each image is nearest to another view of the same image.

    For a view of an image, the nearest by cosine among another view of every
    image is looked for: the contrastive accuracy of SimCLR's code (Chen et
    al. 2020, arXiv 2002.05709), but over all N images and not over a batch. A tie
    with another image counts as wrong, so a constant encoder matches nothing.

    Args:
        views: Float array [N, V, D], V >= 2 views of each of N >= 2 images.

    Returns:
        float64 [N], shares 0..1 over the V (V - 1) ordered pairs of views.
    """
    images, count, dimension = views.shape
    unit = unit_rows(np.asarray(views, np.float32).reshape(-1, dimension))
    unit = unit.reshape(images, count, dimension)
    right = np.zeros(images)
    for one in range(count):
        for other in range(one):
            for a, b in ((one, other), (other, one)):
                right += _nearest_is_own(unit[:, a], unit[:, b])
    return right / (count * (count - 1))


def _nearest_is_own(queries: Array, keys: Array) -> Array:
    """Bool [N]: whether key i is nearer to query i than every other key."""
    found = []
    for start in range(0, len(queries), _CHUNK):
        cosine = queries[start : start + _CHUNK] @ keys.T
        rows = np.arange(len(cosine))
        own = cosine[rows, start + rows]
        cosine[rows, start + rows] = -np.inf
        found.append(own > cosine.max(axis=1))
    return np.concatenate(found)
