"""A Keras model from images to the probabilities of classes, on top of an encoder."""

import functools
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tf_scl import validation
from tf_scl.classification.temperature import fit_temperature
from tf_scl.classification.trained_part import HEAD, LAST, PARTS, leaves, part_of
from tf_scl.errors import InputError
from tf_scl.evaluation.features import check_features
from tf_scl.evaluation.labels import alike_weights, check_labels
from tf_scl.evaluation.linear_probe import LinearHead, fit_linear_head
from tf_scl.images.decode import fit_to_square
from tf_scl.models import checks
from tf_scl.optimizers.part_rate import multiply_rate
from tf_scl.serving.class_head import ClassHead
from tf_scl.typing import Array, Images

_TINY = float(np.finfo(np.float32).tiny)


@keras.saving.register_keras_serializable(package="tf_scl")
class CrossEntropy(keras.losses.Loss):
    """Cross-entropy of probabilities, without the floor of 1e-7 that Keras puts under them.

    At that floor the gradient of an image that is confidently taken for another class is zero.
    """

    def call(self, y_true: tf.Tensor, y_pred: tf.Tensor) -> tf.Tensor:
        """float [N] of labels, int [N], and probabilities [N, C]."""
        # The softmax of logarithms of probabilities are the probabilities.
        logits = keras.ops.log(keras.ops.maximum(y_pred, _TINY))
        return keras.ops.sparse_categorical_crossentropy(y_true, logits, from_logits=True)


