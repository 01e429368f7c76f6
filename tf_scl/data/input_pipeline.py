"""tf.data: from record files to batches of images."""

import dataclasses
import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from tf_scl.config import TrainConfig
from tf_scl.data import features
from tf_scl.images import decode
from tf_scl.typing import Array

_CACHE_BYTES = 2**30  # decoded images are kept in memory up to this size; tf.data holds a copy


def record_files(directory: str) -> list[str]:
    """Sorted paths of the record files in the folder of a split."""
    return sorted(os.path.join(directory, name) for name in tf.io.gfile.listdir(directory))


def open_records(files: Sequence[str]) -> tf.data.Dataset:
    """`tf.data.Dataset` of the serialized examples in record files (a list of paths).

    Those that end in ".gz" are compressed; either all do, or none.
    """
    return tf.data.TFRecordDataset(files, _compression(files))


def _compression(files: Sequence[str]) -> str:
    return "GZIP" if files and files[0].endswith(".gz") else ""


def count_records(files: Sequence[str]) -> int:
    """Number of records in TFRecord files (a list of paths)."""
    return int(open_records(files).reduce(0, lambda count, _: count + 1))


@dataclasses.dataclass(frozen=True)
class WorkerShard:
    """What one worker reads of every global batch: rows of it, in parts for its replicas.

    Attributes:
        worker, workers: Ints, which one of how many.
        replicas: Int, over all workers, equally many on each.
    """

    worker: int = 0
    workers: int = 1
    replicas: int = 1

    @property
    def parts(self) -> int:
        """Elements of the data set that make up one step."""
        return self.replicas // self.workers

    def place(self, element: Any) -> tuple[Any, Any]:
        """(Step, replica) of the data set's element of this number, from 0."""
        return element // self.parts, self.worker * self.parts + element % self.parts


