"""Does the encoder still tell images apart?"""

import numpy as np
from numpy.typing import ArrayLike

from tf_scl.evaluation.features import check_features


def effective_rank(features: ArrayLike) -> float:
    """Effective rank of centered features (Roy and Vetterli, EUSIPCO 2007).

    exp of the entropy of the normalized singular values: about how many
    directions the features really use.

    Args:
        features: Float array [N, D].

    Returns:
        Float between 1 and min(N, D); 0.0 where all rows are equal (to
        float32 rounding).

    Raises:
        InputError: No rows, or values that are not finite.
    """
    features = check_features("the encoder's", features)
    centered = features - features.mean(axis=0)
    scale = np.abs(features).max(initial=0.0)
    if np.abs(centered).max(initial=0.0) <= 1e-6 * scale:
        return 0.0
    # Squared singular values, by whichever Gram matrix is smaller.
    gram = centered.T @ centered if len(centered) >= centered.shape[1] else centered @ centered.T
    squared = np.linalg.eigvalsh(gram)
    singular = np.sqrt(squared[squared > 1e-12 * squared[-1]])
    share = singular / singular.sum()
    return float(np.exp(-np.sum(share * np.log(share))))
