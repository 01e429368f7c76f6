import pathlib
import sys

import pyarrow.parquet as pq
import pytest

import tf_scl.embedding
from tests.conftest import write_bright_and_dark
from tests.interrupt import interrupt
from tf_scl import cli


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
        assert (status, stderr.splitlines(True)[-1]) == (
            130,
            "stopped; run the same command again\n",
        )
        assert stdout == ""
        assert "Traceback" not in stderr
        assert not out.exists()
    assert cli.main([str(word) for word in command]) == 0
    assert "going on: " in capsys.readouterr().err
    assert pq.read_metadata(out).num_rows == 3000
    assert sorted(path.name for path in tmp_path.glob("out*")) == [
        "out.parquet",
        "out.rejected.jsonl",
    ]
