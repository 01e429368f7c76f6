import csv

import numpy as np
import pytest

from tests.tf_scl.search.collections import write_embeddings
from tf_scl import cli


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


def test_how_many_pairs_to_expect_by_chance_is_said(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    noted = {"duplicate_cosine": 0.5, "reference_images": 20, "reference_pairs_above": 2}
    write_embeddings("e.parquet", np.eye(40, dtype=np.float32), noted)
    assert cli.main(["duplicates", "e.parquet"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("no duplicates among 40 images") and lines[2].startswith("wrote")
    assert lines[1].startswith("by chance about 8.2 pairs of different images are to be expected")
    assert cli.main(["duplicates", "e.parquet", "--threshold", "0.6"]) == 0
    assert "chance" not in capsys.readouterr().out


@pytest.mark.parametrize(
    "flags,message",
    [
        ([], "notes no cosine from which on images count as duplicates"),
        (["--threshold", "2"], "a cosine is between -1 and 1. Received: 2.0 (--threshold)"),
        (["--threshold", "0.9", "--keep", "/nowhere/k"], "give another place with --keep"),
    ],
)
def test_mistakes_are_one_line(embedded, refused, flags, message):
    assert message in refused("duplicates", embedded / "embeddings.parquet", *flags)
