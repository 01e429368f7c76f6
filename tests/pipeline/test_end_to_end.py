"""The whole chain on this machine, more than once."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

import tf_scl
from tests.conftest import encode, photo, write_bright_and_dark
from tests.tf_scl.encoders.tiny_vit import tiny_vit
from tests.tf_scl.images.test_check_image import huge_png_header
from tf_scl.serving.lineage import read_lineage

pytestmark = pytest.mark.slow

_ROOT = pathlib.Path(__file__).parent.parent.parent
_FLAGS = (
    "--model.image_size 8 --model.depth 10 --model.width 4 --model.projector_hidden 16 "
    "--model.embedding_dim 8 --train.batch_size 16 --train.epochs 1 --evaluate.draws 2"
).split()
_BEFORE_TRAINING = ["ImageExampleGen", "StatisticsGen", "SchemaGen", "ExampleValidator"]
_FROM_TRAINING = ["Trainer", "RepresentationEvaluator", "Pusher"]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """A copy of the code, so that a line of it can be changed."""
    copy = tmp_path_factory.mktemp("checkout")
    for name in ("tf_scl", "components", "pipeline"):
        shutil.copytree(_ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("setup.py", "pyproject.toml"):
        shutil.copy(_ROOT / name, copy / name)
    return copy


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """80 bright or dark images, a few bad files among them."""
    folder = tmp_path_factory.mktemp("images") / "photos"
    write_bright_and_dark(folder, 80)
    (folder / "dark" / "cut.jpg").write_bytes(encode(photo(0), "JPEG")[:-100])
    (folder / "dark" / "text.png").write_text("not an image")
    (folder / "dark" / "huge.png").write_bytes(huge_png_header())
    (folder / "only").mkdir()
    (folder / "only" / "one.png").write_bytes(encode(photo(1000)))
    return folder


def _run(checkout, out, *flags, succeeds=True):
    done = subprocess.run(
        [sys.executable, "-m", "pipeline.local_runner", "--out", str(out), *_FLAGS, *flags],
        cwd=checkout,
        env={**os.environ, "PYTHONPATH": str(checkout)},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert (done.returncode == 0) == succeeds, done.stdout[-3000:] + done.stderr[-3000:]
    return done


def _states(done):
    """Dict from component to "ran" or "cached", from the printed summary."""
    states = {}
    for state in ("ran", "cached"):
        for line in re.findall(rf"^{state} +(.*)$", done.stdout, re.MULTILINE):
            states.update(dict.fromkeys(line.split(", "), state))
    return states


def _expected(ran):
    every = _BEFORE_TRAINING + _FROM_TRAINING
    return {name: "ran" if name in ran else "cached" for name in every}


def test_first_run_cached_run_changed_setting_changed_code_new_image(checkout, images, tmp_path):
    out = tmp_path / "out"
    data = ["--data", str(images)]

    first = _run(checkout, out, *data)
    assert _states(first) == _expected(_BEFORE_TRAINING + _FROM_TRAINING)
    assert "84 found: 81 kept" in first.stdout
    assert "1 damaged or cut short; 1 not an image; 1 too many pixels" in first.stdout
    assert "one image only in: only" in first.stdout
    rejected = re.search(r"each with its reason in (.*)", first.stdout)[1]
    files = [json.loads(line)["file"] for line in pathlib.Path(rejected).read_text().splitlines()]
    assert files == ["dark/cut.jpg", "dark/huge.png", "dark/text.png"]
    for name in ("pretrained encoder", "untrained encoder", "raw pixels"):
        assert re.search(rf"^{name} .* % ", first.stdout, re.MULTILINE)

    # The line that the summary offers embeds an image, in a process of its own.
    line = re.search(r"Embed an image:\n +(.*)", first.stdout)[1]
    (tmp_path / "image.png").write_bytes(encode(photo(5)))
    embedded = subprocess.run(
        [sys.executable, "-c", line], cwd=tmp_path, capture_output=True, text=True
    )
    assert embedded.returncode == 0, embedded.stderr
    assert "shape=(1, 32), dtype=float32" in embedded.stdout

    second = _run(checkout, out, *data)
    assert _states(second) == _expected([])
    assert second.stdout.count("cached results are used") == 7

    setting = _run(checkout, out, *data, "--train.base_learning_rate", "0.01")
    assert _states(setting) == _expected(_FROM_TRAINING)

    for module in ("losses/spectral.py", "config.py"):
        with open(checkout / "tf_scl" / module, "a") as file:
            file.write("\n_UNUSED = 1\n")
    code = _run(checkout, out, *data)
    assert _states(code) == _expected(_FROM_TRAINING)

    shutil.copytree(images, tmp_path / "photos")
    moved = tmp_path / "photos"
    (moved / "dark" / "0.png").rename(moved / "bright" / "0.png")
    new_data = _run(checkout, out, "--data", str(moved), *data[2:])
    assert _states(new_data)["ImageExampleGen"] == "ran"
    assert _states(new_data)["Trainer"] == "ran"


def test_unlabeled_images_are_learned_from_and_pushed_where_no_gain_is_asked_for(
    checkout, images, tmp_path
):
    flat = tmp_path / "flat"
    flat.mkdir()
    for path in images.glob("*/[0-9]*.png"):
        shutil.copy(path, flat / path.name)
    out, data = tmp_path / "out", ["--data", str(flat)]
    # Four steps at next to no rate, on 64 images: nothing can have been learned.
    data += ["--train.base_learning_rate", "1e-12"]
    idle = _run(checkout, out, *data)
    assert "80 found: 80 kept" in idle.stdout
    assert "No labels: no linear probe, no kNN." in idle.stdout
    assert "NOT blessed, not pushed\nIt is not shown that the encoder is better" in idle.stdout
    assert not (out / "serving").exists()
    data += ["--evaluate.require_gain", "false"]
    done = _run(checkout, out, *data)
    assert _states(done) == _expected(["RepresentationEvaluator", "Pusher"])
    (version,) = (out / "serving").iterdir()
    assert f"blessed and pushed: {version}" in done.stdout
    assert (version / "saved_model.pb").exists()
    assert _states(_run(checkout, out, *data)) == _expected([])

    # A version that is gone is pushed again; nothing else is done again.
    shutil.rmtree(out / "serving")
    pushed = _run(checkout, out, *data)
    assert _states(pushed) == _expected(["Pusher"])
    (version,) = (out / "serving").iterdir()
    assert f"blessed and pushed: {version}" in pushed.stdout


def _brought(checkout, images, out, *flags):
    """A run with an encoder that is brought, pushed whatever it has learned."""
    pushed = "--evaluate.require_gain false --evaluate.min_effective_rank 0".split()
    return _run(checkout, out, "--data", str(images), "--model.image_size", "32", *pushed, *flags)


def _assert_served_as_keras_computes(out):
    """The newest version answers PNG bytes with what the Keras model of its training gives."""
    version = max((out / "serving").iterdir())
    (path,) = out.glob(f"pipeline/Trainer/model_run/{_newest(out)}/encoder.keras")
    pixels = np.stack([photo(number, 32, 32) for number in range(4)])
    expected = tf_scl.load_model(path)(pixels, training=False)
    serve = tf.saved_model.load(str(version)).signatures["serving_default"]
    found = serve(image_bytes=tf.constant([encode(one) for one in pixels]))["embedding"]
    allowed = 1e-5 * np.abs(expected).max()
    np.testing.assert_allclose(found, expected, rtol=0, atol=allowed)
    assert np.ptp(expected, axis=0).max() > 100 * allowed  # not one answer for all images


def _newest(out):
    return max(int(path.name) for path in out.glob("pipeline/Trainer/model_run/*"))


def test_a_network_of_keras_applications_is_trained_and_served(checkout, images, tmp_path):
    out = tmp_path / "out"
    # Steps enough for the moving averages of its many normalizations.
    flags = "--model.encoder MobileNetV3Small --model.backbone_rate 0.1 --train.epochs 10".split()
    done = _brought(checkout, images, out, *flags)
    assert _states(done) == _expected(_BEFORE_TRAINING + _FROM_TRAINING)
    assert "blessed and pushed: " in done.stdout
    _assert_served_as_keras_computes(out)


def test_a_vit_of_a_file_is_trained_and_served(checkout, images, tmp_path):
    out, path = tmp_path / "out", tmp_path / "vit.keras"
    tiny_vit().save(path)
    flags = "--model.encoder", str(path), "--train.optimizer", "adamw"
    done = _brought(checkout, images, out, *flags)
    assert "blessed and pushed: " in done.stdout
    _assert_served_as_keras_computes(out)
    (version,) = (out / "serving").iterdir()
    assert str(path) in read_lineage(str(version)).lineage.model_files


def test_a_collapsed_encoder_is_not_pushed(checkout, images, tmp_path):
    done = _run(
        checkout, tmp_path / "out", "--data", str(images), "--evaluate.min_effective_rank", "1000"
    )
    refused = "NOT blessed, not pushed\neffective rank: "
    assert refused in done.stdout and "refused below 1000." in done.stdout
    assert not list(tmp_path.glob("out/serving/*"))


def test_a_failed_run_resumes_and_publishes_nothing_half_done(checkout, images, tmp_path):
    out = tmp_path / "out"
    data = ["--data", str(images)]
    failed = _run(checkout, out, *data, "--train.base_learning_rate", "1e30", succeeds=False)
    (line,) = failed.stderr.strip().splitlines()
    assert line.startswith("error: the loss is not finite at epoch 1")
    assert not (out / "summary.json").exists()
    assert not list(out.glob("pipeline/Trainer/model/*"))
    again = _run(checkout, out, *data)
    assert _states(again) == _expected(_FROM_TRAINING)


def test_too_few_usable_images_end_in_one_line(checkout, tmp_path):
    folder = tmp_path / "mostly_bad"
    folder.mkdir()
    for number in range(20):
        data = encode(photo(number)) if number < 6 else b"bad"
        (folder / f"{number}.png").write_bytes(data)
    done = _run(checkout, tmp_path / "out", "--data", str(folder), succeeds=False)
    assert done.returncode == 2
    last = done.stderr.strip().splitlines()[-1]
    # Either a split is too small, or a batch: both say how many were usable.
    assert re.match("error: (split '(train|eval)' holds|--train.batch_size is 16 but)", last)
    assert "Traceback" not in done.stderr
