import os

import pytest

from pipeline import kubeflow_cli, kubeflow_runner
from tf_scl.config import preset
from tf_scl.errors import InputError

_FLAGS = ["--data", "tfds:cifar10", "--root", "gs://b/r/", "--image", "i"]


def test_defaults():
    arguments = kubeflow_cli.parse(_FLAGS)
    assert arguments == kubeflow_cli.Arguments(
        config=preset("laptop"),
        data="tfds:cifar10",
        root="gs://b/r/",
        serving="gs://b/r/serving",
        image="i",
        output="pipeline.yaml",
        target=kubeflow_cli.KFP,
    )


def test_settings_and_places():
    arguments = kubeflow_cli.parse(
        [*_FLAGS, "--preset", "cifar10", "--train.epochs", "9", "--serving", "gs://b/s"]
        + ["--output", "x.json", "--vertex-training", "p:r", "--machine", "m"]
        + ["--accelerator", "NVIDIA_TESLA_T4:4"]
    )
    assert arguments.config == preset("cifar10").replace({"train": {"epochs": 9}})
    assert (arguments.serving, arguments.target) == ("gs://b/s", kubeflow_cli.VERTEX)
    assert (arguments.vertex_training, arguments.machine) == (("p", "r"), "m")
    assert arguments.accelerator == ("NVIDIA_TESLA_T4", 4)


def test_beam_flags_of_all_and_of_one():
    arguments = kubeflow_cli.parse(
        [*_FLAGS, "--beam=--runner=DataflowRunner", "--beam=StatisticsGen=--temp_location=gs://t"]
    )
    assert arguments.beam == (
        (None, "--runner=DataflowRunner"),
        ("StatisticsGen", "--temp_location=gs://t"),
    )


@pytest.mark.parametrize(
    "flags,message",
    [
        (["--output", "x.txt"], "'x.txt' must end with .yaml, for Kubeflow Pipelines, or .json"),
        (["--data", "photos"], "'photos' is relative to a folder here"),
        (["--model.encoder", "a.keras"], "model.encoder 'a.keras' is relative to a folder"),
        (["--data", "gs://b/photos"], "unknown scheme, 'gs'"),
        (["--beam=ImageExampleGen"], "--beam=ImageExampleGen is no Beam flag"),
        (["--accelerator", "T4"], "--accelerator takes TYPE:COUNT. Received: 'T4'"),
        (["--accelerator", "T4:none"], "at least one. Received: 'T4:none'"),
        (["--vertex-training", "p:r", "--machine", "m"], "needs Vertex AI; let --output"),
        (["--vertex-training", "p", "--output", "x.json"], "takes PROJECT:REGION. Received: 'p'"),
        (["--vertex-training", "p:r", "--output", "x.json"], "needs --machine"),
        (["--machine", "n1-standard-8"], "'n1-standard-8' is for --vertex-training"),
        (
            ["--vertex-training", "p:r", "--machine", "m", "--cpu", "4", "--output", "x.json"],
            "--cpu and --memory are not for --vertex-training",
        ),
        (["--train.epochs", "0"], "train.epochs must be at least 1"),
    ],
)
def test_bad_values_are_named(flags, message):
    with pytest.raises(InputError, match=message.replace("(", r"\(")):
        kubeflow_cli.parse([*_FLAGS, *flags])


def test_mistakes_end_in_one_line(capsys, tmp_path):
    assert kubeflow_runner.main([*_FLAGS, "--output", "x.txt"]) == 2
    captured = capsys.readouterr()
    assert captured.out == "" and captured.err.startswith("error: --output 'x.txt' must end with")
    (tmp_path / "file").write_text("")
    below = os.path.join(tmp_path, "file", "pipeline.yaml")
    assert kubeflow_runner.main([*_FLAGS, "--output", below]) == 2
    assert f"cannot write the compiled pipeline to '{below}'" in capsys.readouterr().err


def test_what_was_compiled_is_said(capsys, tmp_path):
    output = str(tmp_path / "pipeline.yaml")
    assert kubeflow_runner.main([*_FLAGS, "--output", output]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"compiled: {output}, image i"
    assert "  train_epochs                 20" in lines
    assert lines[-1].startswith(f"submit: kfp.Client().create_run_from_pipeline_package('{output}'")
