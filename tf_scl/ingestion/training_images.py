"""How many images of a source will be for training, before any is ingested. Imports nothing heavy.

The split of an image is decided by its hash, so that of n images about
n (1 - f) are for training, with the standard deviation sqrt(n f (1 - f)) of a
binomial distribution, where f is `ingest.eval_fraction`.
"""

import dataclasses
import math
from collections.abc import Sequence

from tf_scl.config import IngestConfig, TrainConfig
from tf_scl.data.sources.source import Source, Unit
from tf_scl.errors import InputError
from tf_scl.images.content_hash import content_sha256, split_of
from tf_scl.images.image_signature import is_image

_SIGMAS = 4  # beyond which the split falls once in 30,000 times
_STEPS = 4  # of an epoch, at least, where the batch is fitted


def fit_batch(
    train: TrainConfig, source: Source, units: Sequence[Unit], ingest: IngestConfig
) -> TrainConfig:
    """Halves the batch until an epoch has several steps.

    Args:
        train: `tf_scl.config.TrainConfig`.
        source: `tf_scl.data.sources.source.Source`.
        units: What `source.units` returned.
        ingest: `tf_scl.config.IngestConfig`.

    Returns:
        `TrainConfig` with a batch that can be shared by the micro-batches.
    """
    least, _ = _bounds(source.count_images(units), ingest.eval_fraction)
    batch = train.batch_size
    while batch > least / _STEPS and batch % (2 * train.accumulate) == 0:
        batch //= 2
    return dataclasses.replace(train, batch_size=max(2, batch))


def require_batch(
    train: TrainConfig, source: Source, units: Sequence[Unit], ingest: IngestConfig
) -> None:
    """Checks that there are images enough for a batch.

    Only where it is close are images read, about as many as a batch takes.

    Args:
        train, source, units, ingest: As of `fit_batch`.

    Raises:
        InputError: There are fewer images to train on than a batch takes.
    """
    images = source.count_images(units)
    least, most = _bounds(images, ingest.eval_fraction)
    if least >= train.batch_size:
        return
    close = most >= train.batch_size
    count = _count(source, units, ingest) if close else round((least + most) / 2)
    if count < train.batch_size:
        raise InputError(
            f"train.batch_size is {train.batch_size} but of the {images} images in {source.name!r} "
            f"only {'' if close else 'some '}{count} are to train on (ingest.eval_fraction is "
            f"{ingest.eval_fraction:g}); use train.batch_size {max(2, count // 4)} or add images"
        )


def _bounds(images: int, eval_fraction: float) -> tuple[float, float]:
    """(least, most) images to train on, floats."""
    expected = images * (1 - eval_fraction)
    margin = _SIGMAS * math.sqrt(expected * eval_fraction)
    return expected - margin, expected + margin


def _count(source: Source, units: Sequence[Unit], ingest: IngestConfig) -> int:
    """The images to train on, read and counted as ingestion does, but not decoded."""
    hashes = set()
    for unit in units:
        for item in source.read(unit, ingest.max_megabytes * 2**20):
            if item.problem is None and is_image(item.content):
                hashes.add(content_sha256(item.content))
    return sum(split_of(one, ingest.eval_fraction) == "train" for one in hashes)
