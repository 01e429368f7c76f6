"""What cannot work is said at once, in one line, before anything heavy is loaded."""

import contextlib
import io
import os
import subprocess
import sys

import pytest

from components import checks
from pipeline import local_run, local_runner
from tests.conftest import encode, photo


def _run(*flags):
    return subprocess.run(
        [sys.executable, "-m", "pipeline.local_runner", *map(str, flags)],
        capture_output=True,
        text=True,
        timeout=120,
    )


def _one_line(stderr):
    assert "Traceback" not in stderr
    (line,) = stderr.splitlines()
    assert line.startswith("error: ")
    return line


def error_of(*flags):
    """The line on stderr with which the command ends; nothing is written to stdout."""
    stdout, stderr = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(stdout), contextlib.redirect_stderr(stderr):
        status = local_runner.main([str(flag) for flag in flags])
    assert (status, stdout.getvalue()) == (2, "")
    return _one_line(stderr.getvalue())


def test_a_program_ends_with_status_2_and_the_line(tmp_path):
    done = _run("--data", tmp_path / "nowhere", "--out", tmp_path / "out")
    assert (done.returncode, done.stdout) == (2, "")
    line = error_of("--data", tmp_path / "nowhere", "--out", tmp_path / "out")
    assert _one_line(done.stderr) == line


def test_nothing_heavy_is_loaded_before_a_mistake_is_named(image_folder, tmp_path):
    out = ["--out", str(tmp_path / "out")]
    mistakes = [
        ["--data", str(tmp_path / "nowhere"), *out],
        ["--data", str(image_folder), "--preset", "cifar10", *out],
        ["--data", str(image_folder), "--model.encoder", str(tmp_path / "vit.keras"), *out],
        ["--train.epoch", "3", *out],
        ["--train.base_learning_rate", "-1", *out],
        ["--out", "/proc/tf_scl"],
        ["--data", str(image_folder), "--labels", str(tmp_path / "no.csv"), *out],
    ]
    code = f"""
import sys
from pipeline import local_runner
for mistake in {mistakes}:
    assert local_runner.main(mistake) == 2
print([name for name in ("tensorflow", "keras", "tfx", "apache_beam") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "[]\n", done.stderr
    assert len(done.stderr.splitlines()) == len(mistakes)


def test_no_such_folder(tmp_path):
    line = error_of("--data", tmp_path / "nowhere", "--out", tmp_path / "out")
    assert f"'{tmp_path}/nowhere' does not exist; give the path of a folder of images" in line


def test_an_empty_folder(tmp_path):
    (tmp_path / "images").mkdir()
    line = error_of("--data", tmp_path / "images", "--out", tmp_path / "out")
    assert "holds 0 files; give the path of a folder of images" in line


def test_a_folder_with_two_images(tmp_path):
    (tmp_path / "images").mkdir()
    for number in range(2):
        (tmp_path / "images" / f"{number}.png").write_bytes(encode(photo(number)))
    line = error_of("--data", tmp_path / "images", "--out", tmp_path / "out")
    assert "holds 2 images; at least 4 are needed" in line


def test_fewer_images_than_a_batch(image_folder, tmp_path):
    for flags in (["--train.batch_size", 64], ["--preset", "cifar10"]):
        line = error_of("--data", image_folder, "--out", tmp_path / "out", *flags)
        assert f"but of the 48 images in '{image_folder}' only some 38 are to train on" in line
        assert "--train.batch_size 9 or add images" in line


def test_one_image(image_folder, tmp_path):
    line = error_of("--data", image_folder / "cat" / "00.png", "--out", tmp_path / "out")
    assert "/cat/00.png' holds 1 image; at least 4 are needed" in line


def test_a_table_beside_the_images_is_no_image(tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a.png").write_bytes(encode(photo(1)))
    for number in range(10):
        (tmp_path / "images" / f"labels{number}.csv").write_text("a.png,cat")
    line = error_of("--data", tmp_path / "images", "--out", tmp_path / "out")
    assert "images' holds 1 image; at least 4 are needed" in line


def test_a_flag_by_half_its_name(tmp_path):
    line = error_of("--out", tmp_path / "out", "--train.epoch", "3")
    assert "no flag --train.epoch; did you mean --train.epochs?" in line


def test_an_encoder_that_is_not_there(image_folder, tmp_path):
    data = ["--data", image_folder, "--out", tmp_path / "out"]
    line = error_of(*data, "--model.encoder", tmp_path / "vit.keras")
    assert f"model.encoder '{tmp_path}/vit.keras' does not exist; give the path of a file" in line


def test_an_encoder_that_nobody_knows_is_named_before_the_images_are_read(
    image_folder, tmp_path, monkeypatch
):
    monkeypatch.setattr(local_run, "_configure_logging", lambda path: None)  # it is for good
    out = tmp_path / "out"
    line = error_of("--data", image_folder, "--out", out, "--model.encoder", "ResNet5")
    assert line.startswith("error: no encoder 'ResNet5': --model.encoder takes resnet, a name of")
    assert "did you mean ResNet50" in line
    assert not (out / "pipeline").exists()


def test_a_value_out_of_range(tmp_path):
    line = error_of("--out", tmp_path / "out", "--train.base_learning_rate", "-1")
    assert "train.base_learning_rate must be above 0 (number). Received: -1.0" in line


@pytest.mark.parametrize("below", ["a_file/out", "a_file"])
def test_an_output_folder_that_cannot_be_written(tmp_path, below):
    (tmp_path / "a_file").write_text("")
    line = error_of("--out", tmp_path / below)
    assert f"cannot write to the output folder '{tmp_path / below}'" in line
    assert "give another with --out" in line


def test_a_read_only_output_folder():
    line = error_of("--out", "/proc/tf_scl")  # even root may not write there
    assert "cannot write to the output folder '/proc/tf_scl'" in line


def test_output_inside_the_images(image_folder):
    line = error_of("--data", image_folder, "--out", image_folder / "out")
    assert "lies inside the image folder" in line
    assert not (image_folder / "out").exists()


def test_an_output_folder_that_tfx_would_read_as_a_pattern(image_folder, tmp_path):
    line = error_of("--data", image_folder, "--out", tmp_path / "a[1]", "--train.batch_size", 4)
    assert "one of the characters * ? [ ]" in line


def test_an_empty_path(tmp_path):
    assert "'' does not exist" in error_of("--data=", "--out", tmp_path / "out")


def test_a_mistake_in_the_images_leaves_no_output_behind(tmp_path):
    error_of("--data", tmp_path / "nowhere", "--out", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_two_runs_in_one_folder(tmp_path):
    with checks.exclusive_lock(str(tmp_path)):
        assert "another run is using the output folder" in error_of("--out", tmp_path)


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


def test_a_file_of_labels_that_is_wrong_is_found_before_anything_runs(image_folder, tmp_path):
    data = ["--data", image_folder, "--out", tmp_path / "out"]
    line = error_of(*data, "--labels", tmp_path / "no.csv")
    assert line == (
        f"error: labels file '{tmp_path}/no.csv': cannot be read: No such file or directory; "
        "give a CSV file (--labels)"
    )
    (tmp_path / "labels.csv").write_text("filename,label\ncat/00.png,cat\ncat/02.png\n")
    line = error_of(*data, "--labels", tmp_path / "labels.csv")
    assert "line 3 has 1 values, not 2" in line
    inside = image_folder / "labels.csv"
    inside.write_text("filename,label\ncat/00.png,cat\ncat/02.png,dog\n")
    assert "it lies inside the image folder" in error_of(*data, "--labels", inside)
