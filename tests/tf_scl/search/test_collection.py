import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.tf_scl.search.collections import write_embeddings
from tf_scl.errors import InputError
from tf_scl.search import collection as module
from tf_scl.search.collection import read_collection


def test_vectors_have_norm_one_and_names_their_order(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_ROWS", 3)
    rows = np.random.default_rng(0).normal(size=(10, 4)).astype(np.float32)
    rows[7] = 0
    write_embeddings(tmp_path / "e.parquet", rows, {"duplicate_cosine": 0.9})
    found = read_collection(tmp_path / "e.parquet")
    assert found.ids == [f"{n}.png" for n in range(10)]
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    np.testing.assert_allclose(found.vectors, rows / np.maximum(norms, 1e-12), rtol=1e-6)
    assert (found.model, found.fingerprint) == ("/models/1", "f1")
    assert found.metadata == {"dimension": 4, "duplicate_cosine": 0.9}


def test_files_that_are_none_of_ours(tmp_path):
    with pytest.raises(InputError, match="cannot read embeddings from '.*nowhere.parquet'"):
        read_collection(tmp_path / "nowhere.parquet")
    (tmp_path / "text.parquet").write_text("no Parquet")
    with pytest.raises(InputError, match="cannot read embeddings from '.*text.parquet'"):
        read_collection(tmp_path / "text.parquet")
    pq.write_table(pa.table({"id": ["a"]}), tmp_path / "other.parquet")
    with pytest.raises(InputError, match="not a file of embeddings: make one by tf-scl embed"):
        read_collection(tmp_path / "other.parquet")
    write_embeddings(tmp_path / "none.parquet", np.zeros((0, 3), np.float32))
    with pytest.raises(InputError, match="holds no embedding"):
        read_collection(tmp_path / "none.parquet")
