"""What can be found wrong with a run before its long work begins. Imports nothing heavy."""

import contextlib
import dataclasses
import errno
import fcntl
import glob
import os
import pathlib
import re
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator

from tf_scl.config import Config
from tf_scl.data.sources.folder_source import FolderSource
from tf_scl.data.sources.open_source import open_source
from tf_scl.encoders import model_files
from tf_scl.errors import InputError
from tf_scl.ingestion import training_images
from tf_scl.labels.labels_file import FOLDERS, read_labels_file

# In the output folder: TFX's record of what ran, the artifacts, what a model server watches.
RECORD_FILE = "metadata.sqlite"
ARTIFACTS_DIR = "pipeline"
SERVING_DIR = "serving"

_LOCK_FILE = ".lock"
_DISK_ERRORS = (
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EFBIG,
    errno.EROFS,
    errno.EACCES,
    errno.EPERM,
    errno.EIO,
)
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
# What SQLite says instead.
_SQLITE_ERRORS = {
    "database or disk is full": errno.ENOSPC,
    "attempt to write a readonly database": errno.EROFS,
    "disk I/O error": errno.EIO,
}


def check_run(
    images: str | None,
    out: str,
    config: Config,
    fit_batch: bool = False,
    labels: str | None = None,
) -> Config:
    """Makes the output folder of a run, if the run can work.

    Args:
        images: The source of images, or None for the bundled digits.
        out: Path of the output folder.
        config: `tf_scl.Config`.
        fit_batch: Whether a batch that is too large for the images is made smaller.
        labels: Path of a file of labels, or `FOLDERS`, or None.

    Returns:
        `tf_scl.Config`: the same, but for the batch.

    Raises:
        InputError: A source that cannot be used, fewer images than a batch
            takes, an encoder's file that is missing, a file of labels that is
            wrong in itself, or an output folder that cannot be used.
    """
    model_files.check_files(config.model)
    if labels not in (None, FOLDERS):
        read_labels_file(labels)
        _require_outside(labels, images)
    if images is not None:
        config = _check_images(images, out, config, fit_batch)
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
    return config


def _require_outside(labels: str, images: str | None) -> None:
    """Raises InputError for a file of labels among the images, whose change would be theirs."""
    folder = os.path.realpath(images) if images and os.path.isdir(images) else None
    if folder and os.path.commonpath([folder, os.path.realpath(labels)]) == folder:
        raise InputError(
            f"labels file {labels!r}: it lies inside the image folder {images!r}, so that with "
            "each new label the images would count as changed, and be learned from anew; move it "
            "out",
            setting="labels",
        )


def _check_images(images: str, out: str, config: Config, fit_batch: bool) -> Config:
    """The settings for a source of images that can be trained on."""
    source = open_source(images)
    folder = os.path.realpath(images)
    inside = os.path.commonpath([folder, os.path.realpath(out)]) == folder
    if isinstance(source, FolderSource) and inside:
        raise InputError(
            f"the output folder {out!r} lies inside the image folder {images!r}; "
            "give another with --out (make run OUT=...)"
        )
    units = source.units()
    source.require_trainable(units)
    train = config.train
    if fit_batch:
        train = training_images.fit_batch(train, source, units, config.ingest)
    training_images.require_batch(train, source, units, config.ingest)
    return dataclasses.replace(config, train=train)


@contextlib.contextmanager
def exclusive_lock(out: str) -> Iterator[None]:
    """Holds the output folder while a run is under way.

    Raises:
        InputError: Another run holds it.
    """
    with open(os.path.join(out, _LOCK_FILE), "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise InputError(
                f"another run is using the output folder {out!r}; wait for it, or give "
                "another with --out (make run OUT=...)"
            ) from error
        yield


def check_metadata_db(out: str) -> None:
    """Reads through TFX's record of earlier runs, a SQLite file; it may be missing.

    Args:
        out: Path of the output folder, held by `exclusive_lock`.

    Raises:
        InputError: The file is damaged, or of something else; or it is gone or
            empty while there are artifacts, on whose places new ones would fall.
    """
    path = os.path.join(out, RECORD_FILE)
    if os.path.exists(path) and (os.path.getsize(path) or not os.path.isfile(path)):
        problem = _problem_of_record(path)
    else:
        artifacts = os.path.join(glob.escape(os.path.join(out, ARTIFACTS_DIR)), "*", "*", "[0-9]*")
        state = "empty" if os.path.exists(path) else "gone"
        problem = state if glob.glob(artifacts) else None
    if problem:
        raise InputError(
            f"the record of earlier runs, {path!r}, is {problem}. Put a copy of it back; or move "
            f"it and {os.path.join(out, ARTIFACTS_DIR)!r} away and run the same again: all is "
            f"computed anew, and {os.path.join(out, SERVING_DIR)!r} stays as it is; or give "
            "another folder with --out (make run OUT=...)"
        )


def _problem_of_record(path: str) -> str | None:
    """What is wrong with a SQLite file of ML Metadata, such as "damaged (...)", or None."""
    try:
        with contextlib.closing(
            sqlite3.connect(f"{pathlib.Path(path).as_uri()}?mode=rw", uri=True)
        ) as database:
            ((verdict, *_), *_) = database.execute("PRAGMA quick_check(1)")
            if verdict != "ok":
                return f"damaged ({' '.join(verdict.split())})"
            tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master")}
    except sqlite3.Error as error:
        if "locked" in str(error):
            raise InputError(
                f"the record of earlier runs, {path!r}, is in use by another program ({error}); "
                "wait until that has ended, and run the same again"
            ) from error
        return f"damaged, or cannot be opened ({error})"
    if not {"MLMDEnv", "Execution", "Artifact", "Event"} <= tables:
        found = ", ".join(sorted(tables)[:3]) or "none"
        return f"a SQLite file of something else (tables: {found}), not of ML Metadata"
    return None


def disk_error(error: BaseException | None, out: str) -> InputError | None:
    """The `InputError` that says of an exception that a disk is full or cannot be written.

    Args:
        error: Exception of a run, whatever raised it: Python, TensorFlow, Beam or SQLite.
        out: Path of the output folder.

    Returns:
        `InputError`, or None where it is about something else.
    """
    found = None
    while error is not None:  # the innermost says most about the place
        code = _disk_error_code(error)
        found = (code, error) if code is not None else found
        error = error.__cause__ or error.__context__
    return InputError(_describe(*found, out)) if found else None


def _disk_error_code(error: BaseException) -> int | None:
    if isinstance(error, OSError) and error.errno in _DISK_ERRORS:
        return error.errno
    texts = {**{os.strerror(code): code for code in _DISK_ERRORS}, **_SQLITE_ERRORS}
    return next((code for text, code in texts.items() if text in str(error)), None)


def _describe(code: int, error: BaseException, out: str) -> str:
    place = getattr(error, "filename", None)
    place = os.fspath(place) if isinstance(place, str | bytes | os.PathLike) else None
    if place is None:
        found = re.search(re.escape(out) + r"/[^\s'\";,)\]]*", str(error))
        place = found[0].rstrip(".:") if found else out
    if code in _FULL:
        folder = place
        while not os.path.isdir(folder) and folder != os.path.dirname(folder):
            folder = os.path.dirname(folder)
        free = shutil.disk_usage(folder or ".").free / 2**20
        remedy = f" ({free:.1f} MB are free there); make room"
    else:
        remedy = "; see to it that it can be read and written"
    return (
        f"cannot use {place!r}: {os.strerror(code)}{remedy}, then run the same again: "
        "it goes on from the last component, and in training from the last checkpoint"
    )
