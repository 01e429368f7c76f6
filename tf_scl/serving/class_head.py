"""What a served classifier answers besides the embedding, in TensorFlow operations alone."""

import dataclasses
from collections.abc import Callable

import numpy as np
import tensorflow as tf
from numpy.typing import ArrayLike
from scipy.special import softmax

from tf_scl.data import features
from tf_scl.errors import InputError
from tf_scl.typing import Array

LABEL, SCORE = "label", "score"
# What TF Serving's Classify API asks for (`tf.compat.v1.saved_model.signature_constants`).
CLASSIFY_METHOD = "tensorflow/serving/classify"
_TOLERANCE = 1e-3  # of a score, in float32
CLASSIFY_INPUTS, CLASSIFY_CLASSES, CLASSIFY_SCORES = "inputs", "classes", "scores"


@dataclasses.dataclass(frozen=True)
class ClassHead:
    """A linear head: probabilities are softmax(embedding @ kernel + bias).

    Attributes:
        kernel: float32 [D, C].
        bias: float32 [C].
        classes: Tuple of C str.
    """

    kernel: Array
    bias: Array
    classes: tuple[str, ...]

    def refuse_others(self, embedding: ArrayLike, scores: ArrayLike) -> None:
        """Raises InputError unless scores are those of embeddings, by numpy."""
        logits = np.asarray(embedding, np.float64) @ self.kernel + self.bias
        error = np.abs(softmax(logits, axis=1) - np.asarray(scores)).max(initial=0.0)
        if not error <= _TOLERANCE:
            raise InputError(
                f"the classifier cannot be exported: its scores are off by {error:.2g} (allowed: "
                f"{_TOLERANCE:g})"
            )

    def stored(self, module: tf.Module) -> Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]:
        """Function from embeddings [N, D] to (classes, scores).

        Args:
            module: Gets the variables, which are saved with it.

        Returns:
            Function, whose classes are a string [C] and scores a float32 [N, C].
        """
        module.head = [tf.Variable(value, trainable=False) for value in (self.kernel, self.bias)]

        def scores(embedding: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            kernel, bias = module.head
            return tf.constant(self.classes), tf.nn.softmax(embedding @ kernel + bias)

        return scores


def label_and_score(
    classes: tf.Tensor, scores: tf.Tensor, abstain_below: float
) -> dict[str, tf.Tensor]:
    """The outputs "label", string [N], and "score", float32 [N, C].

    Args:
        classes: String [C].
        scores: float32 [N, C].
        abstain_below: Float, the label is "" where no score reaches it.
    """
    labels = tf.gather(classes, tf.argmax(scores, axis=1))
    sure = tf.reduce_max(scores, axis=1) >= abstain_below
    return {LABEL: tf.where(sure, labels, ""), SCORE: scores}


def classification(classes: tf.Tensor, scores: tf.Tensor) -> dict[str, tf.Tensor]:
    """The outputs of TF Serving's Classify API, best class first: strings and floats [N, C]."""
    ordered, places = tf.math.top_k(scores, tf.size(classes))
    return {CLASSIFY_CLASSES: tf.gather(classes, places), CLASSIFY_SCORES: ordered}


def images_of_examples(serialized: tf.Tensor) -> tf.Tensor:
    """Encoded images, string [N], of `tf.train.Example`s; "" where an example has none."""
    spec = {features.ENCODED: tf.io.FixedLenFeature([], tf.string, "")}
    return tf.io.parse_example(serialized, spec)[features.ENCODED]
