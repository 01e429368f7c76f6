import dataclasses
import hashlib

import pytest
import scipy.stats

from tf_scl.config import IngestConfig, TrainConfig, preset
from tf_scl.data.sources.open_source import open_source
from tf_scl.data.sources.source import Source, Unit
from tf_scl.errors import InputError
from tf_scl.ingestion import training_images

_PNG = b"\x89PNG\r\n\x1a\n"


class _Counted(Source):
    """A source that says how many images it holds, and is never read."""

    def __init__(self, count):
        super().__init__("some", "", {})
        self.count = count

    def units(self):
        return [Unit((), self.count, 0)]


def _fitted(count, batch, accumulate=1):
    source = _Counted(count)
    train = dataclasses.replace(TrainConfig(), batch_size=batch, accumulate=accumulate)
    return training_images.fit_batch(train, source, source.units(), IngestConfig()).batch_size


@pytest.mark.parametrize("count", [4, 5, 10, 40, 150, 500, 700, 3000])
@pytest.mark.parametrize("name", ["laptop", "digits"])
def test_a_fitted_batch_leaves_several_steps(count, name):
    batch = _fitted(count, preset(name).train.batch_size)
    # The number of images to train on is binomial; this is the worst of 10,000 cases.
    images = scipy.stats.binom(count, 0.8).ppf(1e-4)
    assert batch >= 2 and batch & (batch - 1) == 0
    assert images // batch >= 4 or batch == 2
    assert batch == preset(name).train.batch_size or batch > images / 16


def test_enough_images_leave_the_batch_as_it_is():
    assert _fitted(1797, 256) == 256
    assert _fitted(10**6, 128) == 128


def test_a_fitted_batch_is_shared_evenly_by_the_micro_batches():
    assert _fitted(20, 128, accumulate=16) == 16
    assert _fitted(20, 96, accumulate=3) == 3


def _folder(tmp_path, count, other=0, copies=0):
    for number in range(count):
        (tmp_path / f"{number}.png").write_bytes(_PNG + b"%d" % number)
    for number in range(other):
        (tmp_path / f"{number}.csv").write_bytes(b"file,label")
    for number in range(copies):
        (tmp_path / f"copy{number}.png").write_bytes(_PNG + b"0")
    return open_source(tmp_path)


def _require(source, batch):
    train = dataclasses.replace(TrainConfig(), batch_size=batch)
    training_images.require_batch(train, source, source.units(), IngestConfig())


def _for_training(count):
    digests = [hashlib.sha256(_PNG + b"%d" % number).hexdigest() for number in range(count)]
    return sum(int(digest, 16) >= 0.2 * 2**256 for digest in digests)


def test_where_it_is_close_the_images_are_counted(tmp_path):
    source, exact = _folder(tmp_path, 60, other=30, copies=5), _for_training(60)
    _require(source, exact)
    with pytest.raises(InputError) as raised:
        _require(source, exact + 1)
    assert f"batch_size is {exact + 1} but of the 65 images" in str(raised.value)
    assert f"only {exact} are to train on" in str(raised.value)


def test_what_is_only_called_an_image_does_not_count_where_it_is_close(tmp_path):
    source = _folder(tmp_path, 6)
    for number in range(14):
        (tmp_path / f"bad{number}.png").write_bytes(b"bad")
    with pytest.raises(InputError, match=f"only {_for_training(6)} are to train on"):
        _require(source, 16)


def test_what_is_no_image_and_what_is_to_evaluate_on_does_not_count(tmp_path):
    source = _folder(tmp_path, 40, other=1000)
    with pytest.raises(InputError) as raised:
        _require(source, 64)
    assert str(raised.value) == (
        f"train.batch_size is 64 but of the 40 images in '{tmp_path}' only some 32 are to train on "
        "(ingest.eval_fraction is 0.2); use train.batch_size 8 or add images"
    )


def test_where_it_is_clear_nothing_is_read():
    source = _Counted(1000)
    _require(source, 700)
    with pytest.raises(InputError, match="is 900 but of the 1000 images"):
        _require(source, 900)
