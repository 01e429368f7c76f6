"""Linear probe by SGD: the protocol of the spectral contrastive paper.

As the official code has it (eval/eval_run.py): softmax regression on the frozen
encoder's features before the projector, neither normalised nor standardised, by
SGD from weights N(0, 0.01) and a zero bias. It measures what the paper's tables
report; `tf_scl.linear_probe` needs no learning rate and is the better judge.
"""

import dataclasses

import numpy as np

from tf_scl.errors import InputError
from tf_scl.evaluation.features import check_features

_MOMENTUM = 0.9
_DROPS = (6, 8)  # tenths of the epochs after which the rate is a tenth of what it was
_EVERY = 5  # epochs between two looks at the test part
_CROP_SCALE = (0.08, 1.0)
_BATCH = 256  # images that are embedded at a time


@dataclasses.dataclass(frozen=True)
class SGDProbeResult:
    """Outcome of one probe.

    Attributes:
        accuracy: Share of the test labels predicted after the last epoch, 0..1:
            the one to report.
        best_accuracy: The best of `accuracies`, which the official code reports.
            It is picked on the test part, and so too good.
        best_epoch: The epoch of that, from 1; the first of equals.
        accuracies: Dict from epoch to accuracy: 1, every fifth, and the last.
        predictions: int64 [number of test images], after the last epoch.
    """

    accuracy: float
    best_accuracy: float
    best_epoch: int
    accuracies: dict
    predictions: np.ndarray


def sgd_linear_probe(
    train_features,
    train_labels,
    test_features,
    test_labels,
    epochs=100,
    batch_size=256,
    learning_rate=30.0,
    seed=0,
):
    """Trains a linear classifier on frozen features by SGD and tests it.

    Momentum is 0.9, without weight decay, in float32; the learning rate falls
    to a tenth after 60 % of the epochs and again after 80 %.

    Args:
        train_features: Float array [N, D]; or a callable that gives one for
            each epoch, numbered from 1, such as `augmented_features`.
        train_labels: Int array [N].
        test_features: Float array [M, D]. In the paper, of the centre of each
            image: 32 of 40 pixels (CIFAR), 224 of 256 (ImageNet).
        test_labels: Int array [M]; may hold classes that the training part lacks.
        epochs: Int >= 1.
        batch_size: Int >= 1; the last batch of an epoch may be smaller.
        learning_rate: Float > 0, not scaled with the batch. 30 suits features
            of about the size that the paper's encoders have.
        seed: Int, of the first weights and of the order of the images.

    Returns:
        `SGDProbeResult`.

    Raises:
        InputError: An argument out of range, fewer than two classes to learn,
            features that are not finite, arrays that do not match, or weights
            that became NaN or infinite.
    """
    if epochs < 1 or batch_size < 1 or not learning_rate > 0:
        raise InputError(
            "the SGD probe needs epochs >= 1, batch_size >= 1 and learning_rate > 0. Received: "
            f"epochs={epochs}, batch_size={batch_size}, learning_rate={learning_rate}"
        )
    test = check_features("test", test_features, test_labels).astype(np.float32)
    test_labels = np.asarray(test_labels)
    classes, targets = np.unique(train_labels, return_inverse=True)
    if len(classes) < 2:
        raise InputError(
            "the probe needs at least two classes to tell apart. "
            f"Received labels of {classes.tolist()} only"
        )
    rng = np.random.default_rng(seed)
    weights = np.zeros((test.shape[1] + 1, len(classes)), np.float32)  # the bias in the last row
    weights[:-1] = rng.normal(0.0, 0.01, (test.shape[1], len(classes)))
    velocity = np.zeros_like(weights)
    accuracies, features = {}, None
    for epoch in range(1, epochs + 1):
        if features is None or callable(train_features):
            features = _features_of(train_features, epoch, train_labels, test.shape[1])
        rate = learning_rate * 0.1 ** sum(10 * (epoch - 1) >= drop * epochs for drop in _DROPS)
        order = rng.permutation(len(targets))
        sgd_epoch(weights, velocity, features, targets, order, batch_size, rate)
        _require_finite(weights, learning_rate, epoch, features)
        if epoch == 1 or epoch % _EVERY == 0 or epoch == epochs:
            predictions = classes[np.argmax(test @ weights[:-1] + weights[-1], axis=1)]
            accuracies[epoch] = float(np.mean(predictions == test_labels))
    best = max(accuracies, key=accuracies.get)
    return SGDProbeResult(accuracies[epochs], accuracies[best], best, accuracies, predictions)


