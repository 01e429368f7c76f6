"""What can be found wrong with a run before its long work begins. Imports nothing heavy."""

import contextlib
import fcntl
import os
import tempfile

from tf_scl.data.sources.folder_source import FolderSource
from tf_scl.data.sources.open_source import open_source
from tf_scl.errors import InputError

_LOCK_FILE = ".lock"


def check_run(images, out, config):
    """Makes the output folder of a run, if the run can work.

    Args:
        images: The source of images, or None for the bundled digits.
        out: Path of the output folder.
        config: `tf_scl.Config`.

    Raises:
        InputError: A source that cannot be used, fewer images than a batch
            takes, or an output folder that cannot.
    """
    if images is not None:
        source = open_source(images)
        folder = os.path.realpath(images)
        inside = os.path.commonpath([folder, os.path.realpath(out)]) == folder
        if isinstance(source, FolderSource) and inside:
            raise InputError(
                f"the output folder {out!r} lies inside the image folder {images!r}; "
                "give another with --out (make run OUT=...)"
            )
        config.train.require_batch(sum(unit.items for unit in source.units()))
    if set("*?[]") & set(out):
        raise InputError(
            f"the output folder {out!r} has one of the characters * ? [ ] in its path, which "
            "TFX reads as a pattern; give another with --out (make run OUT=...)"
        )
    try:
        os.makedirs(out, exist_ok=True)
        with tempfile.TemporaryFile(dir=out):
            pass
    except OSError as error:
        raise InputError(
            f"cannot write to the output folder {out!r}: {error.strerror}; "
            "give another with --out (make run OUT=...)"
        ) from error


@contextlib.contextmanager
def only_run_in(out):
    """Holds the output folder while a run is under way.

    Raises:
        InputError: Another run holds it.
    """
    with open(os.path.join(out, _LOCK_FILE), "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise InputError(
                f"another run is using the output folder {out!r}; wait for it, or give "
                "another with --out (make run OUT=...)"
            ) from error
        yield
