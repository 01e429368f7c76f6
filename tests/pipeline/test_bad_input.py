"""What cannot work is said at once, in one line, before anything heavy is loaded."""

import os
import subprocess
import sys

import pytest

from components import checks
from tests.conftest import encode, photo


def _run(*flags):
    return subprocess.run(
        [sys.executable, "-m", "pipeline.local_runner", *map(str, flags)],
        capture_output=True,
        text=True,
        timeout=120,
    )


def _error(*flags):
    done = _run(*flags)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr + done.stdout
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ")
    return line


def test_no_such_folder(tmp_path):
    line = _error("--data", tmp_path / "nowhere", "--out", tmp_path / "out")
    assert f"'{tmp_path}/nowhere' does not exist; give the path of a folder of images" in line


def test_an_empty_folder(tmp_path):
    (tmp_path / "images").mkdir()
    line = _error("--data", tmp_path / "images", "--out", tmp_path / "out")
    assert "holds 0 files; give the path of a folder of images" in line


def test_a_folder_with_two_images(tmp_path):
    (tmp_path / "images").mkdir()
    for number in range(2):
        (tmp_path / "images" / f"{number}.png").write_bytes(encode(photo(number)))
    line = _error("--data", tmp_path / "images", "--out", tmp_path / "out")
    assert "holds 2 images; at least 4 are needed" in line


def test_fewer_images_than_a_batch(image_folder, tmp_path):
    for flags in (["--train.batch_size", 64], ["--preset", "cifar10"]):
        line = _error("--data", image_folder, "--out", tmp_path / "out", *flags)
        assert f"but of the 48 images in '{image_folder}' only some 38 are to train on" in line
        assert "--train.batch_size 9 or add images" in line


def test_one_image(image_folder, tmp_path):
    line = _error("--data", image_folder / "cat" / "00.png", "--out", tmp_path / "out")
    assert "/cat/00.png' holds 1 image; at least 4 are needed" in line


def test_a_table_beside_the_images_is_no_image(tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a.png").write_bytes(encode(photo(1)))
    for number in range(10):
        (tmp_path / "images" / f"labels{number}.csv").write_text("a.png,cat")
    line = _error("--data", tmp_path / "images", "--out", tmp_path / "out")
    assert "images' holds 1 image; at least 4 are needed" in line


def test_a_flag_by_half_its_name(tmp_path):
    line = _error("--out", tmp_path / "out", "--train.epoch", "3")
    assert "no flag --train.epoch; did you mean --train.epochs?" in line


def test_an_encoder_that_is_not_there(image_folder, tmp_path):
    data = ["--data", image_folder, "--out", tmp_path / "out"]
    line = _error(*data, "--model.encoder", tmp_path / "vit.keras")
    assert f"model.encoder '{tmp_path}/vit.keras' does not exist; give the path of a file" in line


def test_an_encoder_that_nobody_knows_is_named_before_the_images_are_read(image_folder, tmp_path):
    out = tmp_path / "out"
    done = _run("--data", image_folder, "--out", out, "--model.encoder", "ResNet5")
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: no encoder 'ResNet5': --model.encoder takes resnet, a name of")
    assert "did you mean ResNet50" in line
    assert not (out / "pipeline").exists()


def test_a_value_out_of_range(tmp_path):
    line = _error("--out", tmp_path / "out", "--train.base_learning_rate", "-1")
    assert "train.base_learning_rate must be above 0 (number). Received: -1.0" in line


@pytest.mark.parametrize("below", ["a_file/out", "a_file"])
def test_an_output_folder_that_cannot_be_written(tmp_path, below):
    (tmp_path / "a_file").write_text("")
    line = _error("--out", tmp_path / below)
    assert f"cannot write to the output folder '{tmp_path / below}'" in line
    assert "give another with --out" in line


def test_a_read_only_output_folder():
    line = _error("--out", "/proc/tf_scl")  # even root may not write there
    assert "cannot write to the output folder '/proc/tf_scl'" in line


def test_output_inside_the_images(image_folder):
    line = _error("--data", image_folder, "--out", image_folder / "out")
    assert "lies inside the image folder" in line
    assert not (image_folder / "out").exists()


def test_an_output_folder_that_tfx_would_read_as_a_pattern(image_folder, tmp_path):
    line = _error("--data", image_folder, "--out", tmp_path / "a[1]", "--train.batch_size", 4)
    assert "one of the characters * ? [ ]" in line


def test_an_empty_path(tmp_path):
    assert "'' does not exist" in _error("--data=", "--out", tmp_path / "out")


def test_a_mistake_in_the_images_leaves_no_output_behind(tmp_path):
    _error("--data", tmp_path / "nowhere", "--out", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_two_runs_in_one_folder(tmp_path):
    with checks.exclusive_lock(str(tmp_path)):
        assert "another run is using the output folder" in _error("--out", tmp_path)


def test_make_takes_any_path(tmp_path):
    done = subprocess.run(
        ["make", "--silent", "run", f"DATA={tmp_path}/it's $here"],
        capture_output=True,
        text=True,
        # Not the ARGS that a `make test` around this was given.
        env={
            name: value
            for name, value in os.environ.items()
            if name != "ARGS" and not name.startswith("MAKE")
        },
    )
    assert f'error: the image folder "{tmp_path}/it\'s $here" does not exist' in done.stderr
