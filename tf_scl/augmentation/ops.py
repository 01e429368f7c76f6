"""Augmentations of a whole batch, each image with its own parameters.

Images come in as [N, H, W, C] and are then worked on as planes, float32
[N, C, H, W] with values 0..255, C = 1 or 3: so every operation is a matrix
product or arithmetic on long rows. Shapes are static where those of the input
are, and everything compiles under XLA.
"""

import functools

import tensorflow as tf

_LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601, as PIL and torchvision
BRIGHTNESS, CONTRAST, SATURATION, HUE = range(4)  # in the `order` of `adjust_colors`
SOLARIZE_THRESHOLD = 128.0


# Compiled by XLA wherever they are called: each is many elementwise operations on the
# same numbers. Kept apart, because XLA repeats work when it fuses more than that.
_compiled = functools.partial(tf.function, jit_compile=True, autograph=False)


def crop_resize(images, boxes, flips, size):
    """Cuts a box from each image, resizes it to size x size, mirrors some.

    Bilinear, antialiased when it shrinks: the values of PIL's
    `Image.resize(..., BILINEAR, box=...)`. The resampling is separable, so a
    plane becomes A_y @ plane @ A_x^T with two small matrices of each image; a
    mirror reads the box from right to left.

    Args:
        images: float32 [N, H, W, C].
        boxes: float32 [K * N, 4] of (top, left, height, width), in pixels: one
            for each image, then one more for each, and so on.
        flips: bool [K * N], mirror left and right.
        size: Int, side of the result in pixels.

    Returns:
        float32 [K * N, C, size, size].
    """
    channels = images.shape[-1]
    n, height, width = (tf.shape(images)[axis] for axis in range(3))
    top, left, box_height, box_width = tf.unstack(boxes, axis=1)
    rows = _resampling(top, box_height, images.shape[1] or height, size)
    columns = _resampling(
        tf.where(flips, left + box_width, left),
        tf.where(flips, -box_width, box_width),
        images.shape[2] or width,
        size,
    )
    rows = tf.reshape(rows, [-1, n, size, height])
    x = tf.matmul(rows, tf.reshape(images, [n, height, width * channels]))
    x = tf.transpose(tf.reshape(x, [-1, size, width, channels]), [0, 3, 1, 2])
    x = tf.matmul(x, columns[:, None], transpose_b=True)
    return tf.ensure_shape(x, [boxes.shape[0], channels, size, size])


@_compiled
def _resampling(start, length, extent, size):
    """Triangle filter [N, size, extent] from pixels start..start+length to `size` pixels."""
    step = (length / size)[:, None, None]
    target = tf.range(size, dtype=tf.float32)[None, :, None] + 0.5
    centre = start[:, None, None] + target * step
    source = tf.range(extent)[None, None, :]
    distance = tf.abs(tf.cast(source, tf.float32) + 0.5 - centre)
    weights = tf.maximum(0.0, 1.0 - distance / tf.maximum(tf.abs(step), 1.0))
    return weights / tf.reduce_sum(weights, axis=2, keepdims=True)


def adjust_colors(planes, order, brightness, contrast, saturation, hue, grey):
    """Changes the colours of each image, by its own factors in its own order.

    The first four steps are those of torchvision's ColorJitter (and PIL): a
    factor of 1 or a turn of 0 leaves the image as it is; values are clipped to
    0..255 after each step.

    Args:
        planes: float32 [N, C, H, W]. With one channel saturation, hue and grey
            do nothing.
        order: int32 [N, 4], each row a permutation of BRIGHTNESS, CONTRAST,
            SATURATION and HUE, the first to be done first.
        brightness: float32 [N], factor of each image.
        contrast: float32 [N], blends with the mean of its grey version.
        saturation: float32 [N], blends with its grey version.
        hue: float32 [N], turns the hue of HSV, as a share of the circle.
        grey: bool [N], whether the image is its luma in every channel at last.

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
    rows = _blends(rows, after, factors)
    if len(rows) == 3:
        rows = _some_grey(rows, grey)
    joined = tf.reshape(tf.stack(rows, axis=1), tf.shape(planes))
    return tf.ensure_shape(joined, planes.shape)


@_compiled
def _blends(rows, steps, factors):
    """Channels [N, H * W] after the steps [N, K] with factors [N, 3]; HUE blends nothing."""
    brightness, contrast, saturation = tf.unstack(factors, axis=1)
    for step in tf.unstack(steps, axis=1):
        factor = tf.where(step == BRIGHTNESS, brightness, 1.0)
        factor = tf.where(step == CONTRAST, contrast, factor)[:, None]
        of_mean = tf.where(step == CONTRAST, 1.0 - contrast, 0.0)[:, None]
        luma = _luma(rows)
        offset = of_mean * tf.reduce_mean(luma, axis=1, keepdims=True)
        if len(rows) == 3:
            color = tf.where(step == SATURATION, saturation, 1.0)[:, None]
            factor, offset = factor * color, offset + (1.0 - color) * luma
        rows = [tf.clip_by_value(factor * row + offset, 0.0, 255.0) for row in rows]
    return rows


@_compiled
def _turn_hue(rows, turns):
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

    def channel(opposite):
        away = tf.abs(sixths - opposite * chroma)
        away = tf.minimum(away, tf.abs(away - 6.0 * chroma))
        return value - tf.clip_by_value(2.0 * chroma - away, 0.0, chroma)

    return [channel(3.0), channel(5.0), channel(1.0)]


@_compiled
def _some_grey(rows, grey):
    luma = _luma(rows)
    return [tf.where(grey[:, None], luma, row) for row in rows]


def _luma(rows):
    if len(rows) == 1:
        return rows[0]
    return sum(weight * row for weight, row in zip(_LUMA, rows, strict=True))


def solarize(planes):
    """Inverts the values from `SOLARIZE_THRESHOLD` on, as PIL's ImageOps.solarize."""
    return tf.where(planes >= SOLARIZE_THRESHOLD, 255.0 - planes, planes)


def gaussian_blur(planes, sigma):
    """Gaussian blur with a standard deviation [N] in pixels for each image.

    The kernel is cut where the image ends and its weights add up to one. It
    is not cut off at a radius.
    """
    height, width = (tf.shape(planes)[axis] for axis in (2, 3))
    blurred = tf.matmul(_gaussian(sigma, height), planes)
    blurred = tf.matmul(blurred, _gaussian(sigma, width), transpose_b=True)
    return tf.ensure_shape(blurred, planes.shape)


def _gaussian(sigma, extent):
    """Matrices [N, 1, extent, extent] that blur along one axis."""
    position = tf.cast(tf.range(extent), tf.float32)
    distance = (position[:, None] - position[None, :])[None] / sigma[:, None, None]
    weights = tf.exp(-0.5 * tf.square(distance))
    return (weights / tf.reduce_sum(weights, axis=2, keepdims=True))[:, None]


def to_images(planes):
    """[N, C, H, W] as [N, H, W, C]."""
    return tf.transpose(planes, [0, 2, 3, 1])


def where(condition, changed, planes):
    """`changed` where `condition` [N] holds, else `planes`."""
    return tf.where(condition[:, None, None, None], changed, planes)
