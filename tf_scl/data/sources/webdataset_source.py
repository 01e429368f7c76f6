"""Tar shards as webdataset writes them: the members of a sample have one key."""

import gzip
import os
import re
import tarfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import tensorflow as tf

from tf_scl.data.sources import shards
from tf_scl.data.sources.source import (
    UNREADABLE,
    Item,
    Problem,
    Source,
    Unit,
    complete,
    make_item,
    require_items,
    too_large,
)
from tf_scl.data.sources.text_labels import Seen, labels_of_units

IMAGE_SUFFIXES = ("jpg", "jpeg", "png", "webp", "bmp", "tif", "tiff", "gif", "ppm")
_LABEL_SUFFIX = "cls"
_LONGEST_LABEL = 1000  # bytes

# "cats/07.seg.png": key "cats/07", suffix "seg.png". Hidden files have no key.
_MEMBER = re.compile(r"((?:.*/)?[^/.]+)\.([^/]+)", re.DOTALL)
_DAMAGE = (tarfile.TarError, OSError, EOFError, zlib.error, tf.errors.OpError)


class WebdatasetSource(Source):
    """`webdataset:PATTERN`, tar files, or .tar.gz.

    A sample is a run of members that are called the same up to the first dot
    of the file name. Of each, the first member with one of `IMAGE_SUFFIXES`
    is read, and the label from KEY.cls, if there is one: a whole number; or,
    where any label of the source is not, text, and then the classes are all
    texts of all tars, sorted.
    Members without a dot, and hidden ones, are no part of any sample. Items
    are named SHARD/KEY.
    """

    def units(self) -> list[Unit]:
        """One for each tar, whose samples are counted; see `Source.units`."""
        files = shards.find_shards(self._location, self.name)
        looked = [_look(file) for file in files]
        seen = [Seen(bool(numbers), texts) for _, numbers, texts in looked]
        if any(one.texts for one in seen):  # then numbers are texts too
            seen = [Seen(False, numbers | texts) for _, numbers, texts in looked]
        units = [
            Unit((file.path, file.short, labels), count, file.size)
            for file, (count, _, _), labels in zip(
                files, looked, labels_of_units(seen), strict=True
            )
        ]
        return require_items([unit for unit in units if unit.items], self.name)

    def read(self, unit: Unit, max_bytes: int) -> Iterator[Item]:
        """See `Source.read`; a damaged tar cannot be read from its last whole sample on."""
        path, short, labels = unit.locator
        items = _items(path, short, None if labels is None else dict(labels), max_bytes)
        return complete(unit, items, lambda index: b"%s:%d" % (short, index), _DAMAGE)

    def fingerprint(self) -> str:
        """Of names, sizes and times; see `Source.fingerprint`."""
        return shards.fingerprint(shards.find_shards(self._location, self.name))


def _items(
    path: str, short: bytes, labels: Mapping[bytes, int] | None, max_bytes: int
) -> Iterator[Item]:
    def load(
        tar: tarfile.TarFile, member: tarfile.TarInfo, suffix: str
    ) -> tuple[bytes | None, Problem | None] | None:
        """(data, problem) of a member."""
        if suffix not in (*IMAGE_SUFFIXES, _LABEL_SUFFIX):
            return None
        if not member.isreg():
            return None, (UNREADABLE, f"{member.name!r} is not a regular file")
        problem = too_large(member.size, max_bytes)
        return None if problem else _content(tar, member), problem

    for key, sample in _samples(path, load):
        yield _item(b"%s/%s" % (short, os.fsencode(key)), sample, labels, max_bytes)


