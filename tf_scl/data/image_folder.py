"""A folder of images: which files it holds, and what the folders say of classes."""

import dataclasses
import hashlib
import os
from collections.abc import Iterable, Iterator

from tf_scl.errors import InputError
from tf_scl.typing import PathLike


@dataclasses.dataclass(frozen=True)
class ImageFile:
    """One file below the folder.

    Attributes:
        path: bytes, below the folder, since names need not be UTF-8.
        size: Bytes, or -1 where the file cannot be looked at.
        modified: Time of the last change, ns.
        class_name: bytes, the top-level sub-folder, or None for a file
            directly in the folder.
    """

    path: bytes
    size: int
    modified: int
    class_name: bytes | None


def list_images(folder: PathLike) -> list[ImageFile]:
    """Lists every file of an image folder, but not hidden ones.

    `folder/CLASS/**/file` is of class CLASS; `folder/file` has no class. All
    files count, whatever their suffix: what is no image is found out, and
    reported, when it is opened.

    Args:
        folder: Path of a local directory.

    Returns:
        List of `ImageFile`, sorted by path.

    Raises:
        InputError: No such folder, not a folder, no permission, or no file.
    """
    folder = os.fspath(folder)
    root = os.fsencode(folder)
    if not os.path.isdir(root):
        what = "is a file, not a folder" if os.path.exists(root) else "does not exist"
        raise InputError(f"the image folder {folder!r} {what}; give the path of a folder of images")
    files = sorted(_walk(root, folder), key=lambda file: file.path)
    if not files:
        raise InputError(
            f"the image folder {folder!r} holds 0 files; give the path of a folder of images"
        )
    return files


def single_image(path: PathLike) -> ImageFile:
    """The `ImageFile` of a file by itself, which has no class."""
    status = os.stat(path)
    name = os.path.basename(os.fsencode(path))
    return ImageFile(name, status.st_size, status.st_mtime_ns, None)


def fingerprint(files: Iterable[ImageFile]) -> str:
    """Hex digest of names, sizes and times: changes when any file does."""
    digest = hashlib.sha256()
    for file in files:
        digest.update(b"%s\0%d\0%d\n" % (file.path, file.size, file.modified))
    return digest.hexdigest()


def _walk(root: bytes, folder: str) -> Iterator[ImageFile]:
    """Yields every file, following links, but not in a circle."""
    waiting: list[tuple[bytes, tuple[bytes, ...]]] = [(b"", (os.path.realpath(root),))]
    while waiting:
        below, ancestors = waiting.pop()
        directory = os.path.join(root, below)
        try:
            names = sorted(os.listdir(directory))
        except OSError as error:
            raise InputError(
                f"cannot list {os.fsdecode(directory)!r} in the image folder {folder!r}: "
                f"{error.strerror}; give the user who runs this permission to read it"
            ) from error
        for name in names:
            if name.startswith(b"."):
                continue
            path = os.path.join(below, name)
            full = os.path.join(root, path)
            if os.path.isdir(full):
                real = os.path.realpath(full)
                if real not in ancestors:
                    waiting.append((path, (*ancestors, real)))
                continue
            class_name = below.split(os.sep.encode())[0] or None
            try:
                status = os.stat(full)
                yield ImageFile(path, status.st_size, status.st_mtime_ns, class_name)
            except OSError:  # a broken link: listed, and rejected when it is opened
                yield ImageFile(path, -1, 0, class_name)
