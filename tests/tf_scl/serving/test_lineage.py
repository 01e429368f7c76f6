import dataclasses
import hashlib
import json
import subprocess

import pytest
import tensorflow as tf

from tests.conftest import encode, photo
from tf_scl.data import features
from tf_scl.dataclass_json import to_plain
from tf_scl.errors import InputError
from tf_scl.images.check_image import check_image
from tf_scl.serving import lineage
from tf_scl.serving.export import LINEAGE

_FACTS = lineage.make_lineage(
    lineage.ImageLineage(
        kept={"train": 1000, "eval": 200},
        digest="d" * 64,
        source="photos",
        files=1234,
        rejected={"duplicate": 4, "not an image": 30},
    ),
    "c" * 64,
    "a commit",
    {"pipeline": "tf_scl", "run": "2026", "execution": "5"},
)


def saved_model_with_note(folder, **note):
    """A folder that looks like a SavedModel, with a note."""
    (folder / "assets.extra").mkdir(parents=True)
    (folder / "saved_model.pb").touch()
    facts = {
        "settings": {"train": {"epochs": 3, "optimizer": "sgd"}},
        LINEAGE: to_plain(_FACTS),
        **note,
    }
    (folder / "assets.extra" / "tf_scl.json").write_text(json.dumps(facts))
    return folder


def test_the_files_of_an_encoder_are_told():
    facts = lineage.make_lineage(_FACTS.images, "c", model_files={"/m/vit.keras": "e" * 64})
    text = lineage.render(lineage.ModelLineage("m", {}, facts))
    assert f"files     /m/vit.keras: sha256 {'e' * 64}\n" in text
    assert "files  " not in lineage.render(lineage.ModelLineage("m", {}, _FACTS))


@pytest.fixture
def files(tmp_path):
    """Image files in a folder."""
    (tmp_path / "images").mkdir()
    paths = [tmp_path / "images" / f"{number}.png" for number in range(12)]
    for number, path in enumerate(paths):
        path.write_bytes(encode(photo(number)))
    return paths


def _records(folder, files):
    """Record files of images, three a file."""
    folder.mkdir()
    for first in range(0, len(files), 3):
        with tf.io.TFRecordWriter(str(folder / f"data_tfrecord-{first:05d}")) as writer:
            for path in files[first : first + 3]:
                image = check_image(path.read_bytes(), 10**6)
                sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
                writer.write(features.encode_example(image, path.name.encode(), sha256))
    return [str(path) for path in sorted(folder.iterdir())]


def test_the_digest_is_what_the_shell_computes_from_the_files(files, tmp_path):
    splits = {
        "train": _records(tmp_path / "train", files[:9]),
        "eval": _records(tmp_path / "eval", files[9:]),
    }
    facts = lineage.image_lineage(splits)
    command = "sha256sum *.png | cut -c1-64 | sort | sha256sum | cut -c1-64"
    done = subprocess.run(command, shell=True, cwd=tmp_path / "images", capture_output=True)
    digest = done.stdout.decode().strip()
    assert facts == lineage.ImageLineage({"train": 9, "eval": 3}, digest, None, None, {})


def test_the_digest_depends_on_the_images_alone(files, tmp_path):
    def digest(name, chosen):
        return lineage.image_lineage({"train": _records(tmp_path / name, chosen)}).digest

    first = digest("one", files[:11])
    assert digest("another order", files[10::-1]) == first
    assert digest("one more", files) != first
    files[0].write_bytes(encode(photo(99)))
    assert digest("one changed", files[:11]) != first


def test_what_the_ingestion_says_goes_along(files, tmp_path):
    summary = {"source": "photos", "files": 13, "kept": {"train": 99}, "rejected": {"duplicate": 1}}
    (tmp_path / "summary.json").write_text(json.dumps({**summary, "classes": {}}))
    facts = lineage.image_lineage({"train": _records(tmp_path / "train", files)}, str(tmp_path))
    assert (facts.source, facts.files, facts.rejected) == ("photos", 13, {"duplicate": 1})
    assert facts.kept == {"train": 12}  # as counted


def test_a_model_and_the_newest_of_its_versions(tmp_path):
    for version in ("9", "10"):
        saved_model_with_note(tmp_path / version)
    (tmp_path / "11").mkdir()  # being copied
    for path in (tmp_path, f"{tmp_path}/", tmp_path / "10"):
        facts = lineage.read_lineage(path)
        assert facts.model == str(tmp_path / "10")
        assert facts.lineage == _FACTS
        assert facts.settings["train"]["epochs"] == 3


def test_the_text_names_images_config_code_and_run(tmp_path):
    path = saved_model_with_note(tmp_path / "1")
    lines = lineage.render(lineage.read_lineage(path)).splitlines()
    assert lines[:6] == [
        f"model     {path}",
        "images    photos",
        "          1,234 found, 34 rejected (4 duplicate; 30 not an image)",
        "          kept: 1,000 train, 200 eval",
        f"          sha256 of their sorted sha256s: {'d' * 64}",
        "config    train.epochs = 3",
    ]
    assert f"code      digest {'c' * 64}" in lines
    assert "          git commit a commit" in lines
    assert f"tensorflow {tf.__version__}" in "".join(lines)
    assert lines[-4:-1] == [
        "run       pipeline tf_scl",
        "          run 2026",
        "          execution 5",
    ]


def test_a_name_that_is_not_text_can_be_printed(tmp_path):
    facts = lineage.read_lineage(saved_model_with_note(tmp_path / "1"))
    images = dataclasses.replace(_FACTS.images, source="/a/\udcff")
    odd = dataclasses.replace(facts.lineage, images=images)
    text = lineage.render(dataclasses.replace(facts, lineage=odd))
    assert r"/a/\udcff" in text


def _without_note(folder):
    path = saved_model_with_note(folder)
    (path / "assets.extra" / "tf_scl.json").unlink()


@pytest.mark.parametrize(
    "make,message",
    [
        (lambda folder: None, "the model '.*1' does not exist; give the folder of a Saved"),
        (lambda folder: folder.mkdir(), "is no SavedModel: it holds no saved_model.pb"),
        (_without_note, "tf_scl.json' does not say where .*it does not exist.*make run"),
        (lambda folder: saved_model_with_note(folder, lineage=None), "does not say where"),
        (
            lambda folder: (
                saved_model_with_note(folder, settings=1)
                .joinpath("assets.extra", "tf_scl.json")
                .write_text("{}")
            ),
            "it has no 'lineage'",
        ),
        (
            lambda folder: (
                saved_model_with_note(folder)
                .joinpath("assets.extra", "tf_scl.json")
                .write_text("{")
            ),
            "does not say where",
        ),
    ],
)
def test_what_has_no_lineage_is_refused_in_one_line(tmp_path, make, message):
    make(tmp_path / "1")
    with pytest.raises(InputError, match=message) as caught:
        lineage.read_lineage(tmp_path / "1")
    assert "\n" not in str(caught.value)