@keras.saving.register_keras_serializable(package="tf_scl")
class Classifier(keras.Model):
    """An encoder, a linear head and a softmax: images [N, H, W, C] to probabilities [N, classes].

    There are two ways to train it. `fit_head` solves the head for the frozen encoder's features,
    which takes seconds, and sets the temperature. `compile` and `fit` train by gradients what
    `tuned` names, from wherever the head is; call `calibrate` with images that were left out
    then. `tf_scl.fit_classifier` does all of it from a few labeled images.

    The encoder computes as at inference in `fit` too: a few labeled images are too few for the
    statistics of a batch normalization, which keep the values from pretraining. The encoder is
    the one that is given, no copy: what `fit` trains of it changes, and so does what of it is
    trainable.

    Args:
        encoder: `keras.Model` from images [N, S, S, C], values 0..255, to features [N, D]; or a
            model of tf_scl around one.
        classes: List of the names of the classes, at least two different ones. The index in it
            is the label.
        tuned: What `fit` trains: "head"; "last", also the layers after the last change of
            resolution in the encoder; or "all".
        backbone_rate: Float > 0, multiplies the learning rate of the encoder's weights.

    Attributes:
        head: `keras.layers.Dense`, from features to logits.
        temperature: Float, by which logits are divided (Guo et al., ICML 2017, section 4.2).

    Raises:
        InputError: An argument that is not as above; "last" of an encoder without a change of
            resolution; or, from `fit`, labels of classes that there are not.
    """

    def __init__(
        self,
        encoder: keras.Model,
        classes: Sequence[str],
        tuned: str = HEAD,
        backbone_rate: float = 0.1,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.encoder = getattr(encoder, "encoder", encoder)
        checks.check_encoder(self.encoder, augmented=False)
        self.classes = _check_classes(classes)
        self.tuned = validation.one_of("tuned", tuned, PARTS)
        self.backbone_rate = validation.positive("backbone_rate", backbone_rate)
        self.head = keras.layers.Dense(len(self.classes), dtype="float32", name="head")
        self._temperature = self.add_weight(
            shape=(), initializer="ones", trainable=False, dtype="float32", name="temperature"
        )
        self._freeze()
        if checks.input_shape(self.encoder) is not None:
            self.build(self.encoder.input_shape)

    @property
    def temperature(self) -> float:
        """By what logits are divided."""
        return float(keras.ops.convert_to_numpy(self._temperature))

    def build(self, input_shape: Any) -> None:
        """Makes the weights of the head."""
        features = self.encoder.compute_output_spec(keras.KerasTensor(input_shape))
        self.head.build(checks.check_features(features).shape)
        self.built = True

    def call(self, images: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Probabilities float32 [N, classes] of images, fitted to the encoder's size."""
        return keras.ops.softmax(self.head(self.features(images)) / self._temperature)

    def features(self, images: tf.Tensor) -> tf.Tensor:
        """The encoder's features, float32 [N, D]."""
        size = checks.fixed_size(self.encoder)
        if size is not None and tuple(images.shape[1:3]) != (size, size):
            images = fit_to_square(images, size)
        features = checks.check_features(self.encoder(images, training=False))
        return keras.ops.cast(features, "float32")

    def compile(
        self,
        optimizer: str | keras.optimizers.Optimizer = "adam",
        loss: Any = None,
        *args: Any,
        metrics: Any = ("accuracy",),
        **options: Any,
    ) -> None:
        """As `keras.Model.compile`; by default with the cross-entropy and the accuracy."""
        loss = CrossEntropy() if loss is None else loss
        super().compile(optimizer, loss, *args, metrics=list(metrics or []), **options)
        if self.tuned != HEAD and self.backbone_rate != 1:
            inner = getattr(self.optimizer, "inner_optimizer", self.optimizer)
            multiply_rate(inner, lambda: self.encoder.trainable_variables, self.backbone_rate)

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Compiles a model that is loaded."""
        self.compile(**keras.saving.deserialize_keras_object(config))
        if self.built:
            self.optimizer.build(self.trainable_variables)

    def fit(self, x: Any = None, y: Any = None, **options: Any) -> keras.callbacks.History:
        """As `keras.Model.fit`; labels beside images may be names of classes too."""
        if y is not None:
            y = self.targets(y)
        validation_data = options.get("validation_data")
        if isinstance(validation_data, (tuple, list)):
            images, labels, *weights = validation_data
            options["validation_data"] = (images, self.targets(labels), *weights)
        return super().fit(x, y, **options)

    def targets(self, labels: Any) -> Array:
        """The number of the class of each label, int64 [N].

        Args:
            labels: [N] or [N, 1], names of classes, or their numbers.

        Raises:
            InputError: A label of another class.
        """
        labels = require_labels(check_labels("labels", labels))
        numbers = {name: number for number, name in enumerate(self.classes)}
        known = list(numbers) if labels.dtype.kind == "U" else list(numbers.values())
        strangers = sorted(set(labels.tolist()) - set(known))
        if strangers:
            raise InputError(
                f"the classifier has no class {strangers[0]!r}; its classes are "
                f"{', '.join(map(repr, known))}"
            )
        if labels.dtype.kind == "U":
            return np.array([numbers[label] for label in labels.tolist()], np.int64)
        return labels

    def fit_head(
        self, images: Images, labels: Any, balanced: bool = False, seed: int = 0
    ) -> LinearHead:
        """Solves the head for the features of labeled images, and sets the temperature.

        The L2 strength is chosen by cross-validation, as in `tf_scl.linear_probe`; the
        temperature is that of the logits of the images that each fold left out, if it had
        others of their class; 1 where there are none.

        Args:
            images: [N, H, W, C], uint8 or float, values 0..255.
            labels: [N] or [N, 1], names of classes or their numbers; of each class one at least.
            balanced: Whether all classes count alike, however many images each has. The
                probabilities are then those of images of which each class has as many.
            seed: Int, seed of the folds.

        Returns:
            `tf_scl.evaluation.linear_probe.LinearHead`.

        Raises:
            InputError: Labels as in `targets`, or classes without an image; features that are
                not finite.
        """
        targets = self.targets(labels)
        missing = sorted(set(range(len(self.classes))) - set(targets.tolist()))
        if missing:
            raise InputError(
                f"no image of the class {self.classes[missing[0]]!r} is labeled; label one, or "
                "leave the class out of `classes`"
            )
        require_as_many(images, targets)
        features = check_features("labeled", self.embed(images), targets)
        head = fit_linear_head(features, targets, len(self.classes), seed, balanced)
        self.head.set_weights([head.kernel, head.bias])
        known = np.isfinite(head.held_out).all(axis=1)
        self.set_temperature(1.0)
        if known.any():
            self._fit_temperature(head.held_out[known], targets[known], balanced)
        return head

    def calibrate(self, images: Images, labels: Any, balanced: bool = False) -> float:
        """Sets the temperature by images that the classifier was not trained on.

        Args:
            images, labels, balanced: As of `fit_head`; classes may be missing.

        Returns:
            The temperature, float.
        """
        targets = self.targets(labels)
        require_as_many(images, targets)
        logits = self.embed(images) @ self.head.get_weights()[0] + self.head.get_weights()[1]
        self._fit_temperature(logits, targets, balanced)
        return self.temperature

    def _fit_temperature(self, logits: Array, targets: Array, balanced: bool) -> None:
        weights = alike_weights(targets, len(self.classes)) if balanced else None
        self.set_temperature(fit_temperature(logits, targets, weights))

    def set_temperature(self, temperature: float) -> None:
        """Sets by what logits are divided, a number > 0."""
        self._temperature.assign(validation.positive("temperature", temperature))

    def take_in_temperature(self) -> None:
        """Divides the head's weights by the temperature, which becomes 1; outputs stay."""
        self.head.set_weights([value / self.temperature for value in self.head.get_weights()])
        self.set_temperature(1.0)

    def embed(self, images: Images, batch: int = 256) -> Array:
        """Features float32 [N, D] of images, in batches."""
        starts = range(0, len(images), batch)
        return np.concatenate([self._embed(images[at : at + batch]).numpy() for at in starts])

    @functools.cached_property
    def _embed(self) -> Any:
        return tf.function(self.features, reduce_retracing=True)

    def served_head(self) -> ClassHead:
        """What `tf_scl.export_saved_model` puts on top of the encoder."""
        kernel, bias = (value / self.temperature for value in self.head.get_weights())
        return ClassHead(kernel, bias, self.classes)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "encoder": keras.saving.serialize_keras_object(self.encoder),
            "classes": list(self.classes),
            "tuned": self.tuned,
            "backbone_rate": self.backbone_rate,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Classifier":
        encoder = keras.saving.deserialize_keras_object(config.pop("encoder"))
        return cls(encoder, **config)

    def _freeze(self) -> None:
        """Leaves trainable what `tuned` names, but no statistics."""
        self.encoder.trainable = self.tuned != HEAD
        if self.tuned == LAST:
            part = {id(layer) for layer in part_of(self.encoder)}
            for layer in leaves(self.encoder):
                layer.trainable = id(layer) in part


def require_labels(labels: Array) -> Array:
    """The labels as they are; raises InputError where some are those of no label."""
    if labels.dtype.kind != "U" and (labels < 0).any():
        raise InputError(
            "labels must not be negative, as those of images without a label are; leave these "
            f"images out. Received: {int(labels.min())}"
        )
    return labels


def require_as_many(images: Images, targets: Array) -> None:
    """Raises InputError unless there is one label for each image, and one image at least."""
    if len(images) != len(targets) or not len(targets):
        raise InputError(
            "each image needs one label, and one image at least is needed. Received: "
            f"{len(images)} images, {len(targets)} labels"
        )


def _check_classes(classes: Any) -> tuple[str, ...]:
    names = list(classes) if isinstance(classes, (list, tuple, np.ndarray)) else []
    if not names or not all(isinstance(name, str) and name for name in names):
        raise InputError(
            f"`classes` must be a list of names, such as ['cat', 'dog']. Received: {classes!r}"
        )
    if len(set(names)) != len(names) or len(names) < 2:
        raise InputError(
            f"`classes` must hold at least two names, none of them twice. Received: {names}"
        )
    return tuple(str(name) for name in names)
