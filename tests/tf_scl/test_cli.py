import os
import pathlib
import sys

import keras
import numpy as np
import PIL.Image
import pyarrow.parquet as pq
import pytest

import tf_scl
import tf_scl.embedding
from tests.conftest import write_bright_and_dark
from tests.interrupt import importing, interrupt, listening
from tests.tf_scl.report import examples
from tf_scl import cli
from tf_scl.dataclass_json import dumps
from tf_scl.report.files import write_report


def test_views_draws_a_picture(image_folder, tmp_path, capsys):
    (image_folder / "cat" / "bad.png").write_bytes(b"no image")
    out = tmp_path / "views.png"
    assert cli.main(["views", str(image_folder), "--out", str(out), "--count", "5"]) == 0
    assert capsys.readouterr().out == f"wrote {out}\n"
    with PIL.Image.open(out) as picture:
        assert picture.format == "PNG"
        assert np.asarray(picture).std() > 10
    assert [path.name for path in tmp_path.glob("*views*")] == ["views.png"]


@pytest.mark.parametrize(
    "flags,message",
    [
        (["--count", "0"], "--count must be at least 1. Received: 0"),
        (["--out", "views.txt"], "--out must end in .png or .jpg. Received: 'views.txt'"),
        (["--out", "/proc/nowhere/v.png"], "cannot write '/proc/nowhere/v.png'"),
        (["--augment.flip", "2"], "augment.flip must be between 0 and 1"),
    ],
)
def test_mistakes_are_one_line(image_folder, capsys, flags, message):
    assert cli.main(["views", str(image_folder), "--count", "4", *flags]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert message in error
    assert error.count("\n") == 1


def test_a_missing_folder_is_named(tmp_path, capsys):
    assert cli.main(["views", str(tmp_path / "nowhere")]) == 2
    assert "does not exist" in capsys.readouterr().err


def test_report_draws_the_page_again(tmp_path, capsys):
    folder = tmp_path / "run" / "pipeline" / "RepresentationEvaluator" / "evaluation" / "7"
    page = write_report(examples.labeled(), folder)
    out = tmp_path / "again.html"
    assert cli.main(["report", str(tmp_path / "run"), "--out", str(out)]) == 0
    assert capsys.readouterr().out == f"wrote {out}, of {folder / 'report.json'}\n"
    with open(page, encoding="utf-8") as file:
        assert out.read_text(encoding="utf-8") == file.read()
    assert [path.name for path in tmp_path.glob("*again*")] == ["again.html"]


@pytest.mark.parametrize(
    "run,flags,message",
    [
        ("nowhere", [], "does not exist"),
        ("", [], "holds no report.json"),
        ("bad.json", [], "is not JSON"),
        ("report.json", ["--out", "report.pdf"], "--out must end in .html. Received: 'report.pdf'"),
        ("old.json", [], "old.json': the whole has no 'made'. Was it changed by hand"),
        ("report.json", ["--out", "/proc/nowhere/r.html"], "cannot write '/proc/nowhere/r.html'"),
    ],
)
def test_mistakes_of_report_are_one_line(tmp_path, capsys, run, flags, message):
    if run:
        (tmp_path / "bad.json").write_text("{")
        (tmp_path / "old.json").write_text("{}")
        (tmp_path / "report.json").write_text(dumps(examples.empty()))
    out = tmp_path / "out.html"
    assert cli.main(["report", str(tmp_path / run), *(flags or ["--out", str(out)])]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert message in error
    assert error.count("\n") == 1
    assert not out.exists()


@pytest.fixture(scope="module")
def saved_model(tmp_path_factory):
    path = tmp_path_factory.mktemp("cli") / "served" / "1"
    layers = [keras.Input((8, 8, 3)), keras.layers.Flatten(), keras.layers.Dense(5)]
    tf_scl.export_saved_model(keras.Sequential(layers), path)
    return path


def test_embed_writes_a_file_and_says_what_became_of_the_images(
    image_folder, saved_model, tmp_path, capsys
):
    (image_folder / "cat" / "bad.png").write_bytes(b"no image")
    out = tmp_path / "embeddings.parquet"
    folder = saved_model.parent  # of the versions
    assert cli.main(["embed", str(image_folder), str(folder), "--out", str(out)]) == 0
    assert capsys.readouterr().out == (
        f"wrote {out}: 49 found, 48 embedded (5 numbers each), 1 rejected\n"
        f"1 not an image: see {tmp_path / 'embeddings.rejected.jsonl'}\n"
    )
    assert pq.read_metadata(out).num_rows == 48


@pytest.mark.parametrize(
    "source,model,flags,message",
    [
        ("nowhere", "", [], "does not exist; give the path of a folder of images"),
        ("ftp:x", "", [], "has an unknown scheme, 'ftp'"),
        ("", "nowhere", [], "nowhere' does not exist; give the folder of a SavedModel"),
        ("", "", ["--out", "e.csv"], "the output must end in .parquet. Received: '"),
        ("", "", ["--ingest.max_megabytes", "0"], "--ingest.max_megabytes must be between 1"),
        ("", "", ["--beam=--runner=Nowhere"], "Beam cannot use the flags ['--runner=Nowhere']"),
        ("", "", ["--beam=--direct_num_worker=2"], "; write each as --beam=--NAME=VALUE"),
        ("", "", ["--out", "/nowhere/e.parquet"], "or give another file (--out)"),
    ],
)
def test_mistakes_of_embed_are_one_line(
    image_folder, saved_model, tmp_path, capsys, source, model, flags, message
):
    out = tmp_path / "out.parquet"
    source = source if ":" in source else str(image_folder / source)
    arguments = ["embed", source, str(saved_model / model), "--out", str(out), *flags]
    assert cli.main(arguments) == 2
    error = capsys.readouterr().err
    assert message in error.splitlines()[-1]
    assert error.splitlines()[-1].startswith("error: ")
    assert not list(tmp_path.glob("out*"))


def test_embed_without_beam_says_how_to_install_it(
    image_folder, saved_model, tmp_path, capsys, monkeypatch
):
    monkeypatch.setitem(sys.modules, "apache_beam", None)
    monkeypatch.delitem(sys.modules, "tf_scl.embedding.embed", raising=False)
    monkeypatch.delattr(tf_scl.embedding, "embed", raising=False)
    out = str(tmp_path / "out.parquet")
    assert cli.main(["embed", str(image_folder), str(saved_model), "--out", out]) == 2
    error = capsys.readouterr().err
    assert "embed needs Apache Beam" in error
    assert error.endswith("pip install tf_scl[beam]\n")


def test_one_image_is_a_collection_too(image_folder, saved_model, tmp_path, capsys):
    image = str(image_folder / "cat" / "00.png")
    out = tmp_path / "one.parquet"
    assert cli.main(["embed", image, str(saved_model), "--out", str(out)]) == 0
    assert pq.read_table(out)["id"].to_pylist() == ["00.png"]
    assert cli.main(["views", image, "--out", str(tmp_path / "one.png")]) == 0
    assert (tmp_path / "one.png").exists()


def test_paths_are_taken_alike_by_all_commands(image_folder, saved_model, tmp_path, monkeypatch):
    """A home folder, names that are no ASCII, and the umask."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(sys.stdout, "reconfigure", lambda **_: None, raising=False)
    write_report(examples.labeled(), tmp_path / "run")
    before = os.umask(0o077)
    try:
        images, model = "~/photos", f"~/{saved_model.name}"
        (tmp_path / saved_model.name).symlink_to(saved_model)
        assert cli.main(["views", images, "--count", "2", "--out", "~/ü.png"]) == 0
        assert cli.main(["report", "~/run", "--out", "~/ü.html"]) == 0
        assert cli.main(["embed", images, model, "--out", "~/ü.parquet"]) == 0
    finally:
        os.umask(before)
    for name in ("ü.png", "ü.html", "ü.parquet"):
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o600


def test_an_output_whose_name_is_no_text(image_folder, saved_model, tmp_path, capsys):
    name = os.path.join(str(tmp_path), "caf\udce9")
    assert cli.main(["views", str(image_folder), "--count", "2", "--out", f"{name}.png"]) == 0
    assert os.fsencode(f"{name}.png").rpartition(b"/")[2] in os.listdir(os.fsencode(tmp_path))
    flags = ["--out", f"{name}.parquet"]
    assert cli.main(["embed", str(image_folder), str(saved_model), *flags]) == 2
    assert "caf\\udce9.parquet' is not UTF-8" in capsys.readouterr().err


_MISTAKES = [
    (["embed", "x", "y", "--ou", "z"], "no flag --ou; did you mean --out? tf-scl embed --help"),
    (["views", "x", "--train.epoch", "3"], "no flag --train.epoch; did you mean --train.epochs?"),
    (["lineage"], "the following arguments are required: MODEL; tf-scl lineage --help"),
    (["vieuws"], "invalid choice: 'vieuws'"),
]


@pytest.mark.parametrize("arguments,message", _MISTAKES)
def test_mistakes_of_the_command_line_are_one_line(capsys, arguments, message):
    assert cli.main(arguments) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.startswith("error: ") and error.count("\n") == 1


_STOPPED = (130, "stopped; run the same command again\n")


@pytest.mark.parametrize("moment", [listening, importing])
@pytest.mark.parametrize("command", ["views", "embed", "lineage", "report"])
def test_ctrl_c_while_it_starts(image_folder, saved_model, tmp_path, command, moment):
    what = {"views": [image_folder], "embed": [image_folder, saved_model]}.get(command, [tmp_path])
    status, _, stderr = interrupt(["-m", "tf_scl.cli", command, *what], moment, tmp_path)
    assert (status, stderr.splitlines(True)[-1]) == _STOPPED
    assert "Traceback" not in stderr


@pytest.mark.slow
def test_embed_that_is_stopped_goes_on(saved_model, tmp_path, capsys):
    write_bright_and_dark(tmp_path / "images", 3000)
    out = tmp_path / "out.parquet"
    parts = pathlib.Path(f"{out}.parts")
    command = ["embed", tmp_path / "images", saved_model, "--out", out]
    for count in (1, 3):  # in Beam, and in it again
        status, stdout, stderr = interrupt(
            ["-m", "tf_scl.cli", *command],
            lambda _: len(list(parts.glob("*.parquet"))) >= count,  # noqa: B023
            tmp_path,
        )
        assert (status, stderr.splitlines(True)[-1], stdout) == (*_STOPPED, "")
        assert "Traceback" not in stderr
        assert not out.exists()
    assert cli.main([str(word) for word in command]) == 0
    assert "going on: " in capsys.readouterr().err
    assert pq.read_metadata(out).num_rows == 3000
    assert sorted(path.name for path in tmp_path.glob("out*")) == [
        "out.parquet",
        "out.rejected.jsonl",
    ]
