"""From images and a file of labels to a classifier that is served, on this machine."""

import json
import pathlib
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

import tf_scl
from tests.conftest import encode, photo, write_bright_and_dark
from tests.pipeline.test_end_to_end import _BEFORE_TRAINING, _FLAGS, _FROM_TRAINING, _run, _states

pytestmark = pytest.mark.slow

_ROOT = pathlib.Path(__file__).parent.parent.parent
_LABELS = "ImageLabelGen"
_CLASSIFIER = ["ClassifierTrainer", "ClassifierEvaluator", "ClassifierPusher"]


def _write_labels(path, folder, numbers):
    """A file of labels, the opposite of what the folders are called."""
    lines = ["filename,label"]
    for number in numbers:
        name = "bright" if number % 2 else "dark"
        other = "dunkel" if number % 2 else "hell"
        assert (folder / name / f"{number}.png").exists()
        lines.append(f"{name}/{number}.png,{other}")
    path.write_text("\n".join(lines) + "\n")


def _expected(ran):
    every = [*_BEFORE_TRAINING, *_FROM_TRAINING, _LABELS, *_CLASSIFIER]
    return {name: "ran" if name in ran else "cached" for name in every}


def test_labels_become_a_served_classifier_and_more_of_them_a_new_one(tmp_path):
    folder, out, labels = tmp_path / "photos", tmp_path / "out", tmp_path / "labels.csv"
    write_bright_and_dark(folder, 200)
    _write_labels(labels, folder, range(120))
    flags = ["--data", str(folder), "--labels", str(labels), "--evaluate.require_gain", "false"]
    flags += ["--serve.license", "mit"]
    first = _run(_ROOT, out, *flags)
    assert _states(first) == _expected([*_expected([])])
    assert "Classifier of 2 classes, from" in first.stdout
    (version,) = (out / "serving-classifier").iterdir()
    assert f"blessed and pushed: {version}" in first.stdout

    # Served, it answers bytes as the Keras model of the run does.
    summary = json.loads((out / "summary.json").read_text())["classifier"]
    assert summary["pushed"] and summary["model"] == str(version)
    assert summary["evaluation"]["score"]["accuracy"] > 0.9
    model = tf_scl.load_model(summary["keras_model"])
    assert model.classes == ("dunkel", "hell")
    pixels = np.stack([photo(number, 8, 8) // 2 + 128 * (number % 2) for number in range(6)])
    pixels = pixels.astype(np.uint8)
    served = tf.saved_model.load(str(version)).signatures["classify"]
    found = served(image_bytes=tf.constant([encode(one) for one in pixels]))
    np.testing.assert_allclose(found["score"], model.predict(pixels, verbose=0), atol=1e-5)
    line = first.stdout.split("Classify an image:\n")[1].splitlines()[0].strip()
    (tmp_path / "image.png").write_bytes(encode(pixels[1]))
    answer = subprocess.run([sys.executable, "-c", line], cwd=tmp_path, capture_output=True)
    assert b"dunkel" in answer.stdout, answer.stderr

    # It knows the images that it was made for.
    command = [sys.executable, "-m", "tf_scl.cli", "drift", str(folder), str(version)]
    drift = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True)
    assert drift.returncode == 0 and "none is shown" in drift.stdout, drift.stderr

    # Beside both models lies a card.
    card = (version / "README.md").read_text()
    assert "# A classifier of images" in card and "license: mit" in card
    (encoder,) = (out / "serving").iterdir()
    assert "# An encoder of images" in (encoder / "README.md").read_text()

    # More labels: the images and what was pretrained from them come from the cache.
    _write_labels(labels, folder, range(140))
    more = _run(_ROOT, out, *flags)
    anew = [_LABELS, "RepresentationEvaluator", "Pusher", *_CLASSIFIER]
    states = _states(more)
    assert {name for name, state in states.items() if state == "ran"} <= set(anew)
    assert states["Trainer"] == states["ImageExampleGen"] == "cached"
    assert states["ClassifierTrainer"] == "ran"
    assert len(list((out / "serving-classifier").iterdir())) == 2
    evaluation = json.loads((out / "summary.json").read_text())["classifier"]["evaluation"]
    assert [check["baseline"]["name"] for check in evaluation["checks"]] == [
        "guesses",
        "most frequent class",
        "last blessed classifier",
    ]

    # A label of an image that there is not ends the run in one line, and changes nothing.
    labels.write_text(labels.read_text() + "dark/nowhere.png,hell\n")
    wrong = _run(_ROOT, out, *flags, succeeds=False)
    (line,) = wrong.stderr.strip().splitlines()
    assert line.startswith("error: labels file ") and "line 142 names 'dark/nowhere.png'" in line
    assert len(list((out / "serving-classifier").iterdir())) == 2


def test_class_folders_are_labels_and_an_encoder_that_is_refused_has_no_classifier(tmp_path):
    write_bright_and_dark(tmp_path / "photos", 80)
    flags = ["--data", str(tmp_path / "photos"), "--labels", "folders"]
    done = _run(_ROOT, tmp_path / "out", *flags, "--evaluate.min_effective_rank", "1000")
    assert "No classifier: the encoder was not blessed." in done.stdout
    assert not (tmp_path / "out" / "serving-classifier").exists()
    assert _FLAGS  # those of the other end-to-end tests
