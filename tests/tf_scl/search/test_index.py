import sys

import numpy as np
import pytest

from tests.tf_scl.search.collections import collection
from tf_scl.errors import InputError
from tf_scl.search import index as module
from tf_scl.search.index import build_index, describe, read_index


def _rows(count, seed=0, dimension=16):
    """Clusters, as embeddings have them."""
    centers = np.random.default_rng(99).normal(size=(50, dimension))
    rng = np.random.default_rng(seed)
    rows = centers[rng.integers(50, size=count)] + 0.3 * rng.normal(size=(count, dimension))
    return rows.astype(np.float32)


def _nearest(rows, queries, count):
    unit, others = (one / np.linalg.norm(one, axis=1, keepdims=True) for one in (rows, queries))
    cosines = others @ unit.T
    order = np.argsort(-cosines, axis=1)[:, :count]
    return np.take_along_axis(cosines, order, axis=1), order


def test_few_vectors_are_searched_exactly():
    rows, queries = _rows(500), 7 * _rows(20, seed=1)
    index = build_index(collection(rows))
    cosines, found = index.nearest(queries, 6)
    expected, order = _nearest(rows, queries, 6)
    np.testing.assert_allclose(cosines, expected, atol=1e-5)
    np.testing.assert_array_equal(found, order)
    assert index.nearest(queries[0], 1000)[1].shape == (1, 500)
    assert describe(index.facts) == "500 images (16 numbers each), searched exactly"


def test_many_vectors_are_searched_in_cells_and_the_recall_is_measured(monkeypatch):
    monkeypatch.setattr(module, "EXACT_UP_TO", 1000)
    rows, queries = _rows(5000), _rows(300, seed=1)
    index = build_index(collection(rows))
    assert index.facts.cells == 282 and 1 <= index.facts.probes < 282
    assert index.facts.recall >= 0.99
    _, found = index.nearest(queries, 10)
    _, order = _nearest(rows, queries, 10)
    both = [len(np.intersect1d(*pair)) for pair in zip(found, order, strict=True)]
    assert sum(both) / order.size > 0.97  # of other queries than those it was measured with
    assert "in 282 cells" in describe(index.facts)


def test_all_within_a_cosine():
    rows, queries = _rows(400), _rows(10, seed=2)
    queries, found, cosines = build_index(collection(rows)).within(_rows(10, seed=2), 0.8)
    expected, order = _nearest(rows, _rows(10, seed=2), 400)
    pairs = {
        (query, int(row))
        for query in range(10)
        for cosine, row in zip(expected[query], order[query], strict=True)
        if cosine >= 0.8
    }
    assert set(zip(queries.tolist(), found.tolist(), strict=True)) == pairs
    assert (cosines >= 0.8 - 1e-6).all()


def test_the_same_vector_is_within_one():
    rows = np.float32([[1, 0], [1, 0], [0, 1]])
    queries, found, _ = build_index(collection(rows)).within(rows, 1.0)
    pairs = set(zip(queries.tolist(), found.tolist(), strict=True))
    assert {(0, 1), (1, 0), (2, 2)} <= pairs and (0, 2) not in pairs


@pytest.mark.parametrize("exact_up_to", [10**5, 1000])
def test_what_is_saved_is_read_again(tmp_path, monkeypatch, exact_up_to):
    monkeypatch.setattr(module, "EXACT_UP_TO", exact_up_to)
    index = build_index(collection(_rows(2000)))
    index.save(tmp_path / "index")
    again = read_index(tmp_path / "index")
    assert again.facts == index.facts and again.ids == index.ids
    assert (again.facts.model, again.facts.fingerprint) == ("/models/1", "f1")
    for one, other in zip(index.nearest(_rows(5)), again.nearest(_rows(5)), strict=True):
        np.testing.assert_array_equal(one, other)
    with pytest.raises(InputError, match="exists already"):
        index.save(tmp_path / "index")
    assert [path.name for path in tmp_path.iterdir()] == ["index"]


def test_a_place_that_cannot_be_written(tmp_path, monkeypatch):
    index = build_index(collection(_rows(2000)))
    with pytest.raises(InputError, match="cannot write '/proc/i': No such file.*give another"):
        index.save("/proc/i")
    for name in ("_INDEX_FILE", "_IDS_FILE"):
        with monkeypatch.context() as patch:
            patch.setattr(module, name, "/dev/full")
            with pytest.raises(InputError, match="cannot write '.*/i': .*No space left") as caught:
                index.save(tmp_path / "i")
        assert "faiss::" not in str(caught.value) and caught.value.setting == "out"
    assert not list(tmp_path.iterdir())


def test_a_folder_that_appears_meanwhile_stays(tmp_path, monkeypatch):
    index = build_index(collection(_rows(30)))
    monkeypatch.setattr(index, "_write", lambda _: (tmp_path / "i").mkdir())
    with pytest.raises(InputError, match="i' exists already"):
        index.save(tmp_path / "i")


def test_a_folder_that_is_no_index_or_a_damaged_one(tmp_path):
    with pytest.raises(InputError, match="is no index: make one by tf-scl index"):
        read_index(tmp_path)
    build_index(collection(_rows(30))).save(tmp_path / "index")
    (tmp_path / "index" / "ids.json").write_text('["a"]')
    with pytest.raises(InputError, match="30 vectors and 1 names, but 30 are noted"):
        read_index(tmp_path / "index")
    (tmp_path / "index" / "index.faiss").write_bytes(b"x")
    with pytest.raises(InputError, match="is damaged"):
        read_index(tmp_path / "index")


def test_vectors_of_another_model():
    index = build_index(collection(_rows(30)))
    with pytest.raises(InputError, match="vectors of 16 numbers. Received: .1, 8.*'/models/1'"):
        index.nearest(np.zeros(8))


def test_without_faiss(monkeypatch):
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(InputError, match=r"a search needs FAISS.*pip install 'tf_scl\[search\]'"):
        build_index(collection(_rows(30)))
