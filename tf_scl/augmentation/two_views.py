"""The layer that turns a batch of images into two batches of views."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

from tf_scl import config, validation
from tf_scl.augmentation import ops, random_params
from tf_scl.augmentation.blur import gaussian_blur
from tf_scl.augmentation.resampling import crop_resize
from tf_scl.config import AugmentConfig
from tf_scl.distribute import multi_replica_context
from tf_scl.errors import InputError

# What a view draws; a new name goes to the end, or all others' seeds change.
_DRAWN = (
    "box flip jitter order brightness contrast saturation hue grayscale blur sigma solarize"
).split()


@keras.saving.register_keras_serializable(package="tf_scl")
class TwoViews(keras.layers.Layer):
    """Two random views of every image, on whole batches at once.

    The order is that of the official code: random resized crop and mirror,
    color jitter (brightness, contrast, saturation and hue, in an order that
    each view draws), grayscale, Gaussian blur; then BYOL's solarization. The
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
        jitter: Probability that an image's colors are changed.
        grayscale: Probability that an image loses its colors.
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
        crop_scale: Sequence[float] = AugmentConfig.crop_scale,
        crop_ratio: Sequence[float] = AugmentConfig.crop_ratio,
        flip: float = AugmentConfig.flip,
        brightness: float = AugmentConfig.brightness,
        contrast: float = AugmentConfig.contrast,
        saturation: float = AugmentConfig.saturation,
        hue: float = AugmentConfig.hue,
        jitter: float = AugmentConfig.jitter,
        grayscale: float = AugmentConfig.grayscale,
        blur: float = AugmentConfig.blur,
        blur_sigma: Sequence[float] = AugmentConfig.blur_sigma,
        solarize: float = AugmentConfig.solarize,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        kwargs.setdefault("dtype", "float32")  # views are made in full precision
        super().__init__(**kwargs)
        self.size = validation.whole_number("size", size)

        def checked(name: str, value: Any) -> Any:
            return config.checked(AugmentConfig, name, value, f"`{name}` of TwoViews")

        self.crop_scale: tuple[float, float] = checked("crop_scale", crop_scale)
        self.crop_ratio: tuple[float, float] = checked("crop_ratio", crop_ratio)
        self.flip: float = checked("flip", flip)
        self.brightness: float = checked("brightness", brightness)
        self.contrast: float = checked("contrast", contrast)
        self.saturation: float = checked("saturation", saturation)
        self.hue: float = checked("hue", hue)
        self.jitter: float = checked("jitter", jitter)
        self.grayscale: float = checked("grayscale", grayscale)
        self.blur: float = checked("blur", blur)
        self.blur_sigma: tuple[float, float] = checked("blur_sigma", blur_sigma)
        self.solarize: float = checked("solarize", solarize)
        self.seed = seed
        self._seeds = keras.random.SeedGenerator(seed)

    def call(self, images: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        _check_images(images)
        seed, context = tf.cast(self._seeds.next(), tf.int32), multi_replica_context()
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
        drawn = [self.draw(one, n, height, width, first) for one in random_params.split(seed, 2)]
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
            Dict of tensors with N rows, the arguments of `ops`: "box", "flip";
            where there is jitter or grayscale "jitter", "order", "brightness",
            "contrast", "saturation", "hue", "grayscale"; where there is blur
            "blur", "sigma"; and where there is solarize "solarize".
        """
        seeds = dict(zip(_DRAWN, random_params.split(seed, len(_DRAWN)), strict=True))

        def bernoulli(name: str, probability: float) -> tf.Tensor:
            return random_params.bernoulli(seeds[name], count, probability, first)

        def uniform_factors(name: str, strength: float) -> tf.Tensor:
            return random_params.uniform_factors(seeds[name], count, strength, first)

        def uniform(name: str, low: float, high: float) -> tf.Tensor:
            return random_params.uniform(seeds[name], [count], low, high, first)

        drawn = {
            "box": random_params.crop_boxes(
                seeds["box"], count, height, width, self.crop_scale, self.crop_ratio, first
            ),
            "flip": bernoulli("flip", self.flip),
        }
        # What is off is not drawn: its operations would be most of what there is to trace.
        if self.jitter > 0 or self.grayscale > 0:
            drawn |= {
                "jitter": bernoulli("jitter", self.jitter),
                "order": random_params.permutations(seeds["order"], count, 4, first),
                "brightness": uniform_factors("brightness", self.brightness),
                "contrast": uniform_factors("contrast", self.contrast),
                "saturation": uniform_factors("saturation", self.saturation),
                "hue": uniform("hue", -self.hue, self.hue),
                "grayscale": bernoulli("grayscale", self.grayscale),
            }
        if self.blur > 0:
            drawn |= {
                "blur": bernoulli("blur", self.blur),
                "sigma": uniform("sigma", *self.blur_sigma),
            }
        if self.solarize > 0:
            drawn["solarize"] = bernoulli("solarize", self.solarize)
        return drawn

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
        return ops.to_channels_last(x)

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