def sgd_epoch(weights, velocity, features, targets, order, batch_size, rate):
    """One pass of SGD over the mean cross-entropy of each batch, in place.

    velocity <- 0.9 velocity + gradient; weights <- weights - rate * velocity.

    Args:
        weights: Float array [D + 1, classes], the bias in the last row.
        velocity: Likewise.
        features: Float array [N, D].
        targets: Int array [N] in 0..classes-1.
        order: Int array [N], the rows as they come.
        batch_size: Int.
        rate: Float, learning rate.
    """
    rate = weights.dtype.type(rate)
    with np.errstate(over="ignore", invalid="ignore"):  # the caller looks at the weights
        for start in range(0, len(order), batch_size):
            chosen = order[start : start + batch_size]
            batch = features[chosen]
            logits = batch @ weights[:-1] + weights[-1]
            residual = np.exp(logits - logits.max(axis=1, keepdims=True))
            residual /= residual.sum(axis=1, keepdims=True)
            residual[np.arange(len(chosen)), targets[chosen]] -= 1
            residual /= len(chosen)
            velocity *= _MOMENTUM
            velocity[:-1] += batch.T @ residual
            velocity[-1] += residual.sum(axis=0)
            weights -= rate * velocity


def augmented_features(embed, images, size, seed=0):
    """Features of images that are cropped and mirrored anew in each epoch.

    RandomResizedCrop (area 0.08..1, ratio 3/4..4/3, bilinear) and a mirror at
    even odds: the paper's augmentation for the probe.

    Args:
        embed: Callable from float32 [n, size, size, C] with values 0..255 to
            features [n, D], such as an encoder at inference.
        images: uint8 or float array [N, H, W, C] with values 0..255.
        size: Int, side of the crops in pixels.
        seed: Int; with the epoch it determines every crop.

    Returns:
        Callable from epoch to float32 [N, D], for `sgd_linear_probe`.

    Raises:
        InputError: `size` out of range.
    """
    # TensorFlow, which probes on features alone do without.
    from tf_scl.augmentation import draws
    from tf_scl.augmentation.two_views import TwoViews

    views = TwoViews(size, crop_scale=_CROP_SCALE, jitter=0.0, grayscale=0.0)

    def of_epoch(epoch):
        features = []
        for start in range(0, len(images), _BATCH):
            batch = np.asarray(images[start : start + _BATCH], np.float32)
            drawn = views.draw(draws.fold_in([seed, epoch], start), *batch.shape[:3])
            features.append(np.asarray(embed(views.apply(batch, drawn)), np.float32))
        return np.concatenate(features)

    return of_epoch


def _features_of(train_features, epoch, labels, dimension):
    """float32 [N, D] of an epoch, checked."""
    features = train_features(epoch) if callable(train_features) else train_features
    features = check_features("train", features, labels)
    if features.shape[1] != dimension:
        raise InputError(
            "train and test features must come from one encoder. Received features of "
            f"{features.shape[1]} and {dimension} dimensions"
        )
    return features.astype(np.float32)


def _require_finite(weights, learning_rate, epoch, features):
    if not np.isfinite(weights).all():
        size = np.abs(features).max()
        raise InputError(
            f"the weights of the SGD probe became NaN or infinite in epoch {epoch}: learning_rate "
            f"{learning_rate:g} is too large for features of up to {size:.2g}; set a smaller "
            "learning_rate, or divide the features by their size"
        )