def _item(
    name: bytes, sample: Mapping[str, Any], labels: Mapping[bytes, int] | None, max_bytes: int
) -> Item:
    image: Any = next(
        (loaded for suffix, loaded in sample.items() if suffix in IMAGE_SUFFIXES),
        (None, (UNREADABLE, f"no image among its members, {sorted(sample)}")),
    )
    data, problem = image
    text, label_problem = sample.get(_LABEL_SUFFIX, (None, None))
    label, class_name = None, None
    if text is not None:
        try:
            label, class_name = _label(text, labels)
        except (ValueError, KeyError):
            kind = "a whole number" if labels is None else "a text that was listed"
            label_problem = UNREADABLE, f".{_LABEL_SUFFIX} is {text[:20]!r}, not {kind}"
    problem = problem or label_problem
    if problem:
        return Item(name, None, problem=problem)
    return make_item(name, data, label, class_name, max_bytes)


def _label(text: bytes, labels: Mapping[bytes, int] | None) -> tuple[int | None, bytes | None]:
    """(Label, class name or None) of what a .cls holds."""
    if labels is None:
        return int(text), None
    text = text.strip()
    return (labels[text], text) if text else (None, None)


def _look(file: shards.Shard) -> tuple[int, frozenset[bytes], frozenset[bytes]]:
    """(Number of samples, labels that are numbers, labels that are texts) of a `Shard`.

    What is damaged counts as one sample.
    """
    count, numbers, texts = 0, set(), set()
    try:
        for _, sample in _samples(file.path, _load_label):
            count += 1
            text = sample.get(_LABEL_SUFFIX)
            if text and _is_number(text):
                numbers.add(text)
            elif text:
                texts.add(text)
    except _DAMAGE:
        count += 1
    return count, frozenset(numbers), frozenset(texts)


def _load_label(tar: tarfile.TarFile, member: tarfile.TarInfo, suffix: str) -> bytes | None:
    """The text of a label, or None of any other member."""
    if suffix != _LABEL_SUFFIX or not member.isreg() or member.size > _LONGEST_LABEL:
        return None
    return _content(tar, member).strip()


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = tar.extractfile(member)
    if file is None:
        raise tarfile.ReadError(f"{member.name!r} has no content")
    return file.read()


def _is_number(text: bytes) -> bool:
    try:
        int(text)
    except ValueError:
        return False
    return True


def _samples(
    path: str, load: Callable[[tarfile.TarFile, tarfile.TarInfo, str], Any]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yields (key, {suffix: what `load` made of the member}) of each sample.

    Of a damaged tar, the last sample is left out: some of it may be missing.

    Raises:
        One of `_DAMAGE`, after the last whole sample.
    """
    sample: tuple[str, dict[str, Any]] | None = None
    for key, suffix, tar, member in _members(path):
        if sample is None or key != sample[0]:
            if sample:
                yield sample
            sample = key, {}
        sample[1].setdefault(suffix, load(tar, member, suffix))
    if sample:
        yield sample


def _members(path: str) -> Iterator[tuple[str, str, tarfile.TarFile, tarfile.TarInfo]]:
    """Yields (key, suffix, tar, member) of each member, in order."""
    with tf.io.gfile.GFile(path, "rb") as file:
        if path.endswith((".gz", ".tgz")):
            file = gzip.GzipFile(fileobj=file)
        with tarfile.open(
            fileobj=file, mode="r:", encoding="utf-8", errors="surrogateescape"
        ) as tar:
            while (member := tar.next()) is not None:
                # Else a tar of millions would fill the memory.
                tar.members.clear()  # type: ignore[attr-defined]  # typeshed has no `members`
                match = _MEMBER.fullmatch(member.name)
                if match and not member.isdir():
                    yield match[1], match[2].lower(), tar, member
            _require_end(tar)


def _require_end(tar: tarfile.TarFile) -> None:
    """tarfile takes a damaged or missing header for the end; the end is a block of zeros."""
    tar.fileobj.seek(tar.offset)
    if tar.fileobj.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
        raise tarfile.ReadError("the tar is damaged, or ends before its end")
    while tar.fileobj.read(tarfile.RECORDSIZE):  # gzip's checksum comes last
        pass
