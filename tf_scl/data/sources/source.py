"""What every source of images offers: units that workers read, and the items in them."""

import dataclasses
import functools
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from tf_scl.errors import InputError
from tf_scl.typing import Array

MIN_TO_TRAIN = 4  # two images in each of the two splits

# Reasons for an item without data, as they stand in the summary.
UNREADABLE = "cannot be read"
FILE_TOO_LARGE = "file too large"

Problem: TypeAlias = tuple[str, str]  # (reason, detail)


@dataclasses.dataclass(frozen=True)
class Unit:
    """A piece of a source that one worker reads from start to end.

    Attributes:
        locator: Tuple, what the source needs to find it.
        items: Number of items in it, known before it is read.
        size: Bytes, about.
    """

    locator: tuple[Any, ...]
    items: int
    size: int


@dataclasses.dataclass(frozen=True)
class Item:
    """One image, or the reason why there is none.

    Attributes:
        name: bytes, unique within the source.
        data: bytes of an encoded image file; or pixels, uint8 [H, W],
            [H, W, 1] or [H, W, 3]; or None where there is a problem.
        label: Int from 0, or None.
        class_name: bytes, or None.
        problem: None, or (reason, detail); the reason is one of the constants
            above.
    """

    name: bytes
    data: bytes | Array | None
    label: int | None = None
    class_name: bytes | None = None
    problem: Problem | None = None

    @property
    def content(self) -> bytes | Array:
        """`data` of an item that has no problem; ValueError of one that has."""
        if self.data is None:
            raise ValueError(f"{self.name!r} has no data: {self.problem}")
        return self.data


class Source:
    """A source of images; a base class.

    Sources can be pickled, and what they have opened is not part of it: a
    worker opens it again.

    Attributes:
        OPTIONS: Names of the options that the source knows, after its "?".
        name: The source as the user gave it, such as "numpy:cats.npz".
    """

    OPTIONS: tuple[str, ...] = ()

    def __init__(self, name: str, location: str, options: Mapping[str, str]) -> None:
        """Opens nothing yet.

        Args:
            name: The whole text.
            location: What stands between scheme and options.
            options: Dict from name to text, of the options that were given.
        """
        self.name = name
        self._location = location
        self._options = options

    def units(self) -> list[Unit]:
        """Lists the pieces of the source.

        Returns:
            List of `Unit`, the same on every call while the data is the same.

        Raises:
            InputError: The source is not there, cannot be used, or holds
                nothing.
        """
        raise NotImplementedError

    def read(self, unit: Unit, max_bytes: int) -> Iterator[Item]:
        """Reads a piece.

        Args:
            unit: `Unit` of this source.
            max_bytes: Int. A larger image is an item with a problem.

        Yields:
            `unit.items` times `Item`. What cannot be read is an item with a
            problem, never an error.
        """
        raise NotImplementedError

    def fingerprint(self) -> str:
        """Hex digest that changes when the data does.

        Raises:
            InputError: The source is not there.
        """
        raise NotImplementedError

    def count_images(self, units: Sequence[Unit]) -> int:
        """The number of items that may be images, as far as can be told without reading all.

        Args:
            units: What `units` returned.
        """
        return sum(unit.items for unit in units)

    def require_trainable(self, units: Sequence[Unit]) -> None:
        """Checks that an encoder can be trained and evaluated on the source.

        Args:
            units: What `units` returned.

        Raises:
            InputError: It holds fewer than `MIN_TO_TRAIN` images.
        """
        count = self.count_images(units)
        if count < MIN_TO_TRAIN:
            images = "1 image" if count == 1 else f"{count} images"
            raise InputError(
                f"{self.name!r} holds {images}; at least {MIN_TO_TRAIN} are needed (two to "
                "train on, two to evaluate on), and some hundreds to learn anything"
            )

    def __getstate__(self) -> dict[str, Any]:
        kind = type(self)
        return {
            name: value
            for name, value in vars(self).items()
            if not isinstance(getattr(kind, name, None), functools.cached_property)
        }


def require_items(units: list[Unit], name: str) -> list[Unit]:
    """The units, if they hold any item.

    Raises:
        InputError: There is none.
    """
    if not any(unit.items for unit in units):
        raise InputError(f"{name!r} holds no images; give a source that does")
    return units


def make_item(
    name: bytes, data: bytes | Array, label: int | None, class_name: bytes | None, max_bytes: int
) -> Item:
    """An `Item` with data, or with the problem that there is too much of it.

    Args:
        name: bytes.
        data: bytes, or uint8 pixels.
        label: Int, or None; a negative one means that there is none.
        class_name: bytes; empty or None where only the label is known.
        max_bytes: Int.
    """
    problem = too_large(data.nbytes if isinstance(data, np.ndarray) else len(data), max_bytes)
    if label is not None and label < 0:
        label = None
    if not class_name:
        class_name = None if label is None else str(label).encode()
    return Item(name, None if problem else data, label, class_name, problem)


def too_large(size: int, max_bytes: int) -> Problem | None:
    """The problem of an image of `size` bytes, or None if it has none."""
    if size <= max_bytes:
        return None
    limit = f"ingest.max_megabytes = {max_bytes / 2**20:g}"
    return FILE_TOO_LARGE, f"{size} bytes is more than {limit}"


def complete(
    unit: Unit,
    items: Iterable[Item],
    name_of: Callable[[int], bytes],
    errors: tuple[type[BaseException], ...],
) -> Iterator[Item]:
    """As many items as the unit promised, whatever happens to the data.

    Args:
        unit: `Unit`.
        items: Iterator of `Item`.
        name_of: Function from the index of an item that could not be read to
            its name.
        errors: Tuple of the exceptions that `items` raises on damage.

    Yields:
        `unit.items` times `Item`; those after the damage have a problem.
    """
    count, detail = 0, "the data ends before it: cut short, or changed since it was listed"
    try:
        for item in itertools.islice(items, unit.items):
            yield item
            count += 1
    except errors as error:
        detail = one_line(error)
    for index in range(count, unit.items):
        yield Item(name_of(index), None, problem=(UNREADABLE, detail))


def one_line(error: BaseException, length: int = 300) -> str:
    """The text of an exception (its type, if it has none) on one line, not too long."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= length else text[: length - 3] + "..."
