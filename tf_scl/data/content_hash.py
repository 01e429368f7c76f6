"""The hash of an image's content, and the split that it decides."""

import hashlib

import numpy as np


def content_sha256(data):
    """Hex digest (str) of a file's bytes, or of a numpy array's pixels and their shape."""
    if isinstance(data, np.ndarray):
        data = repr(data.shape).encode() + data.tobytes()
    return hashlib.sha256(data).hexdigest()


def split_of(sha256, eval_fraction):
    """The split of an image, "train" or "eval", from nothing but the hash of its content.

    The same image is never in two splits, and new images move no old one.
    """
    return "eval" if int(sha256[:16], 16) < eval_fraction * 2**64 else "train"
