"""An encoder turned so that its first k numbers are the best k: short vectors without training."""

import keras
import numpy as np
import tensorflow as tf
from scipy import linalg

from tf_scl import validation
from tf_scl.augmentation.two_views import TwoViews
from tf_scl.config import AugmentConfig
from tf_scl.errors import InputError
from tf_scl.images.pixel_range import require_pixels
from tf_scl.serving.network import inference_model
from tf_scl.typing import Array, Images

_BATCH = 256
_RIDGE = 1e-3  # of the mean variance of a feature: what varies less tells little of anything
_EQUAL = 1e-12  # of the mean square of the features: a smaller variance is rounding


def ordered_encoder(
    model: keras.Model,
    images: Images,
    dimension: int | None = None,
    projector: bool = False,
    augment: AugmentConfig | None = None,
    views: int = 8,
    seed: int = 0,
) -> keras.Model:
    """Adds the linear layer that minimizes the spectral contrastive loss, in closed form.

    With A = E[f(x) f(x')^T] over two views of one image and B = E[f(x) f(x)^T], f centered, the
    population loss of W^T f (arXiv 2106.04156, section 3) is -2 tr(W^T A W) + |W^T B W|_F^2. Of
    all W with k columns it is least where these are sqrt(theta) v for the k largest Ritz values,
    A v = theta B v, v^T B v = 1 (Eckart and Young). They do not depend on k, so each prefix of
    what comes out is the best of its length among outputs of mean 0. The constant function, which
    tells nothing, is thereby left out; number k estimates the k-th eigenfunction of the
    augmentation graph after it, as far as f shows it, times the root of its eigenvalue. To B a
    thousandth of the features' mean variance is added in each direction.

    Which images are near each other changes with it: directions in which features vary much count
    no more than others that views of one image share as well. Vectors of `model` cannot be
    compared with these.

    Args:
        model: As of `tf_scl.export_saved_model`: an encoder, or a model of tf_scl around one. It
            stays as it is.
        images: [N, H, W, C], uint8 or float, values 0..255, N at least the D features that are
            turned. Those that the encoder was trained on will do.
        dimension: Int 1..D, how many numbers are kept; by default all of a positive theta, which
            are D or fewer: in the others views of one image share nothing.
        projector: Whether what the projector makes of the features is turned.
        augment: `tf_scl.config.AugmentConfig`, how views are drawn: as in the training, best of
            all. By default as `tf_scl.TwoViews` does.
        views: Int, even: how many of each image.
        seed: Int 0..2**31 - 1, of the views.

    Returns:
        `keras.Model` from images [N, S, S, C], values 0..255, to float32 [N, dimension]; it
        shares its weights with `model`, and is saved and exported as any encoder.

    Raises:
        InputError: A model or an argument that is not as above; features that are not finite, or
            the same for all images; or fewer positive thetas than `dimension`.
    """
    network = inference_model(model, projector)
    features = network.output_shape[-1]
    if dimension is not None:
        dimension = validation.whole_number("dimension", dimension, high=features)
    seed = validation.whole_number("seed", seed, low=0, high=2**31 - 1)
    if augment is not None and not isinstance(augment, AugmentConfig):
        raise validation.refused("augment", augment, "a tf_scl.config.AugmentConfig")
    if validation.whole_number("views", views, low=2) % 2:
        raise validation.refused("views", views, "an even number")
    pixels = _checked(images, network, features)
    layer = TwoViews(network.input_shape[1], **vars(augment or AugmentConfig()))
    center, weights = _directions(*_moments(network, pixels, layer, views, seed))
    shared = weights.shape[1]
    if shared < (dimension or 1):
        raise InputError(
            f"views of one image share something in {shared} directions of the features only: give "
            f"`dimension` of at most that, more images, or more `views`. Received: {dimension=}, "
            f"{len(pixels)} images, {views=}"
        )
    weights = weights[:, :dimension]
    turn = keras.layers.Dense(weights.shape[1], dtype="float32", name="ordered")
    inputs = keras.Input(network.input_shape[1:])
    made = keras.Model(inputs, turn(network(inputs)), name=f"{network.name}_ordered")
    turn.set_weights([weights, -center @ weights])
    return made


def _checked(images: Images, network: keras.Model, features: int) -> Array:
    array, channels = np.asarray(images), network.input_shape[-1]
    if array.ndim != 4 or array.shape[3] != channels or len(array) < features:
        raise InputError(
            f"to turn {features} features, `images` must be at least as many: "
            f"[N, H, W, {channels}] with N >= {features}. Received: {array.shape}"
        )
    require_pixels("images", array)
    return array


def _moments(
    network: keras.Model, images: Array, layer: TwoViews, views: int, seed: int
) -> tuple[Array, Array, Array]:
    """E f(x) f(x')^T, E f(x) f(x)^T and E f(x), over all images and views; float64."""
    width = network.output_shape[-1]

    @tf.function(reduce_retracing=True)
    def embed(batch: tf.Tensor, pair: tf.Tensor, first: tf.Tensor) -> list[tf.Tensor]:
        drawn = layer.pair(batch, tf.stack([tf.constant(seed), pair]), first)
        return [network(view, training=False) for view in drawn]

    across, second, first = np.zeros((width, width)), np.zeros((width, width)), np.zeros(width)
    for start in range(0, len(images), _BATCH):
        batch = tf.constant(images[start : start + _BATCH])
        total = np.zeros((len(batch), width))
        for pair in range(views // 2):
            for rows in embed(batch, tf.constant(pair), tf.constant(start)):
                rows = np.asarray(rows, np.float64)
                second += rows.T @ rows
                total += rows
        across += total.T @ total
        first += total.sum(axis=0)
    across = (across - second) / (len(images) * views * (views - 1))
    count = len(images) * views
    return across, second / count, first / count


def _directions(across: Array, second: Array, center: Array) -> tuple[Array, Array]:
    """The mean of the features [D] and the columns of W of positive values, the largest first."""
    if not np.isfinite(second).all():
        raise InputError(
            "the encoder gives features that are not finite for some of `images`, so that they "
            "cannot be turned. Either its weights hold a NaN, or it computes in float16 and the "
            "features are too large for that"
        )
    square = np.trace(second)
    across, second = (moment - np.outer(center, center) for moment in (across, second))
    variance = np.trace(second)
    if variance <= _EQUAL * square:
        raise InputError(
            "the encoder gives the same features for all of `images`: it has collapsed, and "
            "nothing can be told from them in any order"
        )
    ridge = _RIDGE * variance / len(second) * np.eye(len(second))
    values, vectors = linalg.eigh(across, second + ridge)
    order = np.argsort(-values)[: np.count_nonzero(values > 0)]
    return center, vectors[:, order] * np.sqrt(values[order])
