import os
import sys

import pyarrow.parquet as pq
import pytest

from tests.tf_scl.report import examples
from tf_scl import cli
from tf_scl.commands.shared import require_apart
from tf_scl.errors import InputError
from tf_scl.report.files import write_report


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


def test_what_is_apart(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos-2").mkdir()
    (tmp_path / "photos-2" / "a.png").touch()
    inputs = {"SOURCE": "photos", "--labels": None, "MODEL": "tfds:mnist"}
    require_apart(inputs, {"--out": "photos/new.csv", "--sheet": None})
    require_apart(inputs, {"--out": "photos-2/a.png", "--sheet": "photos/new.csv"})


@pytest.mark.parametrize(
    "inputs,outputs,message",
    [
        ({"SOURCE": "a.png"}, {"--out": "./a.png"}, "--out would replace SOURCE, './a.png'; give"),
        ({"SOURCE": "~/a.png"}, {"--out": "a.png"}, "--out would replace SOURCE, 'a.png'"),
        ({"SOURCE": "link.png"}, {"--out": "a.png"}, "--out would replace SOURCE, 'a.png'"),
        ({"SOURCE": "photos"}, {"--out": "photos/b.png"}, "--out would replace a file of SOURCE"),
        ({"SOURCE": "photos"}, {"--out": "photos"}, "--out would replace SOURCE, 'photos'"),
        ({}, {"--out": "c", "--keep": "photos/../c"}, "--keep would replace --out, 'photos/../c'"),
        ({"--labels": "l"}, {"--out": "c", "--sheet": "l"}, "--sheet would replace --labels, 'l'"),
    ],
)
def test_what_would_be_replaced_is_named_by_both_flags(
    tmp_path, monkeypatch, inputs, outputs, message
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "photos").mkdir()
    for name in ("a.png", "photos/b.png"):
        (tmp_path / name).touch()
    (tmp_path / "link.png").symlink_to("a.png")
    with pytest.raises(InputError) as caught:
        require_apart(inputs, outputs)
    assert message in str(caught.value)
    assert not (tmp_path / "c").exists()


@pytest.mark.parametrize(
    "words,message",
    [
        ("views one.png --out ./one.png", "--out would replace SOURCE"),
        ("views photos --out photos/one.png", "--out would replace a file of SOURCE"),
        ("drift photos model --out photos/one.html", "--out would replace a file of SOURCE"),
        ("embed e.parquet model --out e.parquet", "--out would replace SOURCE"),
        ("embed photos e.parquet --out e.parquet", "--out would replace MODEL"),
        ("index e.parquet --out e.parquet", "--out would replace EMBEDDINGS"),
        ("duplicates e.parquet --out e.parquet", "--out would replace EMBEDDINGS"),
        ("duplicates e.parquet --keep e.parquet", "--keep would replace EMBEDDINGS"),
        ("duplicates e.parquet --out a --keep ./a", "--keep would replace --out"),
        ("suggest photos model --sheet photos/one.html", "--sheet would replace a file of SOURCE"),
        ("suggest photos model --labels l.csv --out l.csv", "--out would replace --labels"),
        ("report report.html --out report.html", "--out would replace RUN"),
    ],
)
def test_no_command_replaces_what_it_reads_or_writes(tmp_path, refused, words, message):
    (tmp_path / "photos").mkdir()
    write_report(examples.empty(), tmp_path)
    before = {"one.png", "photos/one.png", "photos/one.html", "e.parquet", "l.csv", "report.html"}
    for name in before:
        (tmp_path / name).write_text("mine")
    assert message in refused(*words.split())
    assert {name for name in before if (tmp_path / name).read_text() == "mine"} == before
    assert not (tmp_path / "a").exists()
