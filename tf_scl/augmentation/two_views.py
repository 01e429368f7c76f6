"""The layer that turns a batch of images into two batches of views."""

import keras
import tensorflow as tf

from tf_scl.augmentation import draws, ops
from tf_scl.distribute import several_replicas
from tf_scl.errors import InputError


@keras.saving.register_keras_serializable(package="tf_scl")
class TwoViews(keras.layers.Layer):
    """Two random views of every image, on whole batches at once.

    The order is that of the official code: random resized crop and mirror,
    colour jitter (brightness, contrast, saturation, hue, in this order),
    grayscale, Gaussian blur. The defaults are its CIFAR-10 policy.

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
        size=32,
        crop_scale=(0.2, 1.0),
        crop_ratio=(3 / 4, 4 / 3),
        flip=0.5,
        brightness=0.4,
        contrast=0.4,
        saturation=0.4,
        hue=0.1,
        jitter=0.8,
        grayscale=0.2,
        blur=0.0,
        blur_sigma=(0.1, 2.0),
        seed=None,
        **kwargs,
    ):
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
        self.seed = seed
        self._check()
        self._seeds = keras.random.SeedGenerator(seed)

    def _check(self):
        def require(names, allowed, holds):
            for name in names.split():
                if not holds(getattr(self, name)):
                    raise InputError(
                        f"`{name}` of TwoViews must be {allowed}. "
                        f"Received: {name}={getattr(self, name)!r}"
                    )

        require("size", "a whole number above 0", lambda v: isinstance(v, int) and v > 0)
        require("flip jitter grayscale blur", "between 0 and 1", lambda v: 0 <= v <= 1)
        require("brightness contrast saturation", "at least 0", lambda v: v >= 0)
        require("hue", "between 0 and 0.5", lambda v: 0 <= v <= 0.5)
        rising = "(low, high), above 0 and rising"
        require(
            "crop_scale crop_ratio blur_sigma",
            rising,
            lambda v: len(v) == 2 and 0 < v[0] <= v[1],
        )
        require("crop_scale", f"{rising}, at most 1", lambda v: v[1] <= 1)

    def call(self, images):
        if len(images.shape) != 4 or images.shape[-1] not in (1, 3):
            raise InputError(
                "TwoViews needs images [N, H, W, C] with 1 or 3 channels. "
                f"Received a batch of shape {tuple(images.shape)}"
            )
        images = tf.cast(images, tf.float32)
        seed = tf.cast(self._seeds.next(), tf.int32)
        context = several_replicas()
        if context is not None:
            # Replicas count calls alike; their images must not share draws.
            seed = draws.fold_in(seed, context.replica_id_in_sync_group)
        first, second = draws.split(seed, 2)
        return self.view(images, first), self.view(images, second)

    def view(self, images, seed):
        """One view of float32 images [N, H, W, C]; the same seed, the same view."""
        seeds = draws.split(seed, 10)
        n = tf.shape(images)[0]
        height, width = tf.shape(images)[1], tf.shape(images)[2]
        boxes = draws.crop_boxes(seeds[0], n, height, width, self.crop_scale, self.crop_ratio)
        x = ops.crop_resize(images, boxes, draws.happens(seeds[1], n, self.flip), self.size)
        if self.jitter > 0:
            changed = self._jitter_colours(x, seeds[2:6])
            x = ops.where(draws.happens(seeds[6], n, self.jitter), changed, x)
        if self.grayscale > 0 and x.shape[-1] == 3:
            x = ops.where(draws.happens(seeds[7], n, self.grayscale), ops.grayscale(x), x)
        if self.blur > 0:
            blurred = ops.gaussian_blur(x, draws.uniform(seeds[8], [n], *self.blur_sigma))
            x = ops.where(draws.happens(seeds[9], n, self.blur), blurred, x)
        return x

    def _jitter_colours(self, x, seeds):
        n = tf.shape(x)[0]
        x = ops.adjust_brightness(x, draws.factors(seeds[0], n, self.brightness))
        x = ops.adjust_contrast(x, draws.factors(seeds[1], n, self.contrast))
        if x.shape[-1] == 3:
            x = ops.adjust_saturation(x, draws.factors(seeds[2], n, self.saturation))
            x = ops.adjust_hue(x, draws.uniform(seeds[3], [n], -self.hue, self.hue))
        return x

    def compute_output_shape(self, input_shape):
        view = (input_shape[0], self.size, self.size, input_shape[-1])
        return view, view

    def get_config(self):
        names = (
            "size crop_scale crop_ratio flip brightness contrast saturation hue "
            "jitter grayscale blur blur_sigma seed"
        ).split()
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


def _pair(value):
    return tuple(value) if isinstance(value, (tuple, list)) else (value,)
