import json

import pytest

from tf_scl import cli


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


@pytest.mark.parametrize(
    "words,message",
    [
        (["photos/3.png", "photos"], "is no index: make one by tf-scl index"),
        (["photos", "index"], "is no file; give one image"),
        (["photos/3.png", "index", "--count", "0"], "--count must be at least 1. Received: 0"),
        (["photos/3.png", "index", "--model", "/proc"], "is no SavedModel"),
    ],
)
def test_mistakes_are_one_line(embedded, refused, words, message):
    image, index, *flags = words
    assert message in refused("search", embedded / image, embedded / index, *flags)
