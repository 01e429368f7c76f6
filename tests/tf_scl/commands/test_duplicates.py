import csv

import pytest

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
