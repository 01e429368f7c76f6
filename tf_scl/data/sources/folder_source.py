"""A local folder of images, with class sub-folders or without."""

import os
import stat
from collections.abc import Iterator, Sequence

from tf_scl.data import image_folder
from tf_scl.data.sources.source import UNREADABLE, Item, Problem, Source, Unit, too_large
from tf_scl.data.sources.text_labels import class_labels
from tf_scl.errors import InputError
from tf_scl.images.image_signature import is_image_file

_SPLIT_NAMES = {"train", "test", "val", "valid", "validation", "eval"}
_FILES_PER_UNIT = 32


class FolderSource(Source):
    """`PATH`: FOLDER/CLASS/**/file, or FOLDER/file without a class; or one image file.

    Items are named by their path below the folder, a single file by its name. A file that cannot be
    opened, be it a broken link or a pipe, is an item with a problem.
    """

    def units(self) -> list[Unit]:
        """Runs of at most 32 files, sorted by path; see `Source.units`."""
        files = self._files()
        labels = self._labels(files)
        return [
            _unit(files[start : start + _FILES_PER_UNIT], labels)
            for start in range(0, len(files), _FILES_PER_UNIT)
        ]

    def read(self, unit: Unit, max_bytes: int) -> Iterator[Item]:
        """See `Source.read`."""
        root = self._base_folder()
        for path, label, class_name in unit.locator:
            data, problem = _read(os.path.join(root, path), max_bytes)
            yield Item(path, data, label, class_name, problem)

    def fingerprint(self) -> str:
        """Of names, sizes and times; see `Source.fingerprint`."""
        return image_folder.fingerprint(self._files())

    def count_images(self, units: Sequence[Unit]) -> int:
        """By the files' names, or their first bytes; see `Source.count_images`."""
        paths = (
            os.path.join(self._base_folder(), path) for unit in units for path, _, _ in unit.locator
        )
        return sum(map(is_image_file, paths))

    def require_trainable(self, units: Sequence[Unit]) -> None:
        """Also refuses sub-folders that look like splits; see `Source.require_trainable`."""
        super().require_trainable(units)
        names = {class_name for unit in units for _, _, class_name in unit.locator}
        classes = {os.fsdecode(name) for name in names if name is not None}
        if classes and {name.lower() for name in classes} <= _SPLIT_NAMES:
            raise InputError(
                f"the sub-folders of {self.name!r} are {sorted(classes)}: these are splits, not "
                f"classes. Give one of them, such as {os.path.join(self.name, max(classes))!r}; "
                "tf_scl makes its own split"
            )

    def _files(self) -> list[image_folder.ImageFile]:
        if os.path.isfile(self._location) and is_image_file(self._location):
            return [image_folder.single_image(self._location)]
        return image_folder.list_images(self._location)

    def _base_folder(self) -> bytes:
        """Bytes, the folder that items are named below."""
        location = os.fsencode(self._location)
        return location if os.path.isdir(location) else os.path.dirname(location)

    def _labels(self, files: Sequence[image_folder.ImageFile]) -> dict[bytes, int]:
        return class_labels(file.class_name for file in files if file.class_name is not None)


def _unit(files: Sequence[image_folder.ImageFile], labels: dict[bytes, int]) -> Unit:
    locator = tuple(
        (file.path, labels.get(file.class_name) if file.class_name else None, file.class_name)
        for file in files
    )
    return Unit(locator, len(files), sum(max(file.size, 0) for file in files))


def _read(path: bytes, max_bytes: int) -> tuple[bytes | None, Problem | None]:
    """(data, None), or (None, problem)."""
    try:
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode):
            return None, (UNREADABLE, "not a regular file")
        problem = too_large(status.st_size, max_bytes)
        if problem:
            return None, problem
        with open(path, "rb") as file:
            return file.read(), None
    except OSError as error:
        return None, (UNREADABLE, error.strerror or str(error))
