import keras
import numpy as np
import pytest

import tf_scl
from tests.conftest import encode, photo
from tf_scl import cli


@pytest.fixture(scope="module")
def saved_model(tmp_path_factory):
    path = tmp_path_factory.mktemp("commands") / "served" / "1"
    layers = [keras.Input((8, 8, 3)), keras.layers.Flatten(), keras.layers.Dense(5)]
    tf_scl.export_saved_model(keras.Sequential(layers), path)
    return path


@pytest.fixture(scope="package")
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


@pytest.fixture
def refused(tmp_path, monkeypatch, capsys):
    """Runs a command that is to be refused in one line; returns that line."""

    def run(*words):
        monkeypatch.chdir(tmp_path)
        assert cli.main(list(map(str, words))) == 2
        error = capsys.readouterr().err.splitlines()[-1]
        assert error.startswith("error: ")
        return error

    return run
