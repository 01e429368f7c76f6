import csv
import shutil

import keras
import pytest

import tf_scl
from tests.conftest import write_bright_and_dark
from tf_scl import cli
from tf_scl.data.sources.folder_source import FolderSource
from tf_scl.errors import InputError
from tf_scl.labels.labels_file import read_labels_file


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """A folder with images, and a model of their brightness."""
    root = tmp_path_factory.mktemp("suggest")
    write_bright_and_dark(root / "photos", 40)
    layers = [keras.Input((8, 8, 3)), keras.layers.AveragePooling2D(4), keras.layers.Flatten()]
    tf_scl.export_saved_model(keras.Sequential(layers), root / "model")
    return root


def test_a_list_to_fill_in_and_a_second_round(photos, tmp_path, capsys):
    out, sheet = tmp_path / "suggest.csv", tmp_path / "suggest.html"
    command = ["suggest", str(photos / "photos"), str(photos / "model"), "--count", "6"]
    assert cli.main([*command, "--out", str(out), "--sheet", str(sheet)]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("6 of 40 images are suggested, each for a cluster")
    assert printed.endswith(
        f"wrote {out}: fill in its labels, with the images in {sheet} before you\n"
    )
    assert sheet.read_text().count("data:image/png;base64,") == 6

    with pytest.raises(InputError):  # not filled in yet
        read_labels_file(out)
    with open(out, newline="") as file:
        names = [row["filename"] for row in csv.DictReader(file)]
    assert len(names) == 6 and {name.split("/")[0] for name in names} == {"bright", "dark"}
    lines = [f"{name},{name.split('/')[0]}\n" for name in names]
    (tmp_path / "labels.csv").write_text("filename,label\n" + "".join(lines))
    more = tmp_path / "more.csv"
    flags = ["--labels", str(tmp_path / "labels.csv"), "--out", str(more)]
    assert cli.main([*command, *flags]) == 0
    assert "6 of 40 images are suggested, beside 6 that have a label" in capsys.readouterr().out
    with open(more, newline="") as file:
        assert not {row["filename"] for row in csv.DictReader(file)} & set(names)


def test_labels_of_one_class_are_enough_to_suggest_more(photos, tmp_path, capsys):
    labels = tmp_path / "labels.csv"
    names = sorted(path.name for path in (photos / "photos" / "dark").iterdir())[:3]
    lines = [f"dark/{name},dark\n" for name in names]
    labels.write_text("filename,label\n" + "".join(lines))
    command = ["suggest", str(photos / "photos"), str(photos / "model"), "--count", "4"]
    out = ["--labels", str(labels), "--out", str(tmp_path / "more.csv")]
    assert cli.main([*command, *out]) == 0
    assert "4 of 40 images are suggested, beside 3" in capsys.readouterr().out


def test_the_source_is_listed_once_and_labels_may_lie_in_it(photos, tmp_path, monkeypatch):
    """Written before the sheet, they would move all places of a second listing by one."""
    shutil.copytree(photos / "photos", tmp_path / "photos")
    listings, units = [], FolderSource.units
    monkeypatch.setattr(FolderSource, "units", lambda self: listings.append(1) or units(self))
    out, sheet = tmp_path / "photos" / "a.csv", tmp_path / "sheet.html"
    command = ["suggest", str(tmp_path / "photos"), str(photos / "model"), "--count", "3"]
    assert cli.main([*command, "--out", str(out), "--sheet", str(sheet)]) == 0
    assert len(listings) == 1 and sheet.read_text().count("data:image/png;base64,") == 3


def test_labels_that_may_have_been_filled_in_stay(photos, tmp_path, refused):
    labels = tmp_path / "suggest.csv"
    labels.write_text("filename,label\na.png,cat\n")
    error = refused("suggest", photos / "photos", photos / "model")
    assert "'suggest.csv' exists already; move it away, or give another file (--out)" in error
    assert labels.read_text() == "filename,label\na.png,cat\n"


@pytest.mark.parametrize(
    "flags,message",
    [
        (["--count", "0"], "--count must be at least 1. Received: 0"),
        (["--out", "suggest.txt"], "--out must end in .csv. Received: 'suggest.txt'"),
        (["--sheet", "s.pdf"], "--sheet must end in .html. Received: 's.pdf'"),
        (["--labels", "nowhere.csv"], "nowhere.csv"),
        (["--labels", "suggest.csv"], "--out would replace --labels, 'suggest.csv'; give another"),
        (["--out", "a.csv", "--labels", "./a.csv"], "--out would replace --labels, 'a.csv'"),
    ],
)
def test_mistakes_are_one_line(photos, tmp_path, monkeypatch, capsys, flags, message):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["suggest", str(photos / "photos"), str(photos / "model"), *flags]) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("error: ") and message in error
    assert not list(tmp_path.iterdir())
