"""tf.data: from record files to batches of images."""

import os

import tensorflow as tf

from tf_scl.data import decode, features

_CACHE_BYTES = 2**30  # decoded images are kept in memory up to this size; tf.data holds a copy


def record_files(directory):
    """Sorted paths of the record files in the folder of a split."""
    return sorted(os.path.join(directory, name) for name in tf.io.gfile.listdir(directory))


def count_records(files):
    """Number of records in TFRecord files (a list of paths)."""
    return int(tf.data.TFRecordDataset(files).reduce(0, lambda count, _: count + 1))


def training_batches(files, train, image_size, channels, first_step=0, count=None):
    """Shuffled batches of images, without labels, of a whole run.

    Every image comes at most once in an epoch, of which each has
    count // batch_size batches; the images left over differ from epoch to
    epoch. The order of an epoch depends on the seed and its number alone, so
    that the batches from any step are the tail of those from step 0.

    Args:
        files: List of TFRecord paths.
        train: `tf_scl.config.TrainConfig`: its `batch_size` (images over all
            replicas), `epochs`, and the `seed` of the order.
        image_size: Int, side in pixels.
        channels: 1 or 3.
        first_step: Int, step of the run to begin with. What comes before it is
            not decoded.
        count: `count_records(files)`, where it is known already: to count is to
            read all files.

    Returns:
        `tf.data.Dataset` of uint8 [batch_size, image_size, image_size, channels],
        of epochs * (count // batch_size) - first_step elements. Under a
        `tf.distribute` strategy each worker takes its part of each batch.

    Raises:
        InputError: Fewer images than one batch takes.
    """
    count = count_records(files) if count is None else count
    train.require_batch(count)
    steps = count // train.batch_size
    if count * image_size**2 * channels <= _CACHE_BYTES:
        batches = _batches_from_memory(files, train, image_size, channels, count, first_step)
    else:
        batches = _batches_from_files(files, train, image_size, channels, steps, first_step)
    options = tf.data.Options()
    options.deterministic = True
    policy = tf.data.experimental.AutoShardPolicy.DATA
    options.experimental_distribute.auto_shard_policy = policy
    return batches.prefetch(tf.data.AUTOTUNE).with_options(options)


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


def _batches_from_memory(files, train, image_size, channels, count, first_step):
    """All images are decoded at once; a batch is gathered by its numbers."""
    steps, size = count // train.batch_size, train.batch_size
    with tf.device("CPU:0"):
        records = tf.data.TFRecordDataset(files)
        images = _images(records, image_size, channels).batch(count).get_single_element()

    def numbers(epoch):
        order = _permutation(count, train.seed, epoch)[: steps * size]
        return tf.data.Dataset.from_tensor_slices(tf.reshape(order, [steps, size]))

    def gather(rows):
        return tf.ensure_shape(tf.gather(images, rows), [size, *images.shape[1:]])

    epochs = tf.data.Dataset.range(first_step // steps, train.epochs)
    return epochs.flat_map(numbers).skip(first_step % steps).map(gather, tf.data.AUTOTUNE)


def _batches_from_files(files, train, image_size, channels, steps, first_step):
    """Several files are open at once, in an order of the epoch; a window is shuffled."""
    size = train.batch_size

    def records(epoch):
        # The seed of this function's graph, not of the program. `shuffle` mixes it
        # with its own, an epoch; it must not be 0.
        tf.random.set_seed(1 + train.seed % (2**31 - 2))
        order = _permutation(len(files), train.seed, epoch)
        paths = tf.data.Dataset.from_tensor_slices(tf.gather(tf.constant(files), order))
        opened = paths.interleave(
            tf.data.TFRecordDataset,
            cycle_length=min(16, len(files)),
            num_parallel_calls=tf.data.AUTOTUNE,
            deterministic=True,
        )
        window = opened.shuffle(16 * size, seed=epoch, reshuffle_each_iteration=False)
        return window.take(steps * size)

    epochs = tf.data.Dataset.range(first_step // steps, train.epochs)
    rest = epochs.flat_map(records).skip(first_step % steps * size)
    return _images(rest, image_size, channels).batch(size, drop_remainder=True)


def _permutation(count, seed, epoch):
    """The numbers below `count` in an order that depends on the two seeds alone, int32."""
    seeds = tf.stack([tf.constant(seed, tf.int64), tf.cast(epoch, tf.int64)])
    return tf.random.experimental.stateless_shuffle(tf.range(count), seeds, alg="philox")


def _images(records, image_size, channels):
    def one(serialized):
        return _pixels(features.parse_encoded(serialized[None]), image_size, channels)[0]

    return records.map(one, tf.data.AUTOTUNE)


def _pixels(encoded, image_size, channels):
    return tf.cast(decode.decode_batch(encoded, image_size, channels), tf.uint8)
