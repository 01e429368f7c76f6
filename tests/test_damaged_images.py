import collections
import io
import os
import stat
import time

import numpy as np
import PIL.Image
import PIL.ImageOps
import pytest

from tests.conftest import encode, photo
from tests.damaged_images import BAD, GOOD, KINDS, write_damaged_images
from tf_scl.data.image_folder import list_images
from tf_scl.images import check_image as module
from tf_scl.images.check_image import RejectedImageError, check_image
from tf_scl.images.decode import decode_image

_REASONS = {
    getattr(module, name)
    for name in ("EMPTY", "NOT_AN_IMAGE", "OTHER_FORMAT", "TOO_LARGE", "DAMAGED", "UNSUPPORTED")
}


@pytest.fixture(scope="module")
def damaged(tmp_path_factory):
    """400 files of seed 0, more than three of each kind: the folder, and path -> kind."""
    folder = tmp_path_factory.mktemp("damaged") / "images"
    return folder, write_damaged_images(folder, 400, 0)


def _outcomes(folder, kinds):
    """Yields kind, contents, and what `check_image` returned or raised, of what can be read."""
    check_image(encode(photo(0)), 10**8)  # TensorFlow starts here, which takes its time
    for path, kind in kinds.items():
        full = os.path.join(os.fsencode(folder), path)
        if os.path.isfile(full) and os.access(full, os.R_OK):
            with open(full, "rb") as file:
                data = file.read()
            start = time.process_time()
            try:
                outcome = check_image(data, 10**8)
            except RejectedImageError as error:
                outcome = error
            assert time.process_time() - start < 20, (path, kind)
            yield kind, data, outcome


def _as_pil_sees_it(data):
    image = PIL.ImageOps.exif_transpose(PIL.Image.open(io.BytesIO(data)))
    if image.mode == "I;16":
        return (np.asarray(image) >> 8).astype(np.uint8)
    return np.asarray(image.convert("L" if image.mode in ("1", "L", "LA") else "RGB"))


def test_every_file_is_kept_or_rejected_for_a_known_reason(damaged):
    counts = collections.Counter()
    for kind, _, outcome in _outcomes(*damaged):
        if isinstance(outcome, RejectedImageError):
            assert kind not in GOOD, (kind, outcome)
            assert outcome.reason in _REASONS
            counts[outcome.reason] += 1
        else:
            assert kind not in BAD, kind
            decoded = decode_image(outcome.encoded, outcome.channels)
            assert decoded.shape == (outcome.height, outcome.width, outcome.channels)
            counts["kept"] += 1
    assert set(counts) >= {"kept", *_REASONS} - {module.UNSUPPORTED}
    assert counts["kept"] > 150


def test_what_is_kept_of_good_files_is_what_pil_sees(damaged):
    for kind, data, outcome in _outcomes(*damaged):
        if kind in GOOD:
            stored = PIL.Image.open(io.BytesIO(outcome.encoded))
            np.testing.assert_array_equal(np.asarray(stored), _as_pil_sees_it(data), kind)


def test_the_kinds_are_those_of_all_files_of_the_folder(damaged):
    folder, kinds = damaged
    assert {file.path for file in list_images(folder)} == set(kinds)
    assert len(kinds) == 400
    assert set(kinds.values()) == set(KINDS)
    assert not GOOD & BAD


def _contents(folder):
    """Dict from path to type and contents of everything below a folder."""
    found = {}
    for directory, folders, files in os.walk(os.fsencode(folder)):
        for name in folders + files:
            path = os.path.join(directory, name)
            mode = os.lstat(path).st_mode
            data = os.readlink(path) if stat.S_ISLNK(mode) else None
            if stat.S_ISREG(mode) and os.access(path, os.R_OK):
                with open(path, "rb") as file:
                    data = file.read()
            found[os.path.relpath(path, os.fsencode(folder))] = (mode, data)
    return found


def test_the_same_seed_gives_the_same_bytes(damaged, tmp_path):
    folder, kinds = damaged
    assert write_damaged_images(tmp_path / "again", 400, 0) == kinds
    assert _contents(tmp_path / "again") == _contents(folder)
    assert write_damaged_images(tmp_path / "other", 50, 1).keys() <= kinds.keys()
    assert not _contents(tmp_path / "other").items() <= _contents(folder).items()
