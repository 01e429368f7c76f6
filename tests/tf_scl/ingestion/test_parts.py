import os
import pickle

import pytest
import tensorflow as tf

from tf_scl.ingestion import parts as ingest_parts
from tf_scl.ingestion.parts import Record

_RECORD = Record(b"0" * 64, b"cat/1.png", b"cat", b"0123456789")


def test_records_are_read_as_they_were_written(tmp_path):
    shards = {
        ("train", 0): [
            _RECORD,
            Record(b"", b"", b"", b""),
            Record(b"b", b"\xff", b"", b"1" * 10**6),
        ],
        "eval": [_RECORD],
        "none": [],
    }
    written = [ingest_parts.write_part(str(tmp_path), shards) for _ in range(2)]
    for chunks in map(dict, written):
        assert set(chunks) == set(shards)
        for shard, chunk in chunks.items():
            assert ingest_parts.read_chunks([chunk]) == shards[shard]
    both = [dict(chunks)["eval"] for chunks in written]
    assert both[0].path != both[1].path
    assert ingest_parts.read_chunks(both) == shards["eval"] * 2
    assert ingest_parts.read_chunks([]) == []


def test_a_part_that_was_cut_short_is_an_error(tmp_path):
    [(_, chunk)] = ingest_parts.write_part(str(tmp_path), {0: [_RECORD, _RECORD]})
    for length in (chunk.length - 5, chunk.length // 2, chunk.length // 2 + 5):
        os.truncate(chunk.path, length)
        with pytest.raises(RuntimeError, match=f"{chunk.path}.*cut short or changed. Run"):
            ingest_parts.read_chunks([chunk])


class _Attack:
    """Makes a folder when a pickle of it is read."""

    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (self.folder,)


def test_nothing_in_a_part_is_run(tmp_path):
    attack = pickle.dumps(_Attack(str(tmp_path / "made")))
    part = tmp_path / "part"
    part.write_bytes(attack)
    with pytest.raises(RuntimeError, match="does not hold"):
        ingest_parts.read_chunks([ingest_parts.PartSlice(str(part), 0, len(attack))])
    assert not (tmp_path / "made").exists()
    pickle.loads(attack)
    assert (tmp_path / "made").exists()


def test_the_folder_is_beside_and_gone_at_the_end(tmp_path):
    with ingest_parts.parts_folder(f"{tmp_path}/Split-train/") as folder:
        assert os.path.dirname(folder) == str(tmp_path)
        ingest_parts.write_part(folder, {0: [_RECORD]})
        with ingest_parts.parts_folder(f"{tmp_path}/Split-train") as other:
            assert other != folder
    assert list(tmp_path.iterdir()) == []


def test_the_folder_is_gone_after_a_failure(tmp_path):
    with pytest.raises(ValueError, match="no luck"):
        with ingest_parts.parts_folder(tmp_path / "Split-train") as folder:
            ingest_parts.write_part(folder, {0: [_RECORD]})
            raise ValueError("no luck")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_deleted_is_told(tmp_path, monkeypatch, caplog):
    def fail(_):
        raise tf.errors.PermissionDeniedError(None, None, "not yours")

    monkeypatch.setattr(tf.io.gfile, "rmtree", fail)
    with pytest.raises(ValueError, match="no luck"):
        with ingest_parts.parts_folder(tmp_path / "Split-train") as folder:
            raise ValueError("no luck")
    assert folder in caplog.text
    assert "not yours" in caplog.text
