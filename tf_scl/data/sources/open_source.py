"""From one string, such as `webdataset:shards/{000..010}.tar`, to the source it names.

| text                                    | what it is                                     |
|-----------------------------------------|------------------------------------------------|
| `PATH`                                  | a folder of images: class sub-folders, or flat;|
|                                         | or one image file                              |
| `numpy:FILE`                            | an array of pixels in a .npz or .npy           |
| `tfds:NAME[/CONFIG][:VERSION]`          | a data set of tensorflow-datasets              |
| `tfds:ImageFolder?data_dir=ROOT`        | ROOT/SPLIT/CLASS/file, as tfds.ImageFolder     |
| `tfrecord:PATTERN`                      | TFRecord files of `tf.train.Example`           |
| `webdataset:PATTERN`                    | tar shards                                     |

Options follow as `?option=value&option=value`; each class lists its own.
"""

import os
import re
from collections.abc import Sequence

from tf_scl.data.sources.folder_source import FolderSource
from tf_scl.data.sources.source import Source
from tf_scl.errors import InputError
from tf_scl.typing import PathLike

SCHEMES = ("numpy", "tfds", "tfrecord", "webdataset")

_SCHEME = re.compile(r"([A-Za-z]\w*):(.*)", re.DOTALL)
# The last "?" with "=" after it: patterns of file names hold others.
_OPTIONS = re.compile(r"(.*?)\?([^?=]*=[^?]*)", re.DOTALL)


def open_source(text: PathLike) -> Source:
    """The source that a text names.

    Nothing is read yet: that the data is there shows when units are listed.

    Args:
        text: Str or path, as in the table above.

    Returns:
        `Source`.

    Raises:
        InputError: An unknown scheme or option, or no location.
    """
    text = os.fspath(text)
    scheme, location, options = _split(text)
    if scheme is None:
        return FolderSource(text, os.path.expanduser(text), {})
    images_of_folder = (scheme, location) == ("tfds", "ImageFolder")
    kind = _classes()["tfds:ImageFolder" if images_of_folder else scheme]
    return kind(text, os.path.expanduser(location), _parse(options, kind.OPTIONS, text))


def _classes() -> dict[str, type[Source]]:
    """Imported here, for they take TensorFlow, which a command line can do without."""
    from tf_scl.data.sources.numpy_source import NumpySource
    from tf_scl.data.sources.tfds_image_folder_source import TfdsImageFolderSource
    from tf_scl.data.sources.tfds_source import TfdsSource
    from tf_scl.data.sources.tfrecord_source import TfrecordSource
    from tf_scl.data.sources.webdataset_source import WebdatasetSource

    return {
        "numpy": NumpySource,
        "tfds": TfdsSource,
        "tfds:ImageFolder": TfdsImageFolderSource,
        "tfrecord": TfrecordSource,
        "webdataset": WebdatasetSource,
    }


def absolute(text: PathLike) -> str:
    """The same source for a program that runs in another folder.

    Args:
        text: As `open_source` takes it.

    Returns:
        Str, with local paths made absolute.

    Raises:
        InputError: An unknown scheme, or no location.
    """
    scheme, location, options = _split(os.fspath(text))
    if scheme is None:
        return _absolute(location)
    if scheme != "tfds":
        location = _absolute(location)
    parts = [part.partition("=") for part in filter(None, options.split("&"))]
    options = "&".join(
        f"{name}={_absolute(value) if name == 'data_dir' else value}" for name, _, value in parts
    )
    return f"{scheme}:{location}" + (f"?{options}" if options else "")


def _absolute(path: str) -> str:
    return path if "://" in path else os.path.abspath(os.path.expanduser(path))


def _split(text: str) -> tuple[str | None, str, str]:
    """(Scheme or None, location, options)."""
    match = _SCHEME.fullmatch(text)
    if not match:
        return None, text, ""
    scheme, rest = match.groups()
    if scheme not in SCHEMES:
        raise InputError(
            f"{text!r} has an unknown scheme, {scheme!r}; it must be one of "
            f"{', '.join(SCHEMES)}. A folder whose name holds a colon is given as "
            f"{'./' + text!r}"
        )
    match = _OPTIONS.fullmatch(rest)
    location, options = match.groups() if match else (rest, "")
    if not location:
        raise InputError(f"{text!r} names no data; write {scheme}:LOCATION")
    return scheme, location, options


def _parse(options: str, allowed: Sequence[str], text: str) -> dict[str, str]:
    parsed = {}
    for option in filter(None, options.split("&")):
        name, _, value = option.partition("=")
        if name not in allowed or name in parsed or not value:
            names = f"the names are {', '.join(allowed)}" if allowed else "here there are none"
            raise InputError(
                f"{text!r} has the option {option!r}; options are written NAME=VALUE, each once, "
                f"joined by '&', and {names}"
            )
        parsed[name] = value
    return parsed
