"""TFRecord files of `tf.train.Example` records, each with an encoded image."""

import contextlib
import functools
import gzip
import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, BinaryIO

import tensorflow as tf
from google.protobuf.message import DecodeError

from tf_scl.data import features
from tf_scl.data.sources import shards
from tf_scl.data.sources.source import (
    UNREADABLE,
    Item,
    Source,
    Unit,
    complete,
    make_item,
    require_items,
)
from tf_scl.data.sources.text_labels import Seen, TextLabels, labels_of_units
from tf_scl.errors import InputError

_LOOK_AT = 100  # records, to see which features there are
_LENGTH = struct.Struct("<Q")
_FAR = 2**62  # behind the end of any file
_DAMAGE = (tf.errors.OpError,)


class TfrecordSource(Source):
    """`tfrecord:PATTERN?image=image/encoded&label=image/class/label&class=image/class/text`.

    `image` is a feature with one encoded image, `label` one with an int64
    from 0, `class` one with text; the last two need not be there. If `label`
    is text, or only `class` is there, the classes are all texts of all files,
    sorted; to list them, the files are read as a whole. Files that end in .gz
    are read as GZIP. Items are named FILE:INDEX.
    """

    OPTIONS = ("image", "label", "class")

    def __init__(self, name: str, location: str, options: Mapping[str, str]) -> None:
        """See `Source`."""
        super().__init__(name, location, options)
        self._image = options.get("image", features.ENCODED)
        self._label = options.get("label", features.LABEL)
        self._class = options.get("class", features.CLASS)

    def units(self) -> list[Unit]:
        """One for each file, whose records are counted; see `Source.units`."""
        files = shards.find_shards(self._location, self.name)
        self._check_features(files[0].path)
        units = [
            Unit((file.path, file.short, labels), _count(file.path), file.size)
            for file, labels in zip(files, self._text_labels(files), strict=True)
        ]
        return require_items([unit for unit in units if unit.items], self.name)

    def read(self, unit: Unit, max_bytes: int) -> Iterator[Item]:
        """See `Source.read`; a file that is damaged cannot be read from there on."""
        path, short, labels = unit.locator
        labels = None if labels is None else dict(labels)
        name_of = functools.partial(_name, short)
        items = (
            self._item(name_of(index), record, max_bytes, labels)
            for index, record in enumerate(_records(path))
        )
        return complete(unit, items, name_of, _DAMAGE)

    def fingerprint(self) -> str:
        """Of names, sizes and times; see `Source.fingerprint`."""
        return shards.fingerprint(shards.find_shards(self._location, self.name))

    def _text_labels(self, files: Sequence[shards.Shard]) -> list[TextLabels | None]:
        """`labels_of_units`, a file each."""
        names = self._label, self._class
        # All is read only where the first records of some file say that it pays.
        first = [_look_at_labels(file, *names, _LOOK_AT) for file in files]
        if any(one.numbers for one in first) or not any(one.texts for one in first):
            return [None] * len(files)
        return labels_of_units([_look_at_labels(file, *names) for file in files])

    def _item(
        self, name: bytes, record: bytes, max_bytes: int, labels: Mapping[bytes, int] | None
    ) -> Item:
        try:
            example = _parse(record)
            data = _value(example, self._image, "bytes_list")
            if data is None:
                raise _BadRecordError(f"no feature {self._image!r}, only {sorted(example)}")
            if labels is None:
                label = _number(example, self._label)
                class_name = _value(example, self._class, "bytes_list")
            else:
                class_name = _text(example, self._label, self._class)
                label = None if class_name is None else labels.get(class_name)
        except _BadRecordError as error:
            return Item(name, None, problem=(UNREADABLE, str(error)))
        return make_item(name, data, label, class_name, max_bytes)

    def _check_features(self, path: str) -> None:
        """That the image, and what the user named, is in some of the first records."""
        seen: set[str] = set()
        try:
            for record in _records(path, _LOOK_AT):
                seen.update(_parse(record))
        except (*_DAMAGE, _BadRecordError):
            return  # counted, and reported, when the file is read
        for name in {"image": self._image, **self._options}.values():
            if seen and name not in seen:
                raise InputError(
                    f"{self.name!r}: the records of {path!r} have no feature {name!r}, but "
                    f"{sorted(seen)}; say which is which with ?image=NAME&label=NAME&class=NAME"
                )


class _BadRecordError(Exception):
    pass


def _parse(record: bytes) -> Mapping[str, tf.train.Feature]:
    """The features of a record, a mapping from name to `tf.train.Feature`."""
    try:
        return tf.train.Example.FromString(record).features.feature
    except DecodeError as error:
        raise _BadRecordError(f"not a tf.train.Example: {error}") from error


def _value(example: Mapping[str, tf.train.Feature], name: str, kind: str) -> Any:
    """The one value of a feature, or None where the record has none."""
    if name not in example:
        return None
    held, values = example[name].WhichOneof("kind"), getattr(example[name], kind).value
    if held in (None, kind) and not values:
        return None
    if len(values) != 1:
        raise _BadRecordError(f"feature {name!r} is not one value of {kind}, but of {held}")
    return values[0]


def _number(example: Mapping[str, tf.train.Feature], name: str) -> int | None:
    """The number of a record's label; None where there is none, or text among numbers."""
    if name in example and example[name].WhichOneof("kind") == "bytes_list":
        return None
    return _value(example, name, "int64_list")


def _text(example: Mapping[str, tf.train.Feature], label: str, class_name: str) -> bytes | None:
    """The text of a record's label, or of its class; or None."""
    return _value(example, label, "bytes_list") or _value(example, class_name, "bytes_list")


@functools.lru_cache(maxsize=4096)  # a source is listed several times in a run
def _look_at_labels(file: shards.Shard, label: str, class_name: str, limit: int = -1) -> Seen:
    """`Seen` of a `Shard`, up to what is damaged; of one with numbers, the first will do."""
    texts = set()
    with contextlib.suppress(*_DAMAGE):
        for record in _records(file.path, limit):
            with contextlib.suppress(_BadRecordError):
                example = _parse(record)
                if label in example and example[label].int64_list.value:
                    return Seen(True, frozenset())
                texts.add(_text(example, label, class_name))
    return Seen(False, frozenset(filter(None, texts)))


def _name(short: bytes, index: int) -> bytes:
    return b"%s:%d" % (short, index)


def _records(path: str, limit: int = -1) -> Iterator[bytes]:
    compression = "GZIP" if _is_gzip(path) else ""
    return tf.data.TFRecordDataset(path, compression).take(limit).as_numpy_iterator()


def _is_gzip(path: str) -> bool:
    return path.endswith((".gz", ".gzip"))


def _count(path: str) -> int:
    """Number of records; whatever is left behind the last whole one counts as one."""
    count = 0
    try:
        with tf.io.gfile.GFile(path, "rb") as file:
            for _ in _ends(gzip.GzipFile(fileobj=file) if _is_gzip(path) else file):
                count += 1
    except (*_DAMAGE, OSError, EOFError, zlib.error):
        count += 1
    return count


def _ends(file: BinaryIO | gzip.GzipFile) -> Iterator[int]:
    """Yields where each record ends, reading no more than the lengths.

    A record is its length, a checksum of it, the data and a checksum.
    """
    end, read = 0, file.read(_LENGTH.size)
    while read:
        if len(read) < _LENGTH.size:
            raise EOFError
        end += 16 + min(_LENGTH.unpack(read)[0], _FAR)
        file.seek(end - 1)
        read = file.read(1 + _LENGTH.size)
        if not read:
            raise EOFError
        yield end
        read = read[1:]
