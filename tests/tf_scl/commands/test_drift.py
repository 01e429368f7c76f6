import json

import keras
import numpy as np
import pytest

import tf_scl
from tests.conftest import encode, photo
from tf_scl import cli


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("drift") / "served" / "1"
    layers = [keras.Input((8, 8, 3)), keras.layers.AveragePooling2D(4), keras.layers.Flatten()]
    images = np.stack([photo(number, 8, 8) for number in range(60)])
    tf_scl.export_saved_model(keras.Sequential(layers), path, reference=images)
    return str(path.parent)


@pytest.fixture
def folders(tmp_path):
    """Images of the same kind, and the same ones in the dark."""
    for number in range(100, 140):
        pixels = photo(number, 8, 8)
        for name, scale in (("same", 1), ("dark", 5)):
            (tmp_path / name).mkdir(exist_ok=True)
            (tmp_path / name / f"{number}.png").write_bytes(encode(pixels // scale))
    return tmp_path


def test_the_exit_status_says_whether_there_is_drift(model, folders, capsys):
    assert cli.main(["drift", str(folders / "same"), model]) == 0
    assert "drift      none is shown\n" in capsys.readouterr().out
    assert cli.main(["drift", str(folders / "dark"), model]) == 3
    assert "drift      yes, " in capsys.readouterr().out


def test_json_and_a_page(model, folders, capsys):
    out = folders / "drift.html"
    flags = ["--json", "--out", str(out), "--most", "30", "--level", "0.5"]
    assert cli.main(["drift", str(folders / "dark"), model, *flags]) == 3
    found = json.loads(capsys.readouterr().out)
    assert found["listed"] == 40 and found["drift"]["images"] == 30
    assert found["drift"]["drifted"] is True
    assert found["drift"]["level"] == 0.5 and len(found["strangest"]) == 10
    assert cli.main(["drift", str(folders / "same"), model, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["drift"]["drifted"] is False
    page = out.read_text()
    assert page.count("data:image/png;base64,") == 10 and "<h1>Drift</h1>" in page
    assert all(name in page for name in found["strangest"])


@pytest.mark.parametrize(
    "flags,message",
    [
        (["--level", "0"], "--level must be at least 0.0001 and below 1: fewer false alarms than"),
        (["--level", "1"], "one in 10,000 cannot be promised. Received: 1.0"),
        (["--level", "0.00005"], "Received: 5e-05"),
        (["--most", "19"], "--most must be at least 20: drift is not seen in fewer images. Receiv"),
        (["--out", "drift.pdf"], "--out must end in .html. Received: 'drift.pdf'"),
        (["--ingest.max_megabytes", "0"], "--ingest.max_megabytes must be between 1"),
    ],
)
def test_mistakes_are_one_line(model, folders, capsys, flags, message):
    assert cli.main(["drift", str(folders / "same"), model, *flags]) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("error: ") and message in error


def test_a_model_that_keeps_nothing(folders, tmp_path, capsys):
    layers = [keras.Input((8, 8, 3)), keras.layers.Flatten()]
    tf_scl.export_saved_model(keras.Sequential(layers), tmp_path / "model")
    assert cli.main(["drift", str(folders / "same"), str(tmp_path / "model")]) == 2
    assert "keeps no embeddings to compare with; `make run` writes them" in capsys.readouterr().err


def test_a_mistake_is_found_before_anything_is_opened(capsys):
    assert cli.main(["drift", "no-such-photos", "no-such-model", "--most", "5"]) == 2
    assert "--most must be at least 20" in capsys.readouterr().err


def test_a_crash_has_another_exit_status(model, folders, capsys, monkeypatch):
    def crash(*_):
        raise RuntimeError("a mistake of ours")

    monkeypatch.setattr("tf_scl.drift.compare.compare", crash)
    with pytest.raises(RuntimeError):  # a traceback, and of Python the status 1
        cli.main(["drift", str(folders / "dark"), model])
