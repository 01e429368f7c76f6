"""tf.data: from record files to batches of images."""

import os

import tensorflow as tf

from tf_scl.data import decode, features

_CACHE_BYTES = 2**30  # decoded images are kept in memory up to this size


def record_files(directory):
    """Sorted paths of the record files in the folder of a split."""
    return sorted(os.path.join(directory, name) for name in tf.io.gfile.listdir(directory))


def count_records(files):
    """Number of records in TFRecord files (a list of paths)."""
    return int(tf.data.TFRecordDataset(files).reduce(0, lambda count, _: count + 1))


def training_batches(files, train, image_size, channels):
    """Shuffled batches of images, without labels; one pass is one epoch.

    Args:
        files: List of TFRecord paths.
        train: `tf_scl.config.TrainConfig`. Of its `batch_size` images, over all
            replicas, is a batch, and a smaller rest is dropped; its `seed` is
            that of the order, another one in every epoch.
        image_size: Int, side in pixels.
        channels: 1 or 3.

    Returns:
        `tf.data.Dataset` of uint8 [batch_size, image_size, image_size, channels],
        with its cardinality known.

    Raises:
        InputError: Fewer images than one batch takes.
    """
    count = count_records(files)
    train.require_batch(count)
    batch_size, seed = train.batch_size, train.seed
    if count * image_size**2 * channels <= _CACHE_BYTES:
        images = _images(tf.data.TFRecordDataset(files), image_size, channels)
        images = images.cache().shuffle(count, seed=seed)
    else:  # another order of the files each epoch, several open at once, then a window
        records = tf.data.Dataset.from_tensor_slices(files).shuffle(len(files), seed=seed)
        records = records.interleave(tf.data.TFRecordDataset, cycle_length=min(16, len(files)))
        images = _images(records.shuffle(16 * batch_size, seed=seed), image_size, channels)
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


def _images(records, image_size, channels):
    def one(serialized):
        return _pixels(features.parse_encoded(serialized[None]), image_size, channels)[0]

    return records.map(one, tf.data.AUTOTUNE)


def _pixels(encoded, image_size, channels):
    return tf.cast(decode.decode_batch(encoded, image_size, channels), tf.uint8)
