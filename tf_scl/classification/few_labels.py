"""A classifier from an encoder and a few labeled images, in one call."""

import logging
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from tf_scl.augmentation.two_views import TwoViews
from tf_scl.classification.classifier import (
    Classifier,
    CrossEntropy,
    require_as_many,
    require_labels,
)
from tf_scl.classification.trained_part import HEAD
from tf_scl.config import ClassifyConfig
from tf_scl.errors import InputError
from tf_scl.evaluation.labels import check_labels
from tf_scl.models import checks
from tf_scl.typing import Array, Images

_log = logging.getLogger(__name__)


def fit_classifier(
    encoder: keras.Model,
    images: Images,
    labels: Any,
    config: ClassifyConfig | None = None,
    classes: Sequence[str] | None = None,
) -> Classifier:
    """Trains a classifier from labeled images.

    The head is solved for the features of the frozen encoder. Unless `config.tuned` is "head",
    a part of each class's images is left out then, and head and encoder are trained by Adam on
    random crops of the others, from there on, until the loss of what was left out has not fallen
    for `config.patience` epochs. The best epoch is kept, and that may be none. The temperature is
    that of images that were not trained on: of those that were left out, or of a cross-validation
    of the head.

    Args:
        encoder: As of `tf_scl.Classifier`. It stays as it is.
        images: [N, H, W, C], uint8 or float, values 0..255.
        labels: [N] or [N, 1], names of classes or, where `classes` are given, their numbers.
        config: `tf_scl.config.ClassifyConfig`.
        classes: List of the names of the classes; by default those of `labels`, sorted.

    Returns:
        `tf_scl.Classifier`.

    Raises:
        InputError: Fewer than two classes, labels of other classes, a class without images;
            or, where more than the head is trained, a class with one image only.
    """
    config = config or ClassifyConfig()
    if classes is None:
        labels = require_labels(check_labels("labels", labels)).astype(str)
        classes = np.unique(labels).tolist()
    images = np.asarray(images)
    encoder = _copy(getattr(encoder, "encoder", encoder))  # neither trained nor frozen
    if config.tuned == HEAD:
        classifier = Classifier(encoder, classes)
        classifier.fit_head(images, labels, config.balanced, config.seed)
        return classifier
    classifier = Classifier(encoder, classes, config.tuned, config.backbone_rate)
    targets = classifier.targets(labels)
    require_as_many(images, targets)
    left_out = _left_out(targets, classifier.classes, config)
    train, valid = np.flatnonzero(~left_out), np.flatnonzero(left_out)
    classifier.fit_head(images[train], targets[train], config.balanced, config.seed)
    _fine_tune(classifier, images, targets, train, valid, config)
    classifier.calibrate(images[valid], targets[valid], config.balanced)
    return classifier


def _copy(encoder: keras.Model) -> keras.Model:
    copy = keras.models.clone_model(encoder)
    copy.set_weights(encoder.get_weights())
    return copy


def _left_out(targets: Array, classes: Sequence[str], config: ClassifyConfig) -> Array:
    """bool [N], which images are the validation part: of each class a share, one at least."""
    rng = np.random.default_rng(config.seed)
    left_out = np.zeros(len(targets), bool)
    for number, name in enumerate(classes):
        members = rng.permutation(np.flatnonzero(targets == number))
        if len(members) < 2:
            raise InputError(
                f"the class {name!r} has {len(members)} labeled image(s); to train more than the "
                "head each class needs two, one of which is left out to stop by. Label more, or "
                "set classify.tuned to head"
            )
        count = max(1, round(config.validation_fraction * len(members)))
        left_out[members[: min(count, len(members) - 1)]] = True
    return left_out


def _fine_tune(
    classifier: Classifier,
    images: Images,
    targets: Array,
    train: Array,
    valid: Array,
    config: ClassifyConfig,
) -> None:
    classifier.take_in_temperature()  # what is trained begins as the calibrated head
    counts = np.bincount(targets[train], minlength=len(classifier.classes))
    weights = np.ones(len(counts), np.float32)
    if config.balanced:
        weights = (len(train) / (len(counts) * counts)).astype(np.float32)
    best = _KeepBest(classifier, images[valid], targets[valid], weights, config.patience)
    size = checks.fixed_size(classifier.encoder) or images.shape[1]
    classifier.compile(keras.optimizers.Adam(config.learning_rate), metrics=None)
    steps = -(-len(train) // config.batch_size)
    data = _crops(images, targets, train, weights, size, config)
    classifier.fit(data, steps_per_epoch=steps, epochs=config.epochs, verbose=0, callbacks=[best])
    _log.info("of %d epochs, number %d is kept", len(best.losses) - 1, best.epoch)


def _crops(
    images: Images,
    targets: Array,
    train: Array,
    weights: Array,
    size: int,
    config: ClassifyConfig,
) -> tf.data.Dataset:
    """Endless batches of (images, targets, weights); what a step draws depends on its number."""
    views = TwoViews(size, config.crop_scale, flip=config.flip, jitter=0.0, grayscale=0.0)

    with tf.device("CPU"):  # tensors, for as constants of a graph they might be too large
        images, targets, weights = map(tf.constant, (images, targets, weights))

    def crop(number: tf.Tensor, rows: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        some, classes = tf.gather(images, rows), tf.gather(targets, rows)
        shape = tf.shape(some)
        seed = tf.stack([config.seed, tf.cast(number, tf.int32)])
        drawn = views.draw(seed, shape[0], shape[1], shape[2])
        crops = tf.ensure_shape(views.apply(some, drawn), [None, size, size, images.shape[-1]])
        return crops, classes, tf.gather(weights, classes)

    rows = tf.data.Dataset.from_tensor_slices(train).shuffle(len(train), seed=config.seed)
    batches = rows.batch(config.batch_size).repeat().enumerate()
    return batches.map(crop, tf.data.AUTOTUNE).prefetch(2)


class _KeepBest(keras.callbacks.Callback):
    """Ends a training that no longer gets better on images left out, and keeps its best weights.

    Attributes:
        losses: List of floats, of the images left out, before and after each epoch.
        epoch: Int, the one that is kept; 0 for the weights before the first.
    """

    def __init__(
        self,
        classifier: Classifier,
        images: Images,
        targets: Array,
        weights: Array,
        patience: int,
    ) -> None:
        super().__init__()
        self._classifier, self._images, self._targets = classifier, images, targets
        self._weights_of_rows, self._patience = weights[targets], patience
        self.losses: list[float] = []
        self.epoch = 0

    def on_train_begin(self, logs: Any = None) -> None:
        self._look()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self._look()
        if len(self.losses) - 1 - self.epoch >= self._patience:
            self._classifier.stop_training = True

    def on_train_end(self, logs: Any = None) -> None:
        self._classifier.set_weights(self._best)

    def _look(self) -> None:
        probabilities = self._classifier.predict(self._images, verbose=0)
        losses = CrossEntropy(reduction=None)(self._targets, probabilities)
        loss = float(np.average(losses, weights=self._weights_of_rows))
        if not self.losses or loss < min(self.losses):
            self.epoch, self._best = len(self.losses), self._classifier.get_weights()
        self.losses.append(loss)
