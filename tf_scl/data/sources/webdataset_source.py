"""Tar shards as webdataset writes them: the members of a sample have one key."""

import gzip
import os
import re
import tarfile
import zlib

import tensorflow as tf

from tf_scl.data.sources import shards
from tf_scl.data.sources.source import (
    UNREADABLE,
    Item,
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

    def units(self):
        """One for each tar, whose samples are counted; see `Source.units`."""
        files = shards.find_shards(self._location, self.name)
        counts, seen = zip(*(_look(file) for file in files), strict=True)
        if any(one.texts for one in seen):  # then numbers are texts too
            seen = [Seen(False, one.texts | one.numbers) for one in seen]
        units = [
            Unit((file.path, file.short, labels), count, file.size)
            for file, count, labels in zip(files, counts, labels_of_units(seen), strict=True)
        ]
        return require_items([unit for unit in units if unit.items], self.name)

    def read(self, unit, max_bytes):
        """See `Source.read`; a damaged tar cannot be read from its last whole sample on."""
        path, short, labels = unit.locator
        items = _items(path, short, None if labels is None else dict(labels), max_bytes)
        return complete(unit, items, lambda index: b"%s:%d" % (short, index), _DAMAGE)

    def fingerprint(self):
        """Of names, sizes and times; see `Source.fingerprint`."""
        return shards.fingerprint(shards.find_shards(self._location, self.name))


def _items(path, short, labels, max_bytes):
    def load(tar, member, suffix):
        """(data, problem) of a member."""
        if suffix not in (*IMAGE_SUFFIXES, _LABEL_SUFFIX):
            return None
        if not member.isreg():
            return None, (UNREADABLE, f"{member.name!r} is not a regular file")
        problem = too_large(member.size, max_bytes)
        return None if problem else tar.extractfile(member).read(), problem

    for key, sample in _samples(path, load):
        yield _item(b"%s/%s" % (short, os.fsencode(key)), sample, labels, max_bytes)


def _item(name, sample, labels, max_bytes):
    data, problem = next(
        (loaded for suffix, loaded in sample.items() if suffix in IMAGE_SUFFIXES),
        (None, (UNREADABLE, f"no image among its members, {sorted(sample)}")),
    )
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


def _label(text, labels):
    """(Label, class name or None) of what a .cls holds."""
    if labels is None:
        return int(text), None
    text = text.strip()
    return (labels[text], text) if text else (None, None)


def _look(file):
    """(Number of samples, `Seen`) of a `Shard`; what is damaged counts as one sample.

    `Seen.numbers` is the set of labels that can be read as numbers.
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
    return count, Seen(frozenset(numbers), frozenset(texts))


def _load_label(tar, member, suffix):
    """The text of a label, or None of any other member."""
    if suffix != _LABEL_SUFFIX or not member.isreg() or member.size > _LONGEST_LABEL:
        return None
    return tar.extractfile(member).read().strip()


def _is_number(text):
    try:
        int(text)
    except ValueError:
        return False
    return True


def _samples(path, load):
    """Yields (key, {suffix: what `load` made of the member}) of each sample.

    Of a damaged tar, the last sample is left out: some of it may be missing.

    Raises:
        One of `_DAMAGE`, after the last whole sample.
    """
    sample = None
    for key, suffix, tar, member in _members(path):
        if sample is None or key != sample[0]:
            if sample:
                yield sample
            sample = key, {}
        sample[1].setdefault(suffix, load(tar, member, suffix))
    if sample:
        yield sample


def _members(path):
    """Yields (key, suffix, tar, member) of each member, in order."""
    with tf.io.gfile.GFile(path, "rb") as file:
        if path.endswith((".gz", ".tgz")):
            file = gzip.GzipFile(fileobj=file)
        with tarfile.open(
            fileobj=file, mode="r:", encoding="utf-8", errors="surrogateescape"
        ) as tar:
            while (member := tar.next()) is not None:
                tar.members.clear()  # else a tar of millions would fill the memory
                match = _MEMBER.fullmatch(member.name)
                if match and not member.isdir():
                    yield match[1], match[2].lower(), tar, member
            _require_end(tar)


def _require_end(tar):
    """tarfile takes a damaged or missing header for the end; the end is a block of zeros."""
    tar.fileobj.seek(tar.offset)
    if tar.fileobj.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
        raise tarfile.ReadError("the tar is damaged, or ends before its end")
    while tar.fileobj.read(tarfile.RECORDSIZE):  # gzip's checksum comes last
        pass
