"""The layer that turns a batch of images into two batches of views."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

from tf_scl.augmentation import draws, ops
from tf_scl.augmentation.blur import gaussian_blur
from tf_scl.augmentation.resampling import crop_resize
from tf_scl.distribute import several_replicas
from tf_scl.errors import InputError

# What a view draws; a new name goes to the end, or all others' seeds change.
_DRAWN = (
    "box flip jitter order brightness contrast saturation hue grayscale blur sigma solarize"
).split()


@keras.saving.register_keras_serializable(package="tf_scl")
class TwoViews(keras.layers.Layer):
    """Two random views of every image, on whole batches at once.

    The order is that of the official code: random resized crop and mirror,
    colour jitter (brightness, contrast, saturation and hue, in an order that
    each view draws), grayscale, Gaussian blur; then BYOL's solarisation. The
    defaults are the official CIFAR-10 policy; `policies.policy` has others.

    As a layer of a model it draws a new seed at every call. `pair` is the same
    as a pure function of a seed, for `tf.data`.

    Args:
        size: Int, side of the views in pixels.
        crop_scale: (low, high), share of the image's area that a crop has.
        crop_ratio: (low, high), width / height of a crop.
        flip: Probability of a left-right mirror.
        brightness, contrast, saturation: Strength s; the factor is uniform
            in [max(0, 1 - s), 1 + s].
        hue: Largest shift of the hue, as a share of the full circle.
        jitter: Probability that an image's colours are changed.
        grayscale: Probability that an image loses its colours.
        blur: Probability of a Gaussian blur.
        blur_sigma: (low, high) of its standard deviation, in pixels.
        solarize: Probability that values from 128 on are inverted.
        seed: Int or None. The same seed gives the same sequence of views.

    Input shape:
        [N, H, W, C], uint8 or float with values 0..255, C = 1 or 3. Saturation,
        hue and grayscale do nothing on one channel.

    Output shape:
        A tuple of two float32 [N, size, size, C] with values 0..255.

    Raises:
        InputError: An argument out of range, or images of another shape.
    """

    def __init__(
        self,
        size: int = 32,
        crop_scale: Sequence[float] = (0.2, 1.0),
        crop_ratio: Sequence[float] = (3 / 4, 4 / 3),
        flip: float = 0.5,
        brightness: float = 0.4,
        contrast: float = 0.4,
        saturation: float = 0.4,
        hue: float = 0.1,
        jitter: float = 0.8,
        grayscale: float = 0.2,
        blur: float = 0.0,
        blur_sigma: Sequence[float] = (0.1, 2.0),
        solarize: float = 0.0,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        kwargs.setdefault("dtype", "float32")  # views are made in full precision
        super().__init__(**kwargs)
        self.size = size
        self.crop_scale = _pair(crop_scale)
        self.crop_ratio = _pair(crop_ratio)
        self.flip = flip
        self.brightness = brightness
        self.contrast = contrast
        self.saturation = saturation
        self.hue = hue
        self.jitter = jitter
        self.grayscale = grayscale
        self.blur = blur
        self.blur_sigma = _pair(blur_sigma)
        self.solarize = solarize
        self.seed = seed
        self._check()
        self._seeds = keras.random.SeedGenerator(seed)

    def _check(self) -> None:
        def require(names: str, allowed: str, holds: Callable[[Any], bool]) -> None:
            for name in names.split():
                if not holds(getattr(self, name)):
                    raise InputError(
                        f"`{name}` of TwoViews must be {allowed}. "
                        f"Received: {name}={getattr(self, name)!r}"
                    )

        require("size", "a whole number above 0", lambda v: isinstance(v, int) and v > 0)
        require("flip jitter grayscale blur solarize", "between 0 and 1", lambda v: 0 <= v <= 1)
        require("brightness contrast saturation", "at least 0", lambda v: v >= 0)
        require("hue", "between 0 and 0.5", lambda v: 0 <= v <= 0.5)
        rising = "(low, high), above 0 and rising"
        require(
            "crop_scale crop_ratio blur_sigma",
            rising,
            lambda v: len(v) == 2 and 0 < v[0] <= v[1],
        )
        require("crop_scale", f"{rising}, at most 1", lambda v: v[1] <= 1)

    def call(self, images: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        _check_images(images)
        seed, context = tf.cast(self._seeds.next(), tf.int32), several_replicas()
        first = 0 if context is None else _rows_before(context, images)
        return self.pair(images, seed, first)

    def pair(
        self, images: tf.Tensor, seed: tf.Tensor, first: int | tf.Tensor = 0
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Two views of every image; a pure function, for `tf.data` too.

        `call` with `seed=s` gives at its n-th call, from 0, what this gives
        with the seed [s, n]. What the k-th image of a global batch draws
        depends on the seed and k alone, so that views depend on neither the
        number of replicas, nor on how many images each holds, nor on where
        they are made.

        Args:
            images: uint8 or float [N, H, W, C] with values 0..255.
            seed: int32 [2].
            first: Int, the place in the global batch of the first of `images`.

        Returns:
            Tuple of two float32 [N, size, size, C] with values 0..255.
        """
        n, height, width = (tf.shape(images)[axis] for axis in range(3))
        drawn = [self.draw(one, n, height, width, first) for one in draws.split(seed, 2)]
        # Both at once, which halves the number of operations.
        both = {name: tf.concat([one[name] for one in drawn], axis=0) for name in drawn[0]}
        views = self.apply(images, both)
        return tuple(tf.split(views, 2))

    def draw(
        self,
        seed: tf.Tensor,
        count: int | tf.Tensor,
        height: int | tf.Tensor,
        width: int | tf.Tensor,
        first: int | tf.Tensor = 0,
    ) -> dict[str, tf.Tensor]:
        """The random parameters of one view of `count` images of one size.

        Args:
            seed: int32 [2].
            count: Number of images N.
            height, width: Their size in pixels.
            first: Int, the place in the global batch of the first of them.

        Returns:
            Dict of tensors with N rows, the arguments of `ops`: "box", "flip",
            "jitter", "order", "brightness", "contrast", "saturation", "hue",
            "grayscale", "blur", "sigma", "solarize".
        """
        seeds = dict(zip(_DRAWN, draws.split(seed, len(_DRAWN)), strict=True))

        def happens(name: str, probability: float) -> tf.Tensor:
            return draws.happens(seeds[name], count, probability, first)

        def factors(name: str, strength: float) -> tf.Tensor:
            return draws.factors(seeds[name], count, strength, first)

        def uniform(name: str, low: float, high: float) -> tf.Tensor:
            return draws.uniform(seeds[name], [count], low, high, first)

        return {
            "box": draws.crop_boxes(
                seeds["box"], count, height, width, self.crop_scale, self.crop_ratio, first
            ),
            "flip": happens("flip", self.flip),
            "jitter": happens("jitter", self.jitter),
            "order": draws.orders(seeds["order"], count, 4, first),
            "brightness": factors("brightness", self.brightness),
            "contrast": factors("contrast", self.contrast),
            "saturation": factors("saturation", self.saturation),
            "hue": uniform("hue", -self.hue, self.hue),
            "grayscale": happens("grayscale", self.grayscale),
            "blur": happens("blur", self.blur),
            "sigma": uniform("sigma", *self.blur_sigma),
            "solarize": happens("solarize", self.solarize),
        }

    def apply(self, images: tf.Tensor, drawn: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """Views float32 [K * N, size, size, C] of images [N, H, W, C].

        Args:
            images: uint8 or float, of which K views each are made.
            drawn: As from `draw`, with K * N rows: those of the first views of
                all images, then of the second.
        """
        x = crop_resize(images, drawn["box"], drawn["flip"], self.size)
        if self.jitter > 0 or self.grayscale > 0:
            # A factor of one and no turn of the hue leave an image as it is.
            b, c, s = (
                tf.where(drawn["jitter"], drawn[name], 1.0)
                for name in ("brightness", "contrast", "saturation")
            )
            hue = tf.where(drawn["jitter"], drawn["hue"], 0.0)
            x = ops.adjust_colors(x, drawn["order"], b, c, s, hue, drawn["grayscale"])
        if self.blur > 0:
            sigma = tf.where(drawn["blur"], drawn["sigma"], 0.0)
            x = gaussian_blur(x, sigma, self.blur_sigma[1])
        if self.solarize > 0:
            x = ops.where(drawn["solarize"], ops.solarize(x), x)
        return ops.to_images(x)

    def compute_output_shape(
        self, input_shape: tuple[int | None, ...]
    ) -> tuple[tuple[int | None, ...], tuple[int | None, ...]]:
        view = (input_shape[0], self.size, self.size, input_shape[-1])
        return view, view

    def get_config(self) -> dict[str, Any]:
        names = (
            "size crop_scale crop_ratio flip brightness contrast saturation hue "
            "jitter grayscale blur blur_sigma solarize seed"
        ).split()
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


def _check_images(images: tf.Tensor) -> None:
    if len(images.shape) != 4 or images.shape[-1] not in (1, 3):
        raise InputError(
            "TwoViews needs images [N, H, W, C] with 1 or 3 channels. "
            f"Received a batch of shape {tuple(images.shape)}"
        )


def _rows_before(context: tf.distribute.ReplicaContext, images: tf.Tensor) -> tf.Tensor:
    """How many images of the global batch the replicas before this one hold."""
    replica, replicas = context.replica_id_in_sync_group, context.num_replicas_in_sync
    rows = images.shape[0]
    if rows is not None and isinstance(context.strategy, tf.distribute.TPUStrategy):
        return replica * rows  # one program for all
    # Elsewhere replicas may hold different numbers even where each knows its own.
    own = tf.one_hot(replica, replicas) * tf.cast(tf.shape(images)[0], tf.float32)
    held = context.all_reduce(tf.distribute.ReduceOp.SUM, own)
    return tf.reduce_sum(tf.where(tf.range(replicas) < replica, tf.cast(held, tf.int32), 0))


def _pair(value: Any) -> Any:
    return tuple(value) if isinstance(value, (tuple, list)) else (value,)
