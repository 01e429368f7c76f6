"""The network that is served: of a model the encoder, with or without its projector."""

import keras
import tensorflow as tf

from tf_scl.errors import InputError
from tf_scl.serving.folding import calls_replaced, find_folds

FLOAT32, BFLOAT16 = "float32", "bfloat16"


def served_network(model, projector=False):
    """From images to what is served, as one Keras model.

    Its `.save("encoder.keras")` is the export for Keras.

    Args:
        model: Functional or Sequential `keras.Model` with input [N, S, S, C],
            S and C known; or a model of tf_scl (`SpectralContrastive`, ...)
            around such an encoder.
        projector: Whether features go on through the model's projector, to
            the embeddings that the loss sees. Linear probes and searches want
            the features.

    Returns:
        `keras.Model` with input float32 [N, S, S, C], values 0..255, and
        output [N, D]. It shares its weights with `model`.

    Raises:
        InputError: An encoder whose input has no fixed square size, or that
            has no projector.
    """
    two_views = hasattr(model, "encoder") and hasattr(model, "projector")
    if projector and not two_views:
        raise InputError(
            f"`projector=True` needs a model with a projector. Received: {type(model).__name__}; "
            "give the whole model (tf_scl.SpectralContrastive, ...), not its encoder"
        )
    encoder = model.encoder if two_views else model
    shape = getattr(encoder, "input_shape", None)
    if shape is None or len(shape) != 4 or None in shape[1:] or shape[1] != shape[2]:
        raise InputError(
            "to be exported an encoder must be a functional or Sequential model with an input "
            f"of fixed square size [N, S, S, C]. Received: {type(encoder).__name__} with "
            f"input {shape}; wrap it: keras.Sequential([keras.Input((S, S, C)), encoder])"
        )
    if not projector:
        return encoder
    images = keras.Input(shape[1:])
    return keras.Model(images, model.projector(encoder(images)), name=f"{encoder.name}_projected")


class StoredWeights:
    """Copies of a network's weights, as a SavedModel holds them.

    Batch normalisations are folded into the layers before them where that can
    be done (`tf_scl.serving.folding`): of both, a kernel and an offset remain.

    Args:
        network: Built `keras.Model`.
        precision: "float32", all as they are; or "bfloat16", for matrices and
            kernels. Vectors (biases, normalisation) stay as they are: they
            are few, and a variance does not bear three digits well.

    Attributes:
        module: `tf.Module` with the copies, to be saved.
    """

    def __init__(self, network, precision):
        if precision not in (FLOAT32, BFLOAT16):
            raise InputError(
                f"`weights` must be {FLOAT32!r} or {BFLOAT16!r}. Received: weights={precision!r}"
            )
        self._network, self._folds = network, find_folds(network)
        values = {id(weight): weight.value for weight in network.variables}
        for fold in self._folds:
            for weight in fold.normalization.variables:
                del values[id(weight)]
            values[id(fold.linear.kernel)] = fold.kernel
            values[id(fold.linear.bias if fold.linear.use_bias else fold)] = fold.offset
        self._copies = {key: _store(value, precision) for key, value in values.items()}
        self.module = tf.Module()
        self.module.weights = list(self._copies.values())

    def bind(self):
        """Function from images float32 [n, S, S, C] to outputs float32 [n, D].

        Weights become float32 here, once, and not at each call of it.
        """
        network = self._network
        weights = {key: _read(copy) for key, copy in self._copies.items()}
        trainable, state = (
            [weights.get(id(variable), variable.value) for variable in variables]
            for variables in (network.trainable_variables, network.non_trainable_variables)
        )
        instead = {fold.normalization: _adding(weights.get(id(fold))) for fold in self._folds}

        def call(images):
            with calls_replaced(instead):
                outputs, _ = network.stateless_call(trainable, state, images, training=False)
            return tf.cast(outputs, tf.float32)

        return call


def _adding(offset):
    """In place of a normalisation; with None where the layer before it has a bias."""
    return lambda x, **_: x if offset is None else tf.nn.bias_add(x, offset)


def _store(value, precision):
    value = tf.convert_to_tensor(value)
    if precision == BFLOAT16 and value.dtype.is_floating and value.shape.rank > 1:
        value = tf.cast(value, tf.bfloat16)
    return tf.Variable(value, trainable=False)


def _read(stored):
    return tf.cast(stored, tf.float32) if stored.dtype == tf.bfloat16 else stored.read_value()
