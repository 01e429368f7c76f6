"""tf.data: from record files to batches of images."""

import tensorflow as tf

from tf_scl.data import decode, features
from tf_scl.errors import InputError

_CACHE_BYTES = 2**30  # decoded images are kept in memory up to this size


def count_records(files):
    """Number of records in TFRecord files (a list of paths)."""
    return int(tf.data.TFRecordDataset(files).reduce(0, lambda count, _: count + 1))


def training_batches(files, batch_size, image_size, channels, seed):
    """Shuffled batches of images, without labels; one pass is one epoch.

    Args:
        files: List of TFRecord paths.
        batch_size: Int, images in a (global) batch. A smaller rest is dropped.
        image_size: Int, side in pixels.
        channels: 1 or 3.
        seed: Int, of the order; every epoch has another.

    Returns:
        `tf.data.Dataset` of uint8 [batch_size, image_size, image_size, channels],
        with its cardinality known.

    Raises:
        InputError: Fewer images than one batch takes.
    """
    count = count_records(files)
    if count < batch_size:
        raise InputError(
            f"train.batch_size is {batch_size} but there are only {count} training images; "
            f"use --train.batch_size {max(2, count // 2)} or add images"
        )
    images = _images(tf.data.TFRecordDataset(files), features.parse_encoded, image_size, channels)
    if count * image_size**2 * channels <= _CACHE_BYTES:
        images = images.cache().shuffle(count, seed=seed)
    else:
        images = images.shuffle(8 * batch_size, seed=seed)
    batches = images.batch(batch_size, drop_remainder=True)
    batches = batches.apply(tf.data.experimental.assert_cardinality(count // batch_size))
    return batches.prefetch(tf.data.AUTOTUNE)


def labelled_batches(files, batch_size, image_size, channels):
    """Batches of (images, labels, class names) in file order, none left out.

    Images are uint8 [n, image_size, image_size, channels]; labels int64 [n],
    `features.NO_LABEL` where an image has none; class names string [n].
    """
    records = tf.data.TFRecordDataset(files)

    def parse(serialized):
        encoded, labels, names = features.parse_labelled(serialized)
        return _pixels(encoded, image_size, channels), labels, names

    return records.batch(batch_size).map(parse, tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)


def _images(records, parse, image_size, channels):
    def one(serialized):
        return _pixels(parse(serialized[None]), image_size, channels)[0]

    return records.map(one, tf.data.AUTOTUNE)


def _pixels(encoded, image_size, channels):
    pixels = decode.decode_batch(encoded, image_size, channels)
    return tf.cast(tf.round(pixels), tf.uint8)
