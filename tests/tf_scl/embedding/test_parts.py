import json
import os

import numpy as np
import pyarrow.parquet as pq
import pytest

from tf_scl.embedding import parts as embed_parts
from tf_scl.embedding.rows import Row
from tf_scl.errors import InputError

_D = 3


def _write(folder, number, rows, rejected=0):
    """A part of so many rows, of which the first ones are rejected; returns their embeddings."""
    kept = rows - rejected
    embeddings = np.random.default_rng(number).normal(size=(kept, _D)).astype(np.float32)
    problems = [("bad", "no image")] * rejected + [None] * kept
    of_part = [
        Row(f"{number}:{row}", f"{row:064x}", row if row % 2 else None, f"class{row}", problem)
        for row, problem in enumerate(problems)
    ]
    embed_parts.write_part(folder, number, of_part, embeddings)
    return embeddings


@pytest.mark.parametrize("group_bytes", [1, 4 * _D * 5, 2**20])
def test_parts_are_joined_in_their_order_whatever_the_row_groups(
    tmp_path, monkeypatch, group_bytes
):
    monkeypatch.setattr(embed_parts, "_GROUP_BYTES", group_bytes)
    folder = str(tmp_path / "out.parquet.parts")
    embed_parts.open_folder(folder, {"model": "m"})
    parts = {0: 4, 1: 3, 2: 2, 3: 6}
    expected = [_write(folder, number, items, number % 3) for number, items in parts.items()]
    assert embed_parts.parts_done(folder) == set(parts)
    embed_parts.join_parts(folder, parts, _D, {"note": "ä"})
    assert embed_parts.count_joined(folder) == (12, {"bad": 3})
    out = str(tmp_path / "out.parquet")
    embed_parts.put_in_place(folder, out)
    assert embed_parts.count_file(out) == (12, {"bad": 3})
    assert embed_parts.read_file_metadata(out) == {"note": "ä"}
    table = pq.read_table(out)
    assert str(table.schema.field("embedding").type).endswith(f"float>[{_D}]") or (
        str(table.schema.field("embedding").type).endswith(f"float not null>[{_D}]")
    )
    np.testing.assert_array_equal(
        np.array(table["embedding"].to_pylist(), np.float32), np.concatenate(expected)
    )
    kept = [(n, row) for n, items in parts.items() for row in range(n % 3, items)]
    assert table["id"].to_pylist() == [f"{number}:{row}" for number, row in kept]
    assert table["label"].to_pylist() == [row if row % 2 else None for _, row in kept]
    assert table["class"].to_pylist() == [f"class{row}" for _, row in kept]
    with open(embed_parts.rejected_path(out)) as lines:
        assert [json.loads(line) for line in lines] == [
            {"id": name, "reason": "bad", "detail": "no image"} for name in ("1:0", "2:0", "2:1")
        ]


def test_a_part_without_rows_and_one_without_names(tmp_path):
    folder = str(tmp_path)
    _write(folder, 0, 2, rejected=2)
    row = Row("a", "0" * 64, None, None)
    embed_parts.write_part(folder, 1, [row], np.ones((1, _D), np.float32))
    embed_parts.join_parts(folder, {0: 2, 1: 1}, _D, {})
    table = pq.read_table(tmp_path / "joined.parquet")
    assert table.drop(["sha256"]).to_pylist() == [
        {"id": "a", "label": None, "class": None, "embedding": [1.0] * _D}
    ]


def test_what_is_missing_damaged_or_too_little_is_named(tmp_path):
    folder = str(tmp_path)
    _write(folder, 0, 4)
    with pytest.raises(RuntimeError, match="00000001.parquet' of 5 images is missing"):
        embed_parts.join_parts(folder, {0: 4, 1: 5}, _D, {})
    with pytest.raises(RuntimeError, match="hold 5 images, but 4 are embedded and 0 rejected"):
        embed_parts.join_parts(folder, {0: 5}, _D, {})
    path = tmp_path / "00000000.parquet"
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(RuntimeError, match="00000000.parquet' is damaged .*; delete it"):
        embed_parts.join_parts(folder, {0: 4}, _D, {})


@pytest.mark.parametrize("name", ["_JOINED", "_JOINED_REJECTED"])
def test_a_full_disk_is_said_and_the_parts_stay(tmp_path, monkeypatch, name):
    folder = str(tmp_path)
    for number in range(3):
        _write(folder, number, 2000, rejected=1000)
    with monkeypatch.context() as patch:
        patch.setattr(embed_parts, name, "/dev/full")
        with pytest.raises(InputError, match="cannot write the joined parts.*No space left.*room"):
            embed_parts.join_parts(folder, dict.fromkeys(range(3), 2000), _D, {})
    assert embed_parts.parts_done(folder) == {0, 1, 2}


def test_a_folder_is_gone_on_in_only_by_what_made_it(tmp_path):
    folder = str(tmp_path / "parts")
    key = {"model": "m", "images": "i", "version": "1"}
    embed_parts.open_folder(folder, key)
    embed_parts.open_folder(folder, dict(reversed(key.items())))
    with pytest.raises(InputError, match="differs from this one in its model, version; delete it"):
        embed_parts.open_folder(folder, {**key, "model": "n", "version": "2"})
    assert os.listdir(folder) == ["key.json"]


def test_a_folder_that_is_none_of_ours_is_refused_and_an_empty_one_used(tmp_path):
    (tmp_path / "mine").mkdir()
    embed_parts.open_folder(str(tmp_path / "mine"), {"model": "m"})
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "letter.txt").write_text("dear")
    with pytest.raises(InputError, match="other' is there already, without a key.json of ours"):
        embed_parts.open_folder(str(tmp_path / "other"), {"model": "m"})
    assert os.listdir(tmp_path / "other") == ["letter.txt"]


def test_a_file_that_is_in_the_way_stays(tmp_path):
    folder, out = str(tmp_path / "parts"), tmp_path / "out.parquet"
    embed_parts.open_folder(folder, {})
    _write(folder, 0, 4)
    embed_parts.join_parts(folder, {0: 4}, _D, {})
    out.write_text("mine")
    with pytest.raises(InputError, match="out.parquet' has appeared while this ran"):
        embed_parts.put_in_place(folder, str(out))
    assert out.read_text() == "mine"
    assert embed_parts.read_file_metadata(str(out)) == {}
