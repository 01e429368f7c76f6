"""The folders that tfds.ImageFolder takes: ROOT/SPLIT/CLASS/file."""

import os
from collections.abc import Mapping, Sequence

from tf_scl.data.image_folder import ImageFile
from tf_scl.data.sources.folder_source import FolderSource
from tf_scl.data.sources.source import Unit
from tf_scl.data.sources.text_labels import class_labels
from tf_scl.errors import InputError


class TfdsImageFolderSource(FolderSource):
    """`tfds:ImageFolder?data_dir=ROOT&split=train`.

    Classes are counted over all splits, as tfds.ImageFolder does, so a label
    means the same in each. Files are read as those of any other folder:
    tfds.ImageFolder itself stops at the first that cannot be read, and passes
    over those whose suffix it does not know. Items are named by their path
    below ROOT/SPLIT.
    """

    OPTIONS = ("data_dir", "split")

    def __init__(self, name: str, location: str, options: Mapping[str, str]) -> None:
        """See `Source`."""
        if "data_dir" not in options:
            raise InputError(
                f"{name!r} names no folder; write tfds:ImageFolder?data_dir=ROOT&split=SPLIT"
            )
        self._root = os.path.expanduser(options["data_dir"])
        self._split = options.get("split", "train")
        super().__init__(name, os.path.join(self._root, self._split), options)

    def units(self) -> list[Unit]:
        """See `FolderSource.units`."""
        splits = _folders(self._root) if os.path.isdir(self._root) else []
        if self._split not in splits:
            raise InputError(
                f"{self.name!r}: there is no split {self._split!r} in {self._root!r}, but "
                f"{splits}; choose one with &split=NAME. The files are ROOT/SPLIT/CLASS/file"
            )
        return super().units()

    def _labels(self, files: Sequence[ImageFile]) -> dict[bytes, int]:
        splits = [os.path.join(self._root, split) for split in _folders(self._root)]
        classes = {os.fsencode(name) for split in splits for name in _folders(split)}
        return class_labels(classes)


def _folders(path: str) -> list[str]:
    """Names of the sub-folders, sorted, but not of hidden ones."""
    with os.scandir(path) as entries:
        return sorted(e.name for e in entries if e.is_dir() and not e.name.startswith("."))
