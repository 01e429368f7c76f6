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
from tests.tf_scl.report.examples import unlabeled_evaluation
from tf_scl.dataclass_json import dumps
from tf_scl.evaluation.results import Leakage


@pytest.fixture
def push(tmp_path):
    """A function that pushes a small model, blessed or not; returns the artifact."""
    model, blessing = standard_artifacts.Model(), standard_artifacts.ModelBlessing()
    serving_model = tmp_path / "model" / "Format-Serving"
    (serving_model / "variables").mkdir(parents=True)
    (serving_model / "saved_model.pb").write_bytes(b"graph")
    (serving_model / "variables" / "variables.index").write_bytes(b"weights")
    model.uri, blessing.uri = str(tmp_path / "model"), str(tmp_path / "blessing")
    (serving_model / "assets.extra").mkdir()
    noted = {"settings": {}, "image_size": 16, "channels": 3, "dimension": 64}
    noted |= {"weights": "float32", "max_pixels": 1000}
    (serving_model / "assets.extra" / "tf_scl.json").write_text(json.dumps(noted))
    for name, images in (("evaluation", 353), ("other", 99)):
        (tmp_path / name).mkdir()
        measured = unlabeled_evaluation(leakage=Leakage(images, 0.9, 1.0))
        (tmp_path / name / "evaluation.json").write_text(dumps(measured))

    def run(blessed=True, identifier="a push", license="none", measured="evaluation"):
        evaluation = standard_artifacts.ModelEvaluation()
        evaluation.uri = str(tmp_path / measured)
        blessing.set_int_custom_property("blessed", int(blessed))
        pushed = standard_artifacts.PushedModel()
        pushed.uri = str(tmp_path / "pushed")
        destination = {"filesystem": {"base_directory": str(tmp_path / "serving")}}
        Executor().Do(
            {"model": [model], "model_blessing": [blessing], "evaluation": [evaluation]},
            {"pushed_model": [pushed]},
            {
                "push_destination": json.dumps(destination),
                "serve_config": _stated(license),
                **({"push": identifier} if identifier else {}),
            },
        )
        return pushed

    return run


def _stated(license="none"):
    return json.dumps({"license": license})


def _write_note_of_another(version):
    served_versions.write_note(str(version), served_versions.Note("another model", "one"))


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
    _write_note_of_another(tmp_path / "serving" / "1000")
    push(identifier="two")
    assert sorted(path.name for path in (tmp_path / "serving").iterdir()) == ["1000", "1001"]


def _wanted_push(tmp_path, blessed=True, model="model", measured="evaluation", license="none"):
    """What the driver asks for, given what the serving folder holds."""
    inputs = {
        "model": standard_artifacts.Model(),
        "model_blessing": standard_artifacts.ModelBlessing(),
        "evaluation": standard_artifacts.ModelEvaluation(),
    }
    inputs["evaluation"].uri = str(tmp_path / measured)
    inputs["model"].uri = str(tmp_path / model)
    inputs["model_blessing"].set_int_custom_property("blessed", int(blessed))
    destination = {"filesystem": {"base_directory": str(tmp_path / "serving")}}
    info = types.SimpleNamespace(
        input_dict={name: [artifact] for name, artifact in inputs.items()},
        exec_properties={
            "push_destination": json.dumps(destination),
            "custom_config": None,
            "serve_config": _stated(license),
        },
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
    _write_note_of_another(tmp_path / "serving" / str(int(newer.name) + 5))
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
    _write_note_of_another(version)
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
    for name in ("README.md-0a.partial", "assets.extra/push.json-0b.partial"):
        (kept[0] / name).write_text("half")
    inside = sorted(path for path in kept[0].rglob("*") if path.suffix != ".partial")
    served_versions.remove_incoming(str(tmp_path / "serving"))
    assert sorted((tmp_path / "serving").iterdir()) == kept
    assert sorted(kept[0].rglob("*")) == inside
    served_versions.remove_incoming(str(tmp_path / "nowhere"))


def test_an_unblessed_model_wants_no_push(tmp_path):
    assert _wanted_push(tmp_path, blessed=False) == "none"


def test_folders_of_others_are_left_alone(push, tmp_path):
    (tmp_path / "serving" / "notes").mkdir(parents=True)
    (tmp_path / "serving" / "7").mkdir()
    assert served_versions.newest_version(str(tmp_path / "serving")) == str(tmp_path / "serving/7")
    assert served_versions.read_note(str(tmp_path / "serving" / "7")) == served_versions.Note()
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


def test_a_version_has_a_card_and_so_has_the_artifact(push, tmp_path):
    push()
    (version,) = (tmp_path / "serving").iterdir()
    card = (version / "README.md").read_text()
    assert "| license | not stated |" in card and "353 of the 353 evaluation images" in card
    assert (tmp_path / "pushed" / "README.md").read_text() == card


def test_a_card_follows_what_is_stated_and_measured_without_a_new_push(push, tmp_path):
    """Also where it was so before, and TFX would have a cached result."""
    for license, measured in (("mit", "evaluation"), ("mit", "other"), ("none", "other")) * 2:
        wanted = {"license": license, "measured": measured}
        first = _wanted_push(tmp_path, **wanted)
        pushed = push(identifier=first, **wanted)
        assert pushed.get_int_custom_property("pushed") == 1
        assert _wanted_push(tmp_path, **wanted) == first
        (version,) = (tmp_path / "serving").iterdir()
        card = (version / "README.md").read_text()
        assert ("\nlicense: mit\n" in card) == (license == "mit")
        assert ("99 of the 353" in card) == (measured == "other")
        assert (tmp_path / "pushed" / "README.md").read_text() == card
        shutil.rmtree(tmp_path / "pushed")
