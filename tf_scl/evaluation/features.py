"""What every measure asks of the features that it is given."""

import numpy as np

from tf_scl.errors import InputError


def check_features(name, features, labels=None):
    """Features as float64 [N, D].

    Args:
        name: What they are called in a message, such as "train".
        features: Array-like [N, D], N >= 1.
        labels: Array-like [N], or None.

    Raises:
        InputError: Another shape, values that are not finite, or another
            number of labels.
    """
    features = np.asarray(features, np.float64)
    count = len(features) if labels is None else len(labels)
    if features.ndim != 2 or not len(features) or len(features) != count:
        raise InputError(
            f"{name} features must be [N, D] with N >= 1, and labels as many. "
            f"Received: features {features.shape}, {count} labels"
        )
    if not np.isfinite(features).all():
        raise InputError(
            f"{np.count_nonzero(~np.isfinite(features))} of the {features.size} {name} "
            "features are NaN or infinite; the encoder has diverged, train it with a "
            "smaller learning rate"
        )
    return features


def unit_rows(features):
    """Rows of norm 1, float [N, D]; rows of zeros stay as they are."""
    norms = np.linalg.norm(features, axis=1, keepdims=True)
    return features / np.maximum(norms, 1e-12)
