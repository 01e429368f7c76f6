"""Vectors of norm 1, whose inner products are cosines."""

import numpy as np

from tf_scl.typing import Array


def unit_rows(features: Array) -> Array:
    """Rows of norm 1, float [N, D]; rows of zeros stay as they are."""
    norms = np.linalg.norm(features, axis=1, keepdims=True)
    return features / np.maximum(norms, 1e-12)