def training_batches(
    files: Sequence[str],
    train: TrainConfig,
    image_size: int,
    channels: int,
    first_step: int = 0,
    count: int | None = None,
    share: WorkerShard = WorkerShard(),
) -> tf.data.Dataset:
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
        share: `WorkerShard` of this worker. It reads all records, for their order
            is that of the whole, but decodes its own rows only.

    Returns:
        `tf.data.Dataset` of uint8 [batch_size / replicas, image_size, image_size,
        channels], of epochs * (count // batch_size) - first_step times
        `share.parts` elements.

    Raises:
        InputError: Fewer images than one batch takes.
    """
    count = count_records(files) if count is None else count
    train.require_batch(count)
    read = _Reading(files, train, image_size, channels, count, first_step, share)
    in_memory = count * image_size**2 * channels <= _CACHE_BYTES
    options = tf.data.Options()
    options.deterministic = True
    batches = read.from_memory() if in_memory else read.from_files()
    return batches.prefetch(tf.data.AUTOTUNE).with_options(options)


def labeled_batches(
    files: Sequence[str], batch_size: int, image_size: int, channels: int
) -> tf.data.Dataset:
    """Batches of (images, labels, filenames) in file order, none left out.

    Images are uint8 [n, image_size, image_size, channels]; labels int64 [n],
    `features.NO_LABEL` where an image has none; filenames string [n].
    """
    records = open_records(files)

    def parse(serialized: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        encoded, labels, _ = features.parse_labeled(serialized)
        names = features.parse_filenames(serialized)
        return _pixels(encoded, image_size, channels), labels, names

    return records.batch(batch_size).map(parse, tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)


def first_images(files: Sequence[str], count: int, image_size: int, channels: int) -> Array:
    """The first images of record files, which an ingestion has put into a random order.

    Args:
        files: List of TFRecord paths.
        count: Int >= 1.
        image_size: Int, side in pixels.
        channels: 1 or 3.

    Returns:
        uint8 [n, image_size, image_size, channels], n <= count.
    """
    batches = labeled_batches(files, min(count, 256), image_size, channels)
    found = [np.zeros((0, image_size, image_size, channels), np.uint8)]
    for images, _, _ in batches:
        found.append(images.numpy())
        if sum(map(len, found)) >= count:
            break
    return np.concatenate(found)[:count]


@dataclasses.dataclass(frozen=True)
class _Reading:
    """The arguments of `training_batches`, and its two ways."""

    files: Sequence[str]
    train: TrainConfig
    image_size: int
    channels: int
    count: int
    first_step: int
    share: WorkerShard

    @property
    def steps(self) -> int:
        return self.count // self.train.batch_size

    @property
    def batch(self) -> int:
        return self.train.batch_size // self.share.replicas

    def epochs(self, rows: Callable[[tf.Tensor], tf.data.Dataset]) -> tf.data.Dataset:
        """All epochs from `first_step` on, of `rows(epoch)`, a data set of steps."""
        numbers = tf.data.Dataset.range(self.first_step // self.steps, self.train.epochs)
        return numbers.flat_map(rows).skip(self.first_step % self.steps)

    def own(self, rows: tf.Tensor) -> tf.Tensor:
        """This worker's of the rows of a global batch."""
        own = self.batch * self.share.parts
        return rows[self.share.worker * own : (self.share.worker + 1) * own]

    def from_memory(self) -> tf.data.Dataset:
        """All images are decoded at once; a batch is gathered by its numbers."""
        steps, size = self.steps, self.train.batch_size
        with tf.device("CPU:0"):
            records = open_records(self.files)
            images = _images(records, self.image_size, self.channels)
            images = images.batch(self.count).get_single_element()

        def numbers(epoch: tf.Tensor) -> tf.data.Dataset:
            order = _permutation(self.count, self.train.seed, epoch)[: steps * size]
            return tf.data.Dataset.from_tensor_slices(tf.reshape(order, [steps, size]))

        def gather(rows: tf.Tensor) -> tf.Tensor:
            return tf.ensure_shape(tf.gather(images, rows), [self.batch, *images.shape[1:]])

        rows = self.epochs(numbers).map(self.own)
        if self.share.parts > 1:
            rows = rows.unbatch().batch(self.batch, drop_remainder=True)
        return rows.map(gather, tf.data.AUTOTUNE)

    def from_files(self) -> tf.data.Dataset:
        """Several files are open at once, in an order of the epoch; a window is shuffled."""
        size = self.train.batch_size

        def records(epoch: tf.Tensor) -> tf.data.Dataset:
            # The seed of this function's graph, not of the program. `shuffle` mixes it
            # with its own, an epoch; it must not be 0.
            tf.random.set_seed(1 + self.train.seed % (2**31 - 2))
            order = _permutation(len(self.files), self.train.seed, epoch)
            paths = tf.data.Dataset.from_tensor_slices(tf.gather(tf.constant(self.files), order))
            compression = _compression(self.files)
            opened = paths.interleave(
                lambda path: tf.data.TFRecordDataset(path, compression),
                cycle_length=min(16, len(self.files)),
                num_parallel_calls=tf.data.AUTOTUNE,
                deterministic=True,
            )
            window = opened.shuffle(16 * size, seed=epoch, reshuffle_each_iteration=False)
            return window.batch(size, drop_remainder=True).take(self.steps)

        own = self.epochs(records).map(self.own).unbatch()
        decoded = _images(own, self.image_size, self.channels)
        return decoded.batch(self.batch, drop_remainder=True)


def _permutation(count: int, seed: int, epoch: tf.Tensor) -> tf.Tensor:
    """The numbers below `count` in an order that depends on the two seeds alone, int32."""
    seeds = tf.stack([tf.constant(seed, tf.int64), tf.cast(epoch, tf.int64)])
    return tf.random.experimental.stateless_shuffle(tf.range(count), seeds, alg="philox")


def _images(records: tf.data.Dataset, image_size: int, channels: int) -> tf.data.Dataset:
    def one(serialized: tf.Tensor) -> tf.Tensor:
        return _pixels(features.parse_encoded(serialized[None]), image_size, channels)[0]

    return records.map(one, tf.data.AUTOTUNE)


def _pixels(encoded: tf.Tensor, image_size: int, channels: int) -> tf.Tensor:
    return tf.cast(decode.decode_batch(encoded, image_size, channels), tf.uint8)
