"""Augmentations of a whole batch, each image with its own parameters.

Images come in as [N, H, W, C] and are then worked on as planes, float32
[N, C, H, W] with values 0..255, C = 1 or 3: so every operation is a matrix
product or arithmetic on long rows. Shapes are static where those of the input
are, and everything compiles under XLA.
"""

import tensorflow as tf

from tf_scl.augmentation.xla import compiled, materialize

_LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601, as PIL and torchvision
BRIGHTNESS, CONTRAST, SATURATION, HUE = range(4)  # in the `order` of `adjust_colors`
SOLARIZE_THRESHOLD = 128.0


def adjust_colors(
    planes: tf.Tensor,
    order: tf.Tensor,
    brightness: tf.Tensor,
    contrast: tf.Tensor,
    saturation: tf.Tensor,
    hue: tf.Tensor,
    gray: tf.Tensor,
) -> tf.Tensor:
    """Changes the colors of each image, by its own factors in its own order.

    The first four steps are those of torchvision's ColorJitter (and PIL): a
    factor of 1 or a turn of 0 leaves the image as it is; values are clipped to
    0..255 after each step.

    Args:
        planes: float32 [N, C, H, W]. With one channel saturation, hue and gray
            do nothing.
        order: int32 [N, 4], each row a permutation of BRIGHTNESS, CONTRAST,
            SATURATION and HUE, the first to be done first.
        brightness: float32 [N], factor of each image.
        contrast: float32 [N], blends with the mean of its gray version.
        saturation: float32 [N], blends with its gray version.
        hue: float32 [N], turns the hue of HSV, as a share of the circle.
        gray: bool [N], whether the image is its luma in every channel at last.

    Returns:
        float32 [N, C, H, W].
    """
    rows = [tf.reshape(plane, [tf.shape(planes)[0], -1]) for plane in tf.unstack(planes, axis=1)]
    place_of_hue = tf.argmax(order == HUE, axis=1, output_type=tf.int32)[:, None]
    slots = tf.range(4)[None]
    # The hue is turned once, between the blends that an image has before and after.
    before = tf.where(slots < place_of_hue, order, HUE)[:, :3]
    after = tf.where(slots > place_of_hue, order, HUE)[:, 1:]
    factors = tf.stack([brightness, contrast, saturation], axis=1)
    rows = _blends(rows, before, factors)
    if len(rows) == 3:
        rows = _turn_hue(rows, hue)
    rows = _blends_and_gray(rows, after, factors, gray)
    joined = tf.reshape(tf.stack(rows, axis=1), tf.shape(planes))
    return materialize(tf.ensure_shape(joined, planes.shape))


@compiled
def _blends(rows: list[tf.Tensor], steps: tf.Tensor, factors: tf.Tensor) -> list[tf.Tensor]:
    """Channels [N, H * W] after the steps [N, K] with factors [N, 3]; HUE blends nothing."""
    # Contrast needs the mean of what it finds. It comes at most once, so one look at what
    # the steps before it make is enough, and not one at each step.
    place = tf.argmax(steps == CONTRAST, axis=1, output_type=tf.int32)[:, None]
    first = tf.where(tf.range(steps.shape[1])[None] < place, steps, HUE)[:, :-1]
    found = _luma(_blend(rows, first, factors, 0.0))
    return _blend(rows, steps, factors, tf.reduce_mean(found, axis=1, keepdims=True))


def _blend(
    rows: list[tf.Tensor], steps: tf.Tensor, factors: tf.Tensor, mean: float | tf.Tensor
) -> list[tf.Tensor]:
    """As `_blends`, with the mean luma [N, 1] that contrast finds."""
    brightness, contrast, saturation = tf.unstack(factors, axis=1)
    for step in tf.unstack(steps, axis=1):
        factor = tf.where(step == BRIGHTNESS, brightness, 1.0)
        factor = tf.where(step == CONTRAST, contrast, factor)[:, None]
        offset = tf.where(step == CONTRAST, 1.0 - contrast, 0.0)[:, None] * mean
        if len(rows) == 3:
            color = tf.where(step == SATURATION, saturation, 1.0)[:, None]
            factor, offset = factor * color, offset + (1.0 - color) * _luma(rows)
        rows = [tf.clip_by_value(factor * row + offset, 0.0, 255.0) for row in rows]
    return rows


@compiled
def _blends_and_gray(
    rows: list[tf.Tensor], steps: tf.Tensor, factors: tf.Tensor, gray: tf.Tensor
) -> list[tf.Tensor]:
    """As `_blends`; then the rows where `gray` [N] holds are their luma in every channel."""
    rows = _blends(rows, steps, factors)
    if len(rows) == 1:
        return rows
    luma = _luma(rows)
    return [tf.where(gray[:, None], luma, row) for row in rows]


@compiled
def _turn_hue(rows: list[tf.Tensor], turns: tf.Tensor) -> list[tf.Tensor]:
    """Turns the hue of HSV, keeping value and chroma; three channels [N, H * W], turns [N].

    The hexagon of Smith (SIGGRAPH 1978): with value v, chroma c and hue h in
    sixths, a channel is v - c * clip(2 - |h - k|, 0, 1), where k = 3, 5 and 1
    for red, green and blue and |.| goes around the circle of six. Everything
    is kept times c, so that nothing is divided by it.
    """
    red, green, blue = rows
    value = tf.maximum(tf.maximum(red, green), blue)
    chroma = value - tf.minimum(tf.minimum(red, green), blue)
    blue_or_green = tf.where(green >= blue, blue - red + 2.0 * chroma, red - green + 4.0 * chroma)
    sixths = tf.where((red >= green) & (red >= blue), green - blue, blue_or_green)
    sixths += chroma * 6.0 * (turns - tf.round(turns))[:, None]  # -4c .. 8c

    def channel(opposite: float) -> tf.Tensor:
        away = tf.abs(sixths - opposite * chroma)
        away = tf.minimum(away, tf.abs(away - 6.0 * chroma))
        return value - tf.clip_by_value(2.0 * chroma - away, 0.0, chroma)

    return [channel(3.0), channel(5.0), channel(1.0)]


def _luma(rows: list[tf.Tensor]) -> tf.Tensor:
    if len(rows) == 1:
        return rows[0]
    return sum(weight * row for weight, row in zip(_LUMA, rows, strict=True))


def solarize(planes: tf.Tensor) -> tf.Tensor:
    """Inverts the values from `SOLARIZE_THRESHOLD` on, as PIL's ImageOps.solarize."""
    return tf.where(planes >= SOLARIZE_THRESHOLD, 255.0 - planes, planes)


def to_channels_last(planes: tf.Tensor) -> tf.Tensor:
    """[N, C, H, W] as [N, H, W, C]."""
    return tf.transpose(planes, [0, 2, 3, 1])


def where(condition: tf.Tensor, changed: tf.Tensor, planes: tf.Tensor) -> tf.Tensor:
    """`changed` where `condition` [N] holds, else `planes`."""
    return tf.where(condition[:, None, None, None], changed, planes)
