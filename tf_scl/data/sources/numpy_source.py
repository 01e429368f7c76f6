"""Pixels in a numpy file: a .npz with images and labels, or a .npy with images."""

import functools
import os
import zipfile
import zlib
from collections.abc import Iterator, Mapping

import numpy as np

from tf_scl.data.sources import shards
from tf_scl.data.sources.source import Item, Source, Unit, make_item, one_line, require_items
from tf_scl.errors import InputError
from tf_scl.typing import Array

_ROWS_PER_UNIT = 1000


class NumpySource(Source):
    """`numpy:FILE.npz?images=images&labels=labels`, or `numpy:FILE.npy`; local files.

    Images are uint8 [N, H, W], [N, H, W, 1] or [N, H, W, 3]; labels, which
    need not be there, whole numbers or text, [N] or [N, 1]. A .npz is read into memory
    as a whole, by each worker; of a .npy only what is used. Items are named
    ARRAY:ROW, and "images" is the array of a .npy.
    """

    OPTIONS = ("images", "labels")

    def __init__(self, name: str, location: str, options: Mapping[str, str]) -> None:
        """See `Source`."""
        super().__init__(name, location, options)
        self._images = options.get("images", "images")
        self._labels = options.get("labels", "labels")

    def units(self) -> list[Unit]:
        """Runs of at most 1000 rows; see `Source.units`."""
        images, _, _ = self._arrays
        row_size = images[0].nbytes if len(images) else 0
        units = []
        for start in range(0, len(images), _ROWS_PER_UNIT):
            rows = min(_ROWS_PER_UNIT, len(images) - start)
            units.append(Unit((start, start + rows), rows, rows * row_size))
        return require_items(units, self.name)

    def read(self, unit: Unit, max_bytes: int) -> Iterator[Item]:
        """See `Source.read`."""
        images, labels, classes = self._arrays
        for row in range(*unit.locator):
            label = None if labels is None else int(labels[row])
            class_name = classes[label] if classes and label is not None and label >= 0 else None
            name = b"%s:%d" % (self._images.encode(), row)
            yield make_item(name, np.array(images[row]), label, class_name, max_bytes)

    def fingerprint(self) -> str:
        """Of size and time; see `Source.fingerprint`."""
        return shards.fingerprint(shards.find_shards(self._location, self.name))

    @functools.cached_property
    def _arrays(self) -> tuple[Array, Array | None, list[bytes] | None]:
        """Images; labels [N] or None; and where these are text the classes, else None."""
        try:
            loaded = np.load(self._location, mmap_mode="r", allow_pickle=False)
            if isinstance(loaded, np.ndarray):
                images, labels = self._array_of_npy(loaded), None
            else:
                with loaded:
                    images, labels = self._arrays_of_npz(loaded)
        except InputError:
            raise
        except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
            raise InputError(
                f"{self.name!r}: cannot read {self._location!r} as a numpy file: "
                f"{one_line(error)}; give a .npz or .npy of numbers, as numpy.save writes it"
            ) from error
        self._check_images(images)
        return images, *self._checked_labels(labels, len(images))

    def _array_of_npy(self, array: Array) -> Array:
        if self._options:
            raise InputError(
                f"{self.name!r}: a .npy holds one array, without a name; leave out "
                f"{', '.join(sorted(self._options))}, or save a .npz with images and labels"
            )
        return array

    def _arrays_of_npz(self, file: np.lib.npyio.NpzFile) -> tuple[Array, Array | None]:
        for name in {"images": self._images, **self._options}.values():
            if name not in file.files:
                raise InputError(
                    f"{self.name!r}: there is no array {name!r} in {self._location!r}, but "
                    f"{sorted(file.files)}; say which is which with ?images=NAME&labels=NAME"
                )
        return file[self._images], file[self._labels] if self._labels in file.files else None

    def _check_images(self, images: Array) -> None:
        gray = images.ndim == 3
        color = images.ndim == 4 and images.shape[3] in (1, 3)
        if images.dtype != np.uint8 or not (gray or color) or 0 in images.shape[1:]:
            raise InputError(
                f"{self.name!r}: the images are {images.dtype} of shape {images.shape}; uint8 "
                "[N, H, W], [N, H, W, 1] or [N, H, W, 3] is needed, of values 0 to 255: convert "
                "them and save them again"
            )

    def _checked_labels(
        self, labels: Array | None, count: int
    ) -> tuple[Array | None, list[bytes] | None]:
        if labels is None:
            return None, None
        if labels.dtype.kind not in "iuUS" or labels.shape not in ((count,), (count, 1)):
            raise InputError(
                f"{self.name!r}: the labels are {labels.dtype} of shape {labels.shape}; whole "
                f"numbers from 0, or text, are needed, one for each of the {count} images: "
                "convert them and save them again"
            )
        labels = labels.reshape(count)
        return _number_texts(labels) if labels.dtype.kind in "US" else (labels, None)


def _number_texts(texts: Array) -> tuple[Array, list[bytes]]:
    """(labels, classes): numbers [N], -1 where a text is empty; and the sorted texts, bytes."""
    found, labels = np.unique(texts, return_inverse=True)
    classes = [os.fsencode(text) for text in found.tolist()]
    empty = int(bool(classes) and not classes[0])
    return labels - empty, classes[empty:]
