import numpy as np
import pytest

from tf_scl.config import EvaluateConfig
from tf_scl.evaluation import baseline_cache, representation

_CONFIG = EvaluateConfig(draws=2, fractions=())


def _data(labels=True):
    rng = np.random.default_rng(0)
    truth = rng.integers(3, size=100)
    pixels = (truth[:, None] + rng.normal(size=(100, 6))).astype(np.float32)
    truth = truth if labels else -np.ones_like(truth)
    return pixels[:60], truth[:60], pixels[60:], truth[60:]


@pytest.fixture
def calls(monkeypatch):
    """The measurements that were really made."""
    made, measure = [], representation.measure
    monkeypatch.setattr(representation, "measure", lambda *a: (made.append(1), measure(*a))[1])
    return made


@pytest.mark.parametrize("labels", [True, False])
def test_what_is_looked_up_is_what_was_measured(tmp_path, calls, labels):
    cache = str(tmp_path / "cache"), "the code"
    expected = representation.measure(*_data(labels), _CONFIG)
    for _ in range(2):
        found = baseline_cache.measure(cache, *_data(labels), _CONFIG)
        assert found.result == expected.result
        assert (found.correct is None) == (not labels)
        for name in ("few", "whole", "near") if labels else ():
            ours, theirs = getattr(found.correct, name), getattr(expected.correct, name)
            np.testing.assert_array_equal(ours, theirs)
        np.testing.assert_array_equal(found.truth, expected.truth)
        np.testing.assert_array_equal(found.predictions, expected.predictions)
    assert len(calls) == 2  # the expected one, and one of two


def test_whatever_the_numbers_depend_on_makes_them_anew(tmp_path, calls):
    folder, data = str(tmp_path), _data()
    baseline_cache.measure((folder, "the code"), *data, _CONFIG)
    baseline_cache.measure((folder, "other code"), *data, _CONFIG)
    baseline_cache.measure((folder, "the code"), *data, EvaluateConfig(draws=3, fractions=()))
    for place in range(4):
        changed = [array.copy() for array in data]
        changed[place][0] += 1
        baseline_cache.measure((folder, "the code"), *changed, _CONFIG)
    assert len(calls) == 7


def test_a_damaged_file_is_made_again(tmp_path, calls, caplog):
    cache, data = (str(tmp_path), ""), _data()
    baseline_cache.measure(cache, *data, _CONFIG)
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:-30])
    baseline_cache.measure(cache, *data, _CONFIG)
    baseline_cache.measure(cache, *data, _CONFIG)
    assert len(calls) == 2 and "cannot be read" in caplog.text


def test_a_folder_that_cannot_be_written_costs_the_next_run_time_alone(tmp_path, caplog):
    (tmp_path / "file").write_text("")
    measured = baseline_cache.measure((str(tmp_path / "file" / "below"), ""), *_data(), _CONFIG)
    assert measured.result.finite and "are not kept for the next run" in caplog.text
