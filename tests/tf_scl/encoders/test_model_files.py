import hashlib
import os

import pytest

from tf_scl.config import ModelConfig
from tf_scl.encoders import model_files
from tf_scl.errors import InputError


@pytest.mark.parametrize(
    "text", ["a.keras", "w.weights.h5", "some/preset", "./preset", "gs://bucket/a.keras"]
)
def test_a_path_is_told_from_a_name(text):
    assert model_files.is_path(text)


@pytest.mark.parametrize("text", ["resnet", "ResNet50", "imagenet", "hf://someone/vit", "vit_b16"])
def test_a_name_is_told_from_a_path(text):
    assert not model_files.is_path(text)


def test_paths_become_whole(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    model = ModelConfig(encoder="~/a.keras", weights="b/c.weights.h5")
    found = model_files.with_absolute_paths(model)
    assert found.encoder == os.path.expanduser("~/a.keras")
    assert found.weights == str(tmp_path / "b" / "c.weights.h5")
    for encoder in ("ResNet50", "gs://bucket/a.keras", "hf://someone/vit"):
        model = ModelConfig(encoder=encoder)
        assert model_files.with_absolute_paths(model) == model


def test_digests_are_those_of_the_content(tmp_path):
    path = tmp_path / "a.keras"
    path.write_bytes(b"one")
    settings = {"encoder": str(path), "weights": str(tmp_path / "missing.h5"), "depth": 18}
    assert model_files.digests(settings) == {str(path): hashlib.sha256(b"one").hexdigest()}
    assert model_files.digests({"encoder": "ResNet50", "weights": "imagenet"}) == {}
    assert model_files.digests({}) == {}


def test_the_digest_of_a_preset_is_that_of_all_its_files(tmp_path):
    folder = tmp_path / "preset"
    folder.mkdir()
    found = set()
    for name, content in (("a", b"1"), ("a", b"2"), ("b", b"1")):
        (folder / name).write_bytes(content)
        found.add(model_files.digests({"encoder": str(folder)})[str(folder)])
    assert len(found) == 3


def test_paths_for_containers_are_whole():
    model_files.refuse_relative_paths(ModelConfig(encoder="/models/a.keras"))
    model_files.refuse_relative_paths(ModelConfig(weights="gs://bucket/a.keras"))
    with pytest.raises(InputError, match="model.weights 'a.keras' is relative to a folder here"):
        model_files.refuse_relative_paths(ModelConfig(weights="a.keras"))


def test_a_method_from_outside_is_looked_at_and_counts_as_a_file(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(tmp_path)
    path = tmp_path / "a_method_of_mine.py"
    path.write_text("class Mine: ...\n")
    model = ModelConfig(method="a_method_of_mine:Mine")
    model_files.check_files(model)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert model_files.digests({"method": model.method}) == {str(path): digest}
    with pytest.raises(InputError, match="model.method is 'a_method_of_mine:Other', but"):
        model_files.check_files(ModelConfig(method="a_method_of_mine:Other"))
    assert model_files.digests({"method": "in_a_container:Mine"}) == {}
