"""Encoded images to pixels inside a served model: one bad image is named, and nothing else."""

import tensorflow as tf

from tf_scl.images import decode

DAMAGED = "damaged or cut short"
EMPTY = "empty, 0 bytes"
OTHER_FORMAT = "neither PNG nor JPEG"

_DECODERS = 4  # images in work at once: each may take 12 bytes for each of its pixels
_MAX_WORK = 30  # times max_pixels, as in ingestion: all scans of a progressive JPEG together
_PNG, _JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"


def decode_or_raise(
    encoded: tf.Tensor, first: tf.Tensor, size: int, channels: int, max_pixels: int
) -> tf.Tensor:
    """Pixels of encoded images, or an error that names the first bad one.

    Made of TensorFlow operations only. An image with too many pixels is
    refused from its header, before anything is allocated for it.

    Args:
        encoded: String [N], PNG or JPEG files.
        first: Scalar int32, index in the request of the first of them.
        size: Int, side of the square that the encoder takes.
        channels: 1 or 3.
        max_pixels: Int.

    Returns:
        Float32 [N, size, size, channels], whole numbers 0..255.

    Raises:
        tf.errors.InvalidArgumentError: When it runs: "image_bytes[INDEX] is ...".
    """

    def one(index: tf.Tensor, data: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        reason = _refusal(data, max_pixels)
        pixels = tf.cond(
            reason == "",
            lambda: tf.round(decode.fit_to_square(decode.decode_image(data, channels), size)),
            lambda: tf.zeros([size, size, channels]),
        )
        return index, reason, pixels

    # No operation catches the error of another, but a dataset can leave out elements that
    # fail. The last one is ours: so it is never empty, and the first gap is easy to find.
    count = tf.size(encoded)
    images = tf.data.Dataset.from_tensor_slices((tf.range(count), encoded))
    images = images.map(one, num_parallel_calls=_DECODERS, deterministic=True).ignore_errors()
    last = tf.data.Dataset.from_tensors((-1, "", tf.zeros([size, size, channels])))
    together = images.concatenate(last).batch(tf.cast(count, tf.int64) + 1)
    indices, reasons, pixels = together.with_options(_plain()).get_single_element()
    bad = tf.argmax((indices != tf.range(tf.size(indices))) | (reasons != ""), output_type=tf.int32)
    reason = tf.where(indices[bad] == bad, reasons[bad], DAMAGED)
    message = tf.strings.format("image_bytes[{}] is ", first + bad) + reason
    with tf.control_dependencies([tf.debugging.Assert(bad == count, [message])]):
        return tf.identity(pixels[:-1])


def _plain() -> tf.data.Options:
    """Without what pays for long data sets only."""
    options = tf.data.Options()
    options.autotune.enabled = False
    options.experimental_optimization.apply_default_optimizations = False
    return options


def _refusal(data: tf.Tensor, max_pixels: int) -> tf.Tensor:
    """Why an image is not decoded, a string, "" where it is; fails if its header is damaged."""
    is_png = tf.strings.substr(data, 0, len(_PNG)) == _PNG
    is_jpeg = tf.strings.substr(data, 0, len(_JPEG)) == _JPEG
    height, width, scans = tf.case(
        [(is_png, lambda: _png_size(data)), (is_jpeg, lambda: _jpeg_size(data))],
        lambda: (tf.constant(-1, tf.int64), *[tf.constant(1, tf.int64)] * 2),
    )
    pixels = height * width

    def why() -> tf.Tensor:
        large = "{} x {} pixels, more than the {} that this model takes"
        slow = "a JPEG of {} scans, which would take too long"
        return tf.case(
            [
                (data == "", lambda: tf.constant(EMPTY)),
                (pixels < 0, lambda: tf.constant(OTHER_FORMAT)),
                (pixels == 0, lambda: tf.constant(DAMAGED)),
                (pixels <= max_pixels, lambda: tf.strings.format(slow, scans)),
            ],
            lambda: tf.strings.format(large, (width, height, max_pixels)),
        )

    fine = (pixels > 0) & (pixels <= max_pixels) & (pixels * scans <= _MAX_WORK * max_pixels)
    return tf.cond(fine, lambda: tf.constant(""), why)


def _png_size(data: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    sides = tf.io.decode_raw(tf.strings.substr(data, 16, 8), tf.int32, little_endian=False)
    width, height = tf.unstack(tf.cast(tf.reshape(sides, [2]), tf.int64) % 2**32)  # unsigned
    return tf.minimum(height, 2**31), tf.minimum(width, 2**31), tf.constant(1, tf.int64)


def _jpeg_size(data: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    height, width, _ = tf.unstack(tf.image.extract_jpeg_shape(data, tf.int32))
    content = tf.io.decode_raw(data, tf.uint8)
    scans = tf.math.count_nonzero((content[:-1] == 0xFF) & (content[1:] == 0xDA))
    return tf.cast(height, tf.int64), tf.cast(width, tf.int64), scans
