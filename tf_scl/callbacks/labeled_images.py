"""Labeled images that an encoder is evaluated on while it learns without labels."""

from collections.abc import Callable

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from tf_scl.errors import InputError
from tf_scl.evaluation.labels import check_label_pair, number_classes
from tf_scl.typing import Array, ArrayLike


class LabeledImages:
    """Training and test images with labels, and their features.

    Features come from `model(images, training=False)`, computed outside of any
    gradient tape and handed over as numpy arrays, so nothing that is learned
    from labels can reach the encoder. `classes` are the labels that `train_labels`
    hold, and `targets` [N] says which of them each train image has.

    Args:
        owner: Name for messages.
        train_images, test_images: Arrays [N, H, W, C] and [M, H, W, C], as the
            model takes them.
        train_labels, test_labels: [N] or [N, 1], and [M] or [M, 1]: whole numbers or text.
        batch_size: Int, images that are encoded at a time.

    Raises:
        InputError: Arrays that do not match, no test images, test images of
            another size, labels that name no class, or fewer than two classes.
    """

    def __init__(
        self,
        owner: str,
        train_images: Array,
        train_labels: ArrayLike,
        test_images: Array,
        test_labels: ArrayLike,
        batch_size: int = 256,
    ) -> None:
        self.train_images, self.test_images = train_images, test_images
        self.train_labels, self.test_labels = check_label_pair(train_labels, test_labels)
        self.batch_size = batch_size
        self._model: keras.Model | None = None
        self._encode: Callable[[Array], tf.Tensor] | None = None
        for name, images, labels in (
            ("train", train_images, self.train_labels),
            ("test", test_images, self.test_labels),
        ):
            if len(images) != len(labels) or not len(labels):
                raise InputError(
                    f"{owner} needs at least one {name} image [N, H, W, C] and as many labels "
                    f"[N]. Received: {len(images)} images, {len(labels)} labels"
                )
        if train_images.shape[1:] != test_images.shape[1:]:
            raise InputError(
                f"{owner} needs train and test images of one size. Received: "
                f"{tuple(train_images.shape[1:])} and {tuple(test_images.shape[1:])}"
            )
        self.classes, self.targets = number_classes(owner, self.train_labels)

    def features(self, model: keras.Model, images: Array) -> npt.NDArray[np.float32]:
        """float32 [N, D], of images [N, H, W, C]; nothing in the model changes."""
        if self._encode is None or model is not self._model:
            self._model, self._encode = model, self._encoder(model)
        batches = range(0, len(images), self.batch_size)
        parts = [self._encode(images[start : start + self.batch_size]) for start in batches]
        return np.concatenate([part.numpy() for part in parts])

    def _encoder(self, model: keras.Model) -> Callable[[Array], tf.Tensor]:
        first = np.asarray(self.train_images[:1])
        spec = tf.TensorSpec([None, *first.shape[1:]], first.dtype)

        @tf.function(input_signature=[spec])
        def encode(images: tf.Tensor) -> tf.Tensor:
            features = keras.ops.cast(model(images, training=False), "float32")
            return tf.reshape(features, [tf.shape(features)[0], -1])

        return lambda images: encode(np.asarray(images, first.dtype))
