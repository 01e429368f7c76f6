"""Codes of embeddings: a byte or a bit for each number, for collections that must be small."""

import dataclasses

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tf_scl import validation
from tf_scl.typing import Array

NONE, INT8, BINARY = "none", "int8", "binary"
KINDS = (NONE, INT8, BINARY)
CODE = "code"
_LARGEST = 127
_WITHIN = 0.999  # share of the numbers that are not clipped
_BITS = 8


@dataclasses.dataclass(frozen=True)
class Quantizer:
    """How embeddings become codes.

    int8: a number x becomes round(x / level), clipped to -127..127, with one level for all
    dimensions, so that cosines of codes are those of embeddings but for rounding. binary: the
    number of dimension k becomes a bit, whether it is above levels[k]; eight of them are a byte,
    the first one its highest bit, and zeros fill the last byte. NaN becomes 0.

    Attributes:
        kind: "int8" or "binary".
        levels: float32, [1] or [D].
        dimension: Int D.
    """

    kind: str
    levels: npt.NDArray[np.float32]
    dimension: int

    def encode(self, embeddings: tf.Tensor) -> tf.Tensor:
        """Codes of embeddings, by TensorFlow operations alone.

        Args:
            embeddings: float32 [N, D].

        Returns:
            int8 [N, D], or uint8 [N, D / 8] rounded up.
        """
        if self.kind == INT8:
            rounded = tf.round(embeddings / self.levels)
            return tf.cast(tf.clip_by_value(rounded, -_LARGEST, _LARGEST), tf.int8)
        bits = tf.cast(embeddings > self.levels, tf.int32)
        missing = -self.dimension % _BITS
        bits = tf.pad(bits, [[0, 0], [0, missing]])
        parts = tf.reshape(bits, [-1, (self.dimension + missing) // _BITS, _BITS])
        places = tf.constant([1 << place for place in reversed(range(_BITS))])
        return tf.cast(tf.reduce_sum(parts * places, axis=2), tf.uint8)

    def decode(self, codes: Array) -> npt.NDArray[np.float32]:
        """What codes stand for: float32 [N, D], near the embeddings; of bits -1 and 1."""
        if self.kind == INT8:
            return codes * self.levels
        bits = np.unpackbits(codes, axis=1, count=self.dimension)
        return 2 * bits.astype(np.float32) - 1


def calibrated(kind: str, embeddings: Array) -> Quantizer:
    """The quantizer that suits embeddings such as these.

    int8: 99.9 % of the numbers are within its range. binary: each level is the median of its
    dimension, so that half of the numbers are above it, unless many are equal to it.

    Args:
        kind: "int8" or "binary".
        embeddings: Float array [N, D], finite, N >= 1.
    """
    validation.one_of("quantize", kind, (INT8, BINARY))
    dimension = embeddings.shape[1]
    if kind == BINARY:
        return Quantizer(kind, np.median(embeddings, axis=0).astype(np.float32), dimension)
    sizes = np.abs(embeddings)
    largest = np.quantile(sizes, _WITHIN) or sizes.max() or 1.0
    return Quantizer(kind, np.array([largest / _LARGEST], np.float32), dimension)
