import json

import pytest
from tfx.components.pusher import executor as tfx_executor
from tfx.types import standard_artifacts
from tfx.utils import io_utils

from components.atomic_pusher.executor import Executor


@pytest.fixture
def push(tmp_path):
    """A function that pushes a small model, blessed or not; returns the artifact."""
    model, blessing = standard_artifacts.Model(), standard_artifacts.ModelBlessing()
    serving_model = tmp_path / "model" / "Format-Serving"
    (serving_model / "variables").mkdir(parents=True)
    (serving_model / "saved_model.pb").write_bytes(b"graph")
    (serving_model / "variables" / "variables.index").write_bytes(b"weights")
    model.uri, blessing.uri = str(tmp_path / "model"), str(tmp_path / "blessing")

    def run(blessed=True):
        blessing.set_int_custom_property("blessed", int(blessed))
        pushed = standard_artifacts.PushedModel()
        pushed.uri = str(tmp_path / "pushed")
        destination = {"filesystem": {"base_directory": str(tmp_path / "serving")}}
        Executor().Do(
            {"model": [model], "model_blessing": [blessing]},
            {"pushed_model": [pushed]},
            {"push_destination": json.dumps(destination)},
        )
        return pushed

    return run


def test_a_version_appears_whole(push, tmp_path):
    pushed = push()
    (version,) = (tmp_path / "serving").iterdir()
    assert version.name.isdigit()
    assert pushed.get_string_custom_property("pushed_destination") == str(version)
    assert pushed.get_string_custom_property("pushed_version") == version.name
    assert (version / "saved_model.pb").read_bytes() == b"graph"
    assert (version / "variables" / "variables.index").read_bytes() == b"weights"


def test_two_pushes_within_a_second_are_two_versions(push, tmp_path, monkeypatch):
    monkeypatch.setattr(tfx_executor.time, "time", lambda: 1000.0)
    push()
    push()
    assert sorted(path.name for path in (tmp_path / "serving").iterdir()) == ["1000", "1001"]


def test_an_unblessed_model_is_not_pushed(push, tmp_path):
    assert push(blessed=False).get_int_custom_property("pushed") == 0
    assert list(tmp_path.glob("serving/*")) == []


def test_a_push_that_fails_half_way_leaves_nothing(push, tmp_path, monkeypatch):
    def fail(*_, **__):
        raise OSError("disk full")

    monkeypatch.setattr(io_utils, "copy_file", fail)  # saved_model.pb, the last file
    with pytest.raises(OSError, match="disk full"):
        push()
    assert list((tmp_path / "serving").iterdir()) == []
