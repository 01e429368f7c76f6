"""Hashes of contents: of an image, with the split that it decides, and of a file."""

import hashlib

import numpy as np

from tf_scl.typing import Array

_BLOCK = 2**20


def content_sha256(data: bytes | Array) -> str:
    """Hex digest (str) of a file's bytes, or of a numpy array's pixels and their shape."""
    if isinstance(data, np.ndarray):
        data = repr(data.shape).encode() + data.tobytes()
    return hashlib.sha256(data).hexdigest()


def file_sha256(path: str) -> str:
    """Hex digest (str) of a file, local or remote, which may be larger than the memory."""
    import tensorflow as tf  # not for a command line that has no file to look at

    digest = hashlib.sha256()
    with tf.io.gfile.GFile(path, "rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def split_of(sha256: str, eval_fraction: float) -> str:
    """The split of an image, "train" or "eval", from nothing but the hash of its content.

    The same image is never in two splits, and new images move no old one.
    """
    return "eval" if int(sha256[:16], 16) < eval_fraction * 2**64 else "train"
