import json
import shutil
import types

import pytest
from tfx.components.pusher import executor as tfx_executor
from tfx.types import standard_artifacts
from tfx.utils import io_utils

from components.atomic_pusher import served_versions
from components.atomic_pusher.driver import ServingFolderDriver
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

    def run(blessed=True, identifier="a push"):
        blessing.set_int_custom_property("blessed", int(blessed))
        pushed = standard_artifacts.PushedModel()
        pushed.uri = str(tmp_path / "pushed")
        destination = {"filesystem": {"base_directory": str(tmp_path / "serving")}}
        Executor().Do(
            {"model": [model], "model_blessing": [blessing]},
            {"pushed_model": [pushed]},
            {
                "push_destination": json.dumps(destination),
                **({"push": identifier} if identifier else {}),
            },
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
    push(identifier="one")
    push(identifier="two")
    assert sorted(path.name for path in (tmp_path / "serving").iterdir()) == ["1000", "1001"]


def _wanted_push(tmp_path, blessed=True, model="model"):
    """What the driver asks for, given what the serving folder holds."""
    inputs = {
        "model": standard_artifacts.Model(),
        "model_blessing": standard_artifacts.ModelBlessing(),
    }
    inputs["model"].uri = str(tmp_path / model)
    inputs["model_blessing"].set_int_custom_property("blessed", int(blessed))
    destination = {"filesystem": {"base_directory": str(tmp_path / "serving")}}
    info = types.SimpleNamespace(
        input_dict={name: [artifact] for name, artifact in inputs.items()},
        exec_properties={"push_destination": json.dumps(destination), "custom_config": None},
    )
    output = ServingFolderDriver(None).run(info)
    assert output.exec_properties["push_destination"].string_value == json.dumps(destination)
    return output.exec_properties["push"].string_value


def test_a_served_model_is_not_pushed_again_but_one_that_is_gone_is(push, tmp_path):
    first = _wanted_push(tmp_path)
    assert first != _wanted_push(tmp_path)  # nothing is served: each is a push of its own
    push(identifier=first)
    assert _wanted_push(tmp_path) == first  # TFX will find the cached result
    shutil.rmtree(tmp_path / "serving")
    assert _wanted_push(tmp_path) != first


def test_a_superseded_model_is_pushed_again_as_the_newest(push, tmp_path):
    push(identifier="one")
    assert _wanted_push(tmp_path, model="other") != "one"
    (newer,) = (tmp_path / "serving").iterdir()
    shutil.copytree(newer, tmp_path / "serving" / str(int(newer.name) + 5))
    served_versions.write_note(str(tmp_path / "serving" / str(int(newer.name) + 5)), "b", "two")
    assert _wanted_push(tmp_path) != "one"
    pushed = push(identifier="three")
    assert pushed.get_string_custom_property("pushed_version") == str(int(newer.name) + 6)
    assert _wanted_push(tmp_path) == "three"


def test_without_a_driver_a_served_model_is_not_pushed_again(push, tmp_path):
    first = push(identifier=None)
    again = push(identifier=None)
    (version,) = (tmp_path / "serving").iterdir()
    for pushed in (first, again):
        assert pushed.get_int_custom_property("pushed") == 1
        assert pushed.get_string_custom_property("pushed_destination") == str(version)
        assert pushed.get_string_custom_property("pushed_version") == version.name
    assert push(blessed=False, identifier=None).get_int_custom_property("pushed") == 0
    shutil.rmtree(tmp_path / "serving")
    push(identifier=None)
    (version,) = (tmp_path / "serving").iterdir()
    assert (version / "saved_model.pb").exists()


def test_without_a_driver_a_superseded_model_is_pushed_again(push, tmp_path):
    push(identifier=None)
    (version,) = (tmp_path / "serving").iterdir()
    served_versions.write_note(str(version), "another model", None)
    push(identifier=None)
    assert len(list((tmp_path / "serving").iterdir())) == 2


def test_a_push_that_was_killed_before_tfx_knew_of_it_is_not_made_twice(push, tmp_path):
    first = push(identifier="one")
    shutil.rmtree(first.uri)
    again = push(identifier="one")
    (version,) = (tmp_path / "serving").iterdir()
    assert again.get_int_custom_property("pushed") == 1
    assert again.get_string_custom_property("pushed_destination") == str(version)
    assert again.get_string_custom_property("pushed_version") == version.name
    assert (tmp_path / "pushed" / "saved_model.pb").read_bytes() == b"graph"


def test_what_a_killed_push_was_filling_is_removed_and_nothing_else(push, tmp_path):
    push()
    kept = sorted((tmp_path / "serving").iterdir())
    incoming = served_versions.incoming(str(tmp_path / "serving"))
    shutil.copytree(kept[0], incoming)
    served_versions.remove_incoming(str(tmp_path / "serving"))
    assert sorted((tmp_path / "serving").iterdir()) == kept
    served_versions.remove_incoming(str(tmp_path / "nowhere"))


def test_an_unblessed_model_wants_no_push(tmp_path):
    assert _wanted_push(tmp_path, blessed=False) == "none"


def test_folders_of_others_are_left_alone(push, tmp_path):
    (tmp_path / "serving" / "notes").mkdir(parents=True)
    (tmp_path / "serving" / "7").mkdir()
    assert served_versions.newest_version(str(tmp_path / "serving")) == str(tmp_path / "serving/7")
    assert served_versions.read_note(str(tmp_path / "serving" / "7")) == (None, None)
    push()
    assert (tmp_path / "serving" / "notes").exists() and (tmp_path / "serving" / "7").exists()


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
