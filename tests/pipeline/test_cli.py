import dataclasses
import os
import re

import pytest

from pipeline import cli
from tf_scl.config import Config, preset
from tf_scl.errors import InputError


def test_defaults_are_the_digits():
    arguments = cli.parse([])
    assert arguments.config == preset("digits")
    assert arguments.data is None
    assert arguments.out == os.path.abspath("runs/digits")


def test_a_folder_of_ones_own_takes_the_laptop_preset():
    arguments = cli.parse(["--data", "some/photos/"])
    assert arguments.config == preset("laptop")
    assert re.fullmatch(os.path.abspath("runs/photos") + "-[0-9a-f]{6}", arguments.out)
    assert cli.parse(["--data", "some/photos"]).out == arguments.out


def test_folders_of_one_name_do_not_share_their_output():
    outs = {cli.parse(["--data", path]).out for path in ("/a/train", "/b/train", "/c/di[g]its")}
    assert len(outs) == 3
    assert not any(set("*?[]") & set(out) for out in outs)


def test_the_batch_is_fitted_where_the_preset_does_so_and_the_user_did_not_choose():
    assert cli.parse(["--data", "x"]).fit_batch
    assert cli.parse(["--data", "x", "--preset", "digits"]).fit_batch
    assert not cli.parse(["--data", "x", "--preset", "cifar10"]).fit_batch
    assert not cli.parse(["--data", "x", "--train.batch_size", "128"]).fit_batch


def test_a_preset_with_minutes_fits_its_batch_all_the_same():
    arguments = cli.parse(["--data", "x"])
    assert arguments.fit_batch and arguments.config.train.minutes == 8.0
    assert cli.parse(["--data", "x", "--minutes", "30"]).config.train.minutes == 30.0
    assert cli.parse(["--data", "x", "--train.epochs", "3"]).config.train.minutes == 0.0


def test_a_tilde_is_the_home_folder():
    assert cli.parse(["--data", "~/photos"]).data == os.path.expanduser("~/photos")


def test_the_files_of_an_encoder_are_found_from_any_folder(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    flags = "--model.encoder vit.keras --model.weights w.weights.h5 --model.backbone_rate 0.1"
    model = cli.parse(flags.split()).config.model
    assert model.encoder == str(tmp_path / "vit.keras")
    assert model.weights == str(tmp_path / "w.weights.h5")
    assert model.backbone_rate == 0.1
    assert cli.parse(["--model.encoder", "ResNet50"]).config.model.encoder == "ResNet50"


def test_flags_override_the_preset():
    arguments = cli.parse(
        "--preset cifar10 --train.epochs 3 --augment.crop_scale 0.5,0.9 "
        "--model.projector_hidden 64,32 --model.zero_init_residual TRUE --out /tmp/x".split()
    )
    expected = preset("cifar10").replace(
        {
            "train": {"epochs": 3},
            "augment": {"crop_scale": (0.5, 0.9)},
            "model": {"projector_hidden": (64, 32), "zero_init_residual": True},
        }
    )
    assert arguments == cli.Arguments(expected, None, "/tmp/x")


def test_any_source_has_an_output_folder_of_its_own():
    outs = {
        cli.parse(["--data", source]).out
        for source in ("tfds:cifar10", "tfds:cifar10?split=test", "webdataset:/d/{00..10}.tar")
    }
    assert len(outs) == 3
    assert all(re.fullmatch(r"[\w./-]+", out) for out in outs)


def test_beam_flags_are_passed_on():
    flags = ["--beam=--runner=FlinkRunner", "--beam", "--flink_master=host:8081"]
    with pytest.raises(InputError, match="begins with a dash is written --FLAG=VALUE"):
        cli.parse(flags)
    flags = ["--beam=--runner=FlinkRunner", "--beam=--flink_master=host:8081"]
    assert cli.parse(flags).beam == ("--runner=FlinkRunner", "--flink_master=host:8081")
    assert cli.parse([]).beam == ()


def test_every_setting_has_a_flag(capsys):
    with pytest.raises(SystemExit):
        cli.parse(["--help"])
    text = capsys.readouterr().out
    for section in dataclasses.fields(Config):
        for field in dataclasses.fields(section.default):
            assert f"--{section.name}.{field.name} " in text
    assert "numpy:FILE.npz?images=NAME&labels=NAME" in text


@pytest.mark.parametrize(
    "flags,epochs", [([], 40), (["--data", "x"], 20), (["--preset", "imagenet"], 101)]
)
def test_help_shows_the_values_of_the_preset_in_use(capsys, monkeypatch, flags, epochs):
    monkeypatch.setenv("COLUMNS", "200")
    with pytest.raises(SystemExit):
        cli.parse([*flags, "--help"])
    assert f"passes over the images; at least 1 (default: {epochs})" in capsys.readouterr().out


@pytest.mark.parametrize(
    "flags,message",
    [
        (["--train.epochs", "many"], "--train.epochs takes a whole number. Received: 'many'"),
        (["--train.epochs", "0"], "train.epochs must be at least 1.*Received: 0"),
        (["--model.zero_init_residual", "yes"], "true or false. Received: 'yes'"),
        (["--augment.crop_scale", "a,b"], "numbers, separated by commas. Received: 'a,b'"),
        (["--preset", "mnist"], "no preset 'mnist'"),
        (["--train.epoch", "3"], "no flag --train.epoch; did you mean --train.epochs"),
    ],
)
def test_bad_values_are_named(flags, message):
    with pytest.raises(InputError, match=message):
        cli.parse(flags)
