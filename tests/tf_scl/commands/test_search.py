import json
import shutil

import keras
import pytest

import tf_scl
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


def test_the_model_may_be_elsewhere_but_not_another_one(embedded, tmp_path, refused, capsys):
    image, index = embedded / "photos" / "3.png", embedded / "index"
    shutil.copytree(embedded / "model", tmp_path / "served" / "7")
    (tmp_path / "served" / "7" / "README.md").write_text("a card")
    flags = ["--model", str(tmp_path / "served")]
    assert cli.main(["search", str(image), str(index), *flags]) == 0
    assert capsys.readouterr().out.startswith("1.0000  ")
    layers = [keras.Input((8, 8, 3)), keras.layers.Rescaling(1 / 255), keras.layers.Flatten()]
    tf_scl.export_saved_model(keras.Sequential(layers), tmp_path / "served" / "8")
    error = refused("search", image, index, *flags)
    assert f"'{tmp_path}/served/8' is not the one that made the embeddings of this" in error
    assert f"(then at '{embedded}/model'): its files differ. Give that one by --model" in error


def test_a_model_that_was_replaced_where_it_is_is_refused(embedded, tmp_path, refused):
    layers = [keras.Input((8, 8, 3)), keras.layers.Rescaling(1 / 255), keras.layers.Flatten()]
    tf_scl.export_saved_model(keras.Sequential(layers), tmp_path / "other")
    facts = json.loads((embedded / "index" / "index.json").read_text())
    shutil.copytree(embedded / "index", tmp_path / "index")
    changed = json.dumps({**facts, "model": str(tmp_path / "other")})
    (tmp_path / "index" / "index.json").write_text(changed)
    error = refused("search", embedded / "photos" / "3.png", tmp_path / "index")
    assert "other' is not the one that made the embeddings" in error


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
