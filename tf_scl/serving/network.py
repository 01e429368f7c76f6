"""The network that is served: of a model the encoder, with or without its projector."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

from tf_scl import validation
from tf_scl.errors import InputError
from tf_scl.serving.folding import Fold, find_folds
from tf_scl.serving.tracing import outputs_with
from tf_scl.typing import Images

FLOAT32, BFLOAT16 = "float32", "bfloat16"


def inference_model(model: keras.Model, projector: bool = False) -> keras.Model:
    """From images to what is served, as one Keras model.

    Its `.save("encoder.keras")` is the export for Keras.

    Args:
        model: Functional or Sequential `keras.Model` with input [N, S, S, C],
            S and C known; or a model of tf_scl (`SpectralContrastive`,
            `Classifier`, ...) around such an encoder.
        projector: Whether features go on through the model's projector, to
            the embeddings that the loss sees. Linear probes and searches want
            the features.

    Returns:
        `keras.Model` with input float32 [N, S, S, C], values 0..255, and
        output [N, D]. It shares its weights with `model`.

    Raises:
        InputError: An encoder whose input has no fixed square size, whose
            output is not one tensor [N, D], or that has no projector.
    """
    two_views = hasattr(model, "encoder") and hasattr(model, "projector")
    classifier = hasattr(model, "encoder") and hasattr(model, "served_head")
    if projector and not two_views:
        raise InputError(
            f"`projector=True` needs a model with a projector. Received: {type(model).__name__}; "
            "give the whole model (tf_scl.SpectralContrastive, ...), not its encoder"
        )
    encoder = model.encoder if two_views or classifier else model
    shape = _checked_input(encoder)
    _check_output(encoder)
    if not projector:
        return encoder
    images = keras.Input(shape[1:])
    outputs = model.projector(encoder(images))
    network = keras.Model(images, outputs, name=f"{encoder.name}_projected")
    _check_output(network)
    return network


def _checked_input(encoder: keras.Model) -> tuple[int | None, int, int, int]:
    shape: Any = getattr(encoder, "input_shape", None)
    images = isinstance(shape, tuple) and len(shape) == 4 and None not in shape[1:]
    if images and shape[1] == shape[2]:
        return shape
    received = f"Received: {type(encoder).__name__} with input {shape}"
    if images and shape[2] == shape[3] and shape[1] in (1, 3):
        channels, size, _ = shape[1:]
        raise InputError(
            "to be exported an encoder must take images with their channels last, [N, S, S, C]. "
            f"{received}; wrap it: keras.Sequential([keras.Input(({size}, {size}, {channels})), "
            "keras.layers.Permute((3, 1, 2)), encoder])"
        )
    raise InputError(
        "to be exported an encoder must be a functional or Sequential model with an input "
        f"of fixed square size [N, S, S, C]. {received}; "
        "wrap it: keras.Sequential([keras.Input((S, S, C)), encoder])"
    )


def _check_output(encoder: keras.Model) -> None:
    """Raises InputError unless the output is one tensor [N, D] of known D."""
    made = encoder.compute_output_spec(keras.KerasTensor(encoder.input_shape))
    shape = keras.tree.map_structure(lambda tensor: str(tensor.shape), made)
    if not isinstance(made, keras.KerasTensor):
        key = next(iter(made)) if isinstance(made, dict) else 0
        remedy = f"take one of them: keras.Model(encoder.input, encoder.output[{key!r}])"
    elif len(made.shape) in (3, 4):
        remedy = f"add keras.layers.GlobalAveragePooling{len(made.shape) - 2}D() at its end"
    elif len(made.shape) != 2 or made.shape[1] is None:
        remedy = "add keras.layers.Reshape((D,)) at its end"
    else:
        return
    raise InputError(
        "to be exported an encoder must give one tensor of features [N, D], D known. "
        f"Received: {type(encoder).__name__} with output {shape}; {remedy}"
    )


class ExportedWeights:
    """Copies of a network's weights, as a SavedModel holds them.

    Batch normalizations are folded into the layers before them where that can
    be done (`tf_scl.serving.folding`): of both, a kernel and an offset remain.

    Args:
        network: Built `keras.Model`.
        precision: "float32", all as they are; or "bfloat16", for matrices and
            kernels. Vectors (biases, normalization) stay as they are: they
            are few, and a variance does not bear three digits well.
        folds: List of `Fold`; None for all that can be done.

    Attributes:
        module: `tf.Module` with the copies, to be saved.
        precision: As given.
    """

    def __init__(
        self, network: keras.Model, precision: str, folds: Sequence[Fold] | None = None
    ) -> None:
        validation.one_of("weights", precision, (FLOAT32, BFLOAT16))
        self._network, self.precision = network, precision
        self._folds = find_folds(network) if folds is None else folds
        self._dtypes = {id(weight): weight.dtype for weight in network.variables}
        values = {id(weight): weight.value for weight in network.variables}
        for fold in self._folds:
            for weight in fold.normalization.variables:
                del values[id(weight)]
            values[id(fold.linear.kernel)] = fold.kernel
            values[id(fold.linear.bias if fold.linear.use_bias else fold)] = fold.offset
        self._copies = {key: _store(value, precision) for key, value in values.items()}
        self.module = tf.Module()
        self.module.weights = list(self._copies.values())

    def bind(self) -> Callable[[tf.Tensor], tf.Tensor]:
        """Function from images float32 [n, S, S, C] to outputs float32 [n, D].

        Weights get the dtype that the network computes with here, once, and
        not at each call of it.
        """
        network = self._network
        weights = {
            key: tf.cast(copy.read_value(), self._dtypes.get(key, FLOAT32))
            for key, copy in self._copies.items()
        }
        instead = {
            (fold.normalization, "call"): _adding(weights.get(id(fold))) for fold in self._folds
        }

        def call(images: tf.Tensor) -> tf.Tensor:
            return tf.cast(outputs_with(network, weights, images, instead), tf.float32)

        return call


def _adding(offset: tf.Tensor | None) -> Callable[..., tf.Tensor]:
    """In place of a normalization; with None where the layer before it has a bias."""
    return lambda x, **_: x if offset is None else tf.nn.bias_add(x, offset)


def _store(value: Images, precision: str) -> tf.Variable:
    value = tf.convert_to_tensor(value)
    if precision == BFLOAT16 and value.dtype.is_floating and value.shape.rank > 1:
        value = tf.cast(value, tf.bfloat16)
    return tf.Variable(value, trainable=False)
