"""The linear probe of the spectral contrastive paper, from images on.

As the official code has it (eval/eval_run.py, arXiv 2106.04156): in each epoch every
training image is cropped and mirrored anew and goes through the frozen encoder; test
images are resized and their center is cut out. `sgd_linear_probe` is the rest.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from tf_scl import validation
from tf_scl.augmentation import random_params
from tf_scl.augmentation.two_views import TwoViews
from tf_scl.errors import InputError
from tf_scl.evaluation.labels import check_label_pair
from tf_scl.evaluation.sgd_probe import SGDProbeResult, sgd_linear_probe
from tf_scl.typing import Array

_CROP_SCALE = (0.08, 1.0)
_BATCH = 256  # images that are embedded at a time
_RESIZED = {32: 40, 64: 74, 224: 256}  # the official code's; other sizes as ImageNet's


def paper_probe(
    embed: Callable[[Any], Any],
    train_images: Array,
    train_labels: Any,
    test_images: Array,
    test_labels: Any,
    size: int,
    epochs: int = 100,
    batch_size: int = 256,
    learning_rate: float = 30.0,
    seed: int = 0,
) -> SGDProbeResult:
    """Linear probe with the paper's whole protocol: augmentation, center crop and SGD.

    Every training image is embedded once in each epoch, so 100 epochs take as long as
    100 times embedding them.

    Args:
        embed: Callable from float32 [n, size, size, C] with values 0..255 to
            features [n, D], such as an encoder at inference:
            `lambda x: encoder(x, training=False)`.
        train_images: uint8 or float array [N, H, W, C] with values 0..255.
        train_labels: [N] or [N, 1], whole numbers or text.
        test_images: Likewise, [M, H, W, C], perhaps of another size.
        test_labels: [M] or [M, 1].
        size: Int, side in pixels of the images that the encoder takes.
        epochs, batch_size, learning_rate: As in `sgd_linear_probe`.
        seed: Int, of the crops, of the first weights and of the order of the images.

    Returns:
        `SGDProbeResult`. The paper's tables hold `best_accuracy`.

    Raises:
        InputError: As `augmented_features`, `center_features` and `sgd_linear_probe`.
    """
    train_labels, test_labels = check_label_pair(train_labels, test_labels)
    return sgd_linear_probe(
        augmented_features(embed, train_images, size, seed),
        train_labels,
        center_features(embed, test_images, size),
        test_labels,
        epochs,
        batch_size,
        learning_rate,
        seed,
    )


def augmented_features(
    embed: Callable[[Any], Any], images: Array, size: int, seed: int = 0
) -> Callable[[int], Array]:
    """Features of images that are cropped and mirrored anew in each epoch.

    RandomResizedCrop (area 0.08..1, ratio 3/4..4/3, bilinear) and a mirror at
    even odds: the paper's augmentation for the probe.

    Args:
        embed, size: As in `paper_probe`.
        images: uint8 or float array [N, H, W, C] with values 0..255.
        seed: Int; with the epoch it determines every crop.

    Returns:
        Callable from epoch to float32 [N, D], for `sgd_linear_probe`.

    Raises:
        InputError: `size` out of range, or images of another shape.
    """
    _check_images(images)
    views = TwoViews(size, crop_scale=_CROP_SCALE, jitter=0.0, grayscale=0.0)

    def of_epoch(epoch: int) -> Array:
        features = []
        for start, batch in _batches(images):
            drawn = views.draw(random_params.fold_in([seed, epoch], start), *batch.shape[:3])
            features.append(np.asarray(embed(views.apply(batch, drawn)), np.float32))
        return np.concatenate(features)

    return of_epoch


def center_features(embed: Callable[[Any], Any], images: Array, size: int) -> Array:
    """Features of the center of each image, as the paper tests its probe.

    The shorter side is resized, keeping the ratio, to 40 pixels for `size` 32, to 74
    for 64, to 256 for 224, and to 8/7 of any other size; of that the central `size`
    x `size` pixels are embedded.

    Args:
        embed, size: As in `paper_probe`.
        images: uint8 or float array [N, H, W, C] with values 0..255.

    Returns:
        float32 [N, D].

    Raises:
        InputError: `size` out of range, or images of another shape.
    """
    _check_images(images)
    validation.whole_number("size", size)
    features = [
        np.asarray(embed(_center(batch, size)), np.float32) for _, batch in _batches(images)
    ]
    return np.concatenate(features)


def _center(images: Array, size: int) -> tf.Tensor:
    """float32 [n, size, size, C], whole numbers, as PIL resizes and torchvision crops."""
    resized = _RESIZED.get(size, round(size * 8 / 7))
    height, width = images.shape[1:3]
    short = min(height, width)
    height, width = int(resized * height / short), int(resized * width / short)
    images = tf.round(tf.image.resize(images, [height, width], antialias=True))
    top, left = round((height - size) / 2), round((width - size) / 2)
    return images[:, top : top + size, left : left + size]


def _batches(images: Array) -> Iterator[tuple[int, Array]]:
    """Pairs of where a batch starts and its float32 [n, H, W, C]."""
    for start in range(0, len(images), _BATCH):
        yield start, np.asarray(images[start : start + _BATCH], np.float32)


def _check_images(images: Any) -> None:
    shape = np.shape(images)
    if len(shape) != 4 or shape[-1] not in (1, 3) or not all(shape):
        raise InputError(
            "the probe needs images [N, H, W, C] of one size, N >= 1, with 1 or 3 channels. "
            f"Received: shape {shape}"
        )
