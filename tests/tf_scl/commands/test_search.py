"""The way from a folder over embeddings and an index to neighbors and duplicates."""

import csv
import json

import keras
import numpy as np
import pytest

import tf_scl
from tests.conftest import encode, photo
from tf_scl import cli


@pytest.fixture(scope="module")
def embedded(tmp_path_factory):
    """A folder with images, their embeddings and an index; 3.png is there twice, 5.png nearly."""
    root = tmp_path_factory.mktemp("search")
    (root / "photos").mkdir()
    for number in range(12):
        (root / "photos" / f"{number}.png").write_bytes(encode(photo(number, 8, 8)))
    (root / "photos" / "copy.png").write_bytes(encode(photo(3, 8, 8)))
    near = photo(5, 8, 8).astype(int) + np.random.default_rng(0).integers(-2, 3, (8, 8, 3))
    (root / "photos" / "near.png").write_bytes(encode(np.clip(near, 0, 255).astype(np.uint8)))
    layers = [keras.Input((8, 8, 3)), keras.layers.Rescaling(1 / 127.5, -1), keras.layers.Flatten()]
    tf_scl.export_saved_model(keras.Sequential(layers), root / "model")
    out = str(root / "embeddings.parquet")
    assert cli.main(["embed", str(root / "photos"), str(root / "model"), "--out", out]) == 0
    assert cli.main(["index", out, "--out", str(root / "index")]) == 0
    return root


def test_the_nearest_are_found(embedded, capsys):
    image, index = str(embedded / "photos" / "3.png"), str(embedded / "index")
    assert cli.main(["search", image, index, "--count", "3"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert {line.split()[1] for line in lines[:2]} == {"3.png", "copy.png"} and len(lines) == 3
    assert lines[0].startswith("1.0000  ")
    flags = ["--json", "--model", str(embedded / "model")]
    assert cli.main(["search", str(embedded / "photos" / "near.png"), index, *flags]) == 0
    hits = json.loads(capsys.readouterr().out)
    assert [hit["id"] for hit in hits[:2]] == ["near.png", "5.png"] and len(hits) == 10
    assert hits[1]["cosine"] > 0.99


def test_duplicates_and_a_list_of_what_remains(embedded, tmp_path, capsys):
    out, keep = tmp_path / "d.csv", tmp_path / "keep.txt"
    command = ["duplicates", str(embedded / "embeddings.parquet"), "--threshold", "0.99"]
    assert cli.main([*command, "--out", str(out), "--keep", str(keep)]) == 0
    printed = capsys.readouterr().out
    assert "2 pairs among 14 images" in printed and printed.endswith(f"wrote {out} and {keep}\n")
    with open(out, newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["group"], row["keep"], row["id"]) for row in rows] == [
        ("1", "yes", "3.png"),
        ("1", "no", "copy.png"),
        ("2", "yes", "5.png"),
        ("2", "no", "near.png"),
    ]
    assert float(rows[1]["cosine"]) == pytest.approx(1.0)
    kept = keep.read_text().splitlines()
    assert len(kept) == 12 and not {"copy.png", "near.png"} & set(kept)


@pytest.mark.parametrize(
    "command,message",
    [
        (["index", "nowhere.parquet"], "cannot read embeddings from 'nowhere.parquet'"),
        (["index", "{e}", "--out", "{r}/index"], "exists already"),
        (["search", "{r}/photos/3.png", "{r}"], "is no index: make one by tf-scl index"),
        (["search", "{r}/photos", "{r}/index"], "is no file; give one image"),
        (["search", "{r}/photos/3.png", "{r}/index", "--count", "0"], "--count must be at least 1"),
        (["search", "{r}/photos/3.png", "{r}/index", "--model", "{r}"], "is no SavedModel"),
        (["duplicates", "{e}"], "notes no cosine from which on images count as duplicates"),
        (
            ["duplicates", "{e}", "--threshold", "2"],
            "and 1. Received: 2.0 (--threshold)",
        ),
        (["duplicates", "{e}", "--threshold", "0.9", "--keep", "/nowhere/k"], "place with --keep"),
    ],
)
def test_mistakes_are_one_line(embedded, tmp_path, monkeypatch, capsys, command, message):
    monkeypatch.chdir(tmp_path)
    words = [word.format(r=embedded, e=embedded / "embeddings.parquet") for word in command]
    assert cli.main(words) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("error: ") and message in error
