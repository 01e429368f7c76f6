import pytest

from tf_scl.errors import InputError
from tf_scl.serving.model_folder import find_saved_model


def _make(folder):
    folder.mkdir(parents=True)
    (folder / "saved_model.pb").touch()


def test_a_saved_model_is_found(tmp_path, monkeypatch):
    _make(tmp_path / "model")
    assert find_saved_model(f"{tmp_path}/model/") == str(tmp_path / "model")
    monkeypatch.chdir(tmp_path)
    assert find_saved_model("model") == str(tmp_path / "model")


def test_the_newest_of_the_complete_versions_is_taken(tmp_path):
    for version in ("9", "10", "notes", ".incoming-12"):
        _make(tmp_path / version)
    (tmp_path / "11").mkdir()
    assert find_saved_model(tmp_path) == str(tmp_path / "10")


def test_what_is_no_saved_model_is_refused(tmp_path):
    with pytest.raises(InputError, match="does not exist; give the folder"):
        find_saved_model(tmp_path / "missing")
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="is a file; give the folder"):
        find_saved_model(tmp_path / "file")
    (tmp_path / "1").mkdir()
    with pytest.raises(InputError, match=r"is no SavedModel: .*\['1', 'file'\]; give the folder"):
        find_saved_model(tmp_path)
