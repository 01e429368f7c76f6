"""A picture of images beside their two views, to look at what a model will be shown."""

import itertools
import math
import random
from collections.abc import Iterator, Sequence

import numpy as np
import PIL.Image
import PIL.ImageDraw
import PIL.ImageFont
import tensorflow as tf

from tf_scl.config import Config
from tf_scl.data.sources.source import Item, Source
from tf_scl.errors import InputError
from tf_scl.images import decode
from tf_scl.images.check_image import RejectedImageError, check_image
from tf_scl.training import build_views
from tf_scl.typing import Images

_TILE = 96  # pixels, the least that a tile is shown in
_GAP, _HEADER = 4, 22
_HEADINGS = ("image", "view 1", "view 2")
_WIDTH = 1000  # of the picture, about


def draw_views(source: Source, config: Config, count: int = 18) -> PIL.Image.Image:
    """Draws images of a source, spread over it, each with two views of it.

    Args:
        source: `tf_scl.data.sources.source.Source`.
        config: `tf_scl.Config`: its section augment says how views are drawn,
            model their size and channels, ingest which images are kept, and
            train the seed.
        count: Int, number of images; fewer are drawn where the source has
            fewer.

    Returns:
        `PIL.Image.Image`, RGB.

    Raises:
        InputError: A source that cannot be used, or without a usable image.
    """
    chosen = itertools.islice(_images(source, config), count)
    images = tf.stack(list(chosen))
    first, second = build_views(config).pair(images, [config.train.seed, 0])
    rows = [[_tile(one) for one in row] for row in zip(images, first, second, strict=True)]
    return _grid(rows)


def _images(source: Source, config: Config) -> Iterator[tf.Tensor]:
    """Yields usable images, uint8 [size, size, channels], from units in a random order."""
    units, found = source.units(), False
    random.Random(config.train.seed).shuffle(units)
    read = [source.read(unit, config.ingest.max_megabytes * 2**20) for unit in units]
    for item in _one_of_each(read):
        try:
            image = None if item.problem else check_image(item.content, config.ingest.max_pixels)
        except RejectedImageError:
            continue
        if image is not None:
            found = True
            size, channels = config.model.image_size, config.model.channels
            yield tf.cast(
                decode.decode_batch(tf.constant([image.encoded]), size, channels)[0], tf.uint8
            )
    if not found:
        raise InputError(
            f"{source.name!r} holds no image that can be used; the pipeline's report of "
            "rejected images says why of each"
        )


def _one_of_each(iterators: list[Iterator[Item]]) -> Iterator[Item]:
    """Yields from iterators by turns: a unit may hold images of one class only."""
    while iterators:
        going_on = []
        for iterator in iterators:
            for item in itertools.islice(iterator, 1):
                going_on.append(iterator)
                yield item
        iterators = going_on


def _tile(image: Images) -> PIL.Image.Image:
    """An image of float or uint8 [H, W, C] as a PIL image, whole pixels enlarged."""
    pixels = np.clip(np.round(image), 0, 255).astype(np.uint8)
    tile = PIL.Image.fromarray(np.broadcast_to(pixels, (*pixels.shape[:2], 3)))
    return tile.resize(
        [side * math.ceil(_TILE / side) for side in tile.size], PIL.Image.Resampling.NEAREST
    )


def _grid(rows: Sequence[Sequence[PIL.Image.Image]]) -> PIL.Image.Image:
    """Rows of an image and two views, side by side in as many blocks as fit the width."""
    side = rows[0][0].width + _GAP
    block = len(_HEADINGS) * side + 4 * _GAP
    blocks = min(len(rows), max(1, _WIDTH // block))
    height = math.ceil(len(rows) / blocks)
    size = (blocks * block - 3 * _GAP, _HEADER + height * side + _GAP)
    picture = PIL.Image.new("RGB", size, "white")
    draw, font = PIL.ImageDraw.Draw(picture), PIL.ImageFont.load_default(14)
    for number, row in enumerate(rows):
        across, down = number % blocks, number // blocks
        for column, (heading, tile) in enumerate(zip(_HEADINGS, row, strict=True)):
            left = _GAP + across * block + column * side
            picture.paste(tile, (left, _HEADER + down * side))
            if down == 0:
                draw.text((left, 3), heading, fill="black", font=font)
    return picture
