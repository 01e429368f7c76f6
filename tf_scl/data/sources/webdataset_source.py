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

IMAGE_SUFFIXES = ("jpg", "jpeg", "png", "webp", "bmp", "tif", "tiff", "gif", "ppm")
_LABEL_SUFFIX = "cls"

# "cats/07.seg.png": key "cats/07", suffix "seg.png". Hidden files have no key.
_MEMBER = re.compile(r"((?:.*/)?[^/.]+)\.([^/]+)", re.DOTALL)
_DAMAGE = (tarfile.TarError, OSError, EOFError, zlib.error, tf.errors.OpError)


class WebdatasetSource(Source):
    """`webdataset:PATTERN`, tar files, or .tar.gz.

    A sample is a run of members that are called the same up to the first dot
    of the file name. Of each, the first member with one of `IMAGE_SUFFIXES`
    is read, and the label from KEY.cls, if there is one (a whole number).
    Members without a dot, and hidden ones, are no part of any sample. Items
    are named SHARD/KEY.
    """

    def units(self):
        """One for each tar, whose samples are counted; see `Source.units`."""
        files = shards.find_shards(self._location, self.name)
        units = [Unit((file.path, file.short), _count(file.path), file.size) for file in files]
        return require_items([unit for unit in units if unit.items], self.name)

    def read(self, unit, max_bytes):
        """See `Source.read`; a damaged tar cannot be read from its last whole sample on."""
        path, short = unit.locator
        items = _items(path, short, max_bytes)
        return complete(unit, items, lambda index: b"%s:%d" % (short, index), _DAMAGE)

    def fingerprint(self):
        """Of names, sizes and times; see `Source.fingerprint`."""
        return shards.fingerprint(shards.find_shards(self._location, self.name))


def _items(path, short, max_bytes):
    def load(tar, member, suffix):
        """(data, problem) of a member."""
        if suffix not in (*IMAGE_SUFFIXES, _LABEL_SUFFIX):
            return None
        if not member.isreg():
            return None, (UNREADABLE, f"{member.name!r} is not a regular file")
        problem = too_large(member.size, max_bytes)
        return None if problem else tar.extractfile(member).read(), problem

    for key, sample in _samples(path, load):
        yield _item(b"%s/%s" % (short, os.fsencode(key)), sample, max_bytes)


def _item(name, sample, max_bytes):
    data, problem = next(
        (loaded for suffix, loaded in sample.items() if suffix in IMAGE_SUFFIXES),
        (None, (UNREADABLE, f"no image among its members, {sorted(sample)}")),
    )
    text, label_problem = sample.get(_LABEL_SUFFIX, (None, None))
    label = None
    if text is not None:
        try:
            label = int(text)
        except ValueError:
            label_problem = UNREADABLE, f".{_LABEL_SUFFIX} is {text[:20]!r}, not a whole number"
    problem = problem or label_problem
    if problem:
        return Item(name, None, problem=problem)
    return make_item(name, data, label, None, max_bytes)


def _count(path):
    """Number of samples; what is damaged counts as one."""
    count = 0
    try:
        for _ in _samples(path, lambda *_: None):
            count += 1
    except _DAMAGE:
        count += 1
    return count


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
