import copy
import hashlib
import json
import os

import apache_beam as beam
import numpy as np
import pytest
import tensorflow as tf
from apache_beam.options.pipeline_options import PipelineOptions

from tests.conftest import encode, photo
from tests.tf_scl.images.test_check_image import huge_png_header, sixteen_bit_png
from tf_scl.config import IngestConfig
from tf_scl.data.input_pipeline import open_records, record_files
from tf_scl.data.sources.open_source import open_source
from tf_scl.errors import InputError
from tf_scl.ingestion import ingest
from tf_scl.ingestion import parts as ingest_parts

_RUNNER = "--runner=apache_beam.runners.portability.fn_api_runner.FnApiRunner"
_IN_MEMORY = [_RUNNER, "--direct_running_mode=in_memory"]


def _ingest(source, out, config=None, flags=_IN_MEMORY):
    splits = {split: str(out / f"Split-{split}") for split in ingest.SPLITS}
    return ingest.ingest(
        lambda: beam.Pipeline(options=PipelineOptions(flags)),
        open_source(source),
        config or IngestConfig(),
        splits,
        str(out / "report"),
    )


def _records(out):
    """Dict from split to examples, in file order."""
    return {
        split: [
            tf.train.Example.FromString(record.numpy()).features.feature
            for record in open_records(record_files(str(out / f"Split-{split}")))
        ]
        for split in ingest.SPLITS
    }


def _rejected(out):
    lines = (out / "report" / "rejected.jsonl").read_text().splitlines()
    return {entry["file"]: entry["reason"] for entry in map(json.loads, lines)}


def test_every_image_arrives_in_the_split_of_its_hash(image_folder, tmp_path):
    summary = _ingest(image_folder, tmp_path / "out", IngestConfig(eval_fraction=0.3))
    records = _records(tmp_path / "out")
    seen = {}
    for split, examples in records.items():
        assert len(examples) == summary.kept[split]
        for example in examples:
            name = example["image/filename"].bytes_list.value[0].decode()
            data = (image_folder / name).read_bytes()
            assert example["image/encoded"].bytes_list.value[0] == data
            digest = hashlib.sha256(data).digest()
            assert example["image/sha256"].bytes_list.value[0].decode() == digest.hex()
            share = int.from_bytes(digest[:8], "big") / 2**64
            assert split == ("eval" if share < 0.3 else "train")
            assert example["image/class/text"].bytes_list.value[0].decode() == name[:3]
            assert example["image/class/label"].int64_list.value[0] == (name[:3] == "dog")
            seen[name] = split
    assert len(seen) == 48
    assert summary.files == 48
    assert summary.rejected == {}
    assert summary.classes == {"cat": 24, "dog": 24}
    stored = json.loads((tmp_path / "out" / "report" / "summary.json").read_text())
    assert stored["kept"] == summary.kept
    assert stored["source"] == str(image_folder)


def test_bad_neighbors_are_set_aside_with_their_reason_and_cost_no_image(image_folder, tmp_path):
    cat = image_folder / "cat"
    (cat / "notes.png").write_text("a text file")
    (cat / "cut.jpg").write_bytes(encode(photo(99), "JPEG")[:-150])
    (cat / "empty.png").write_bytes(b"")
    (cat / "huge.png").write_bytes(huge_png_header())
    (cat / "broken.png").symlink_to(tmp_path / "nothing")
    os.mkfifo(cat / "pipe.png")
    with open(os.fsencode(cat) + b"/caf\xe9.png", "wb") as file:
        file.write(b"")
    good = {
        "gray.png": encode(photo(1), mode="L"),
        "rgba.png": encode(photo(2), mode="RGBA"),
        "palette.png": encode(photo(3), mode="P"),
        "sixteen.png": sixteen_bit_png()[0],
    }
    (image_folder / "lonely").mkdir()
    for name, data in good.items():
        (cat / name).write_bytes(data)
    (image_folder / "lonely" / "only.png").write_bytes(encode(photo(7)))
    summary = _ingest(image_folder, tmp_path / "out")
    assert summary.files == 48 + 7 + 4 + 1
    assert sum(summary.kept.values()) == 48 + 4 + 1
    assert summary.classes == {"cat": 28, "dog": 24, "lonely": 1}
    assert _rejected(tmp_path / "out") == {
        "cat/notes.png": "not an image",
        "cat/cut.jpg": "damaged or cut short",
        "cat/empty.png": "empty file (0 bytes)",
        "cat/huge.png": "too many pixels",
        "cat/broken.png": "cannot be read",
        "cat/pipe.png": "cannot be read",
        "cat/caf\udce9.png": "empty file (0 bytes)",
    }
    assert sum(summary.rejected.values()) == 7
    assert "60 found: 53 kept" in ingest.describe(summary)
    assert "2 empty file (0 bytes)" in ingest.describe(summary)


def test_unlabeled_images_have_no_label(tmp_path):
    folder = tmp_path / "flat"
    folder.mkdir()
    for number in range(20):
        (folder / f"{number}.png").write_bytes(encode(photo(number)))
    summary = _ingest(folder, tmp_path / "out", IngestConfig(eval_fraction=0.4))
    assert summary.classes == {}
    for examples in _records(tmp_path / "out").values():
        assert all("image/class/label" not in example for example in examples)


def test_new_images_move_no_old_one(image_folder, tmp_path):
    _ingest(image_folder, tmp_path / "before")
    for number in range(100, 120):
        (image_folder / "cat" / f"new{number}.png").write_bytes(encode(photo(number)))
    _ingest(image_folder, tmp_path / "after")

    def splits(out):
        return {
            example["image/filename"].bytes_list.value[0]: split
            for split, examples in _records(out).items()
            for example in examples
        }

    before, after = splits(tmp_path / "before"), splits(tmp_path / "after")
    assert len(after) == 68
    assert all(after[name] == split for name, split in before.items())


def test_shards_are_of_the_target_size_and_hold_everything(tmp_path):
    folder = tmp_path / "noise"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(12):
        pixels = rng.integers(0, 256, (400, 400, 3)).astype(np.uint8)
        (folder / f"{number}.png").write_bytes(encode(pixels))
    summary = _ingest(folder, tmp_path / "out", IngestConfig(eval_fraction=0.4, shard_megabytes=1))
    names = sorted(path.name for path in (tmp_path / "out" / "Split-train").iterdir())
    # 12 images of 0.46 MiB, 0.6 of them for training: four shards of one MiB.
    assert all(name.endswith("-of-00004") for name in names)
    assert 2 <= len(names) <= 4
    assert sum(summary.kept.values()) == 12


@pytest.mark.slow
def test_worker_processes_write_the_same_bytes(image_folder, tmp_path):
    """Over the Fn API, as Flink, Spark and Dataflow speak it."""
    (image_folder / "bad.png").write_bytes(b"no image")
    _ingest(image_folder, tmp_path / "one")
    workers = [_RUNNER, "--direct_running_mode=multi_processing", "--direct_num_workers=2"]
    _ingest(image_folder, tmp_path / "two", flags=workers)

    assert _contents(tmp_path / "one") == _contents(tmp_path / "two")


def _contents(out):
    return {path.relative_to(out): path.read_bytes() for path in out.rglob("*") if path.is_file()}


def _ingest_awkwardly(folder, out, monkeypatch):
    """Of several shards, with a duplicate and images that are rejected."""
    (folder / "bad.png").write_bytes(b"no image")
    (folder / "copy.png").write_bytes((folder / "cat" / "00.png").read_bytes())
    (folder / "nowhere.png").symlink_to(folder / "nothing")
    monkeypatch.setattr(ingest, "_shard_counts", lambda *_: {"train": 4, "eval": 3})
    return _ingest(folder, out, IngestConfig(eval_fraction=0.4))


def test_many_small_parts_make_the_same_shards(image_folder, tmp_path, monkeypatch):
    whole = _ingest_awkwardly(image_folder, tmp_path / "whole", monkeypatch)
    monkeypatch.setattr(ingest, "_PART_BYTES", 10_000)
    parts = []
    write = ingest_parts.write_part
    monkeypatch.setattr(ingest_parts, "write_part", lambda *a: parts.append(a) or write(*a))
    assert _ingest(image_folder, tmp_path / "parts", IngestConfig(eval_fraction=0.4)) == whole
    assert len(parts) > 3
    assert _contents(tmp_path / "parts") == _contents(tmp_path / "whole")


def test_a_bundle_that_is_run_twice_leaves_nothing_twice(image_folder, tmp_path, monkeypatch):
    once = _ingest_awkwardly(image_folder, tmp_path / "once", monkeypatch)
    process, finish = ingest._Check.process, ingest._Check.finish_bundle
    lost = []

    def run_twice(self, unit):
        # As a runner does whose worker died after its work, before that was noted down.
        dead = copy.copy(self)
        dead.start_bundle()
        list(process(dead, unit))
        lost.extend(finish(dead))
        yield from process(self, unit)

    monkeypatch.setattr(ingest._Check, "process", run_twice)
    assert _ingest(image_folder, tmp_path / "twice", IngestConfig(eval_fraction=0.4)) == once
    assert lost
    assert _contents(tmp_path / "twice") == _contents(tmp_path / "once")


def test_a_bundle_that_failed_is_forgotten(image_folder, tmp_path):
    source, config, parts = open_source(image_folder), IngestConfig(), str(tmp_path)
    unit = source.units()[0]
    check = ingest._Check(source, unit.items, config, {"train": 1, "eval": 1}, parts)
    check.setup()
    check.start_bundle()
    list(check.process(unit))
    check.start_bundle()  # the runner tries again, with the object that failed
    list(check.process(unit))
    chunks = [chunk for _, chunk in (one.value for one in check.finish_bundle())]
    assert len(ingest_parts.read_chunks(chunks)) == unit.items


def test_what_a_killed_run_left_is_not_read(image_folder, tmp_path, monkeypatch):
    out = tmp_path / "out"

    def killed(*_):
        raise OSError("killed")

    with monkeypatch.context() as patched:
        patched.setattr(ingest._WriteShard, "process", killed)
        patched.setattr(tf.io.gfile, "rmtree", killed)
        with pytest.raises(Exception, match="killed"):
            _ingest(image_folder, out)
    left = _contents(out)
    assert [path.parts[0].startswith("Split-train-") for path in left] == [True]
    summary = _ingest(image_folder, out)
    assert sum(summary.kept.values()) == summary.files == 48
    _ingest(image_folder, tmp_path / "clean")
    assert _contents(out) == {**_contents(tmp_path / "clean"), **left}


def test_only_the_outcome_is_left(image_folder, tmp_path):
    _ingest(image_folder, tmp_path / "out")
    left = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert left == ["Split-eval", "Split-train", "report"]
    assert sorted(path.name for path in (tmp_path / "out" / "report").iterdir()) == [
        "rejected.jsonl",
        "summary.json",
    ]


def test_of_the_same_image_the_first_is_kept(image_folder, tmp_path):
    data = (image_folder / "cat" / "00.png").read_bytes()
    for name in ("cat/01-copy.png", "dog/99-copy.png", "no-class.png"):
        (image_folder / name).write_bytes(data)
    summary = _ingest(image_folder, tmp_path / "out")
    assert summary.rejected == {"duplicate": 3}
    assert summary.classes == {"cat": 24, "dog": 24}
    lines = (tmp_path / "out" / "report" / "rejected.jsonl").read_text().splitlines()
    entries = [json.loads(line) for line in lines]
    assert {entry["same_as"] for entry in entries} == {"cat/00.png"}
    details = {entry["file"]: entry["detail"] for entry in entries}
    same = "same content as cat/00.png"
    assert details == {
        "cat/01-copy.png": same,
        "dog/99-copy.png": f"{same}, but in another class: dog, not cat",
        "no-class.png": f"{same}, but in another class: no class, not cat",
    }


def test_compressed_records_are_the_same_records(image_folder, tmp_path):
    _ingest(image_folder, tmp_path / "plain")
    _ingest(image_folder, tmp_path / "gzip", IngestConfig(compression="gzip"))
    for path in (tmp_path / "gzip").rglob("data_*"):
        assert path.suffix == ".gz"
        assert path.read_bytes()[:2] == b"\x1f\x8b"
    assert _records(tmp_path / "plain") == _records(tmp_path / "gzip")


def test_large_images_are_shrunk_and_large_files_set_aside(tmp_path):
    folder = tmp_path / "large"
    folder.mkdir()
    for number in range(12):
        (folder / f"{number}.jpg").write_bytes(encode(photo(number, 60, 90), "JPEG"))
    (folder / "huge.bmp").write_bytes(encode(photo(1, 600, 600), "BMP"))
    config = IngestConfig(short_side=20, max_megabytes=1, eval_fraction=0.4)
    summary = _ingest(folder, tmp_path / "out", config)
    assert summary.rejected == {"file too large": 1}
    for examples in _records(tmp_path / "out").values():
        for example in examples:
            size = [example[f"image/{side}"].int64_list.value[0] for side in ("height", "width")]
            assert size == [20, 30]


def test_arrays_are_ingested_without_loss(tmp_path):
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (30, 6, 5, 3), np.uint8), np.arange(30) % 11
    np.savez(tmp_path / "arrays.npz", images=images, labels=labels)
    summary = _ingest(f"numpy:{tmp_path}/arrays.npz", tmp_path / "out")
    # In the order of the labels, not of their names.
    assert list(summary.classes) == [str(label) for label in range(11)]
    found = {}
    for examples in _records(tmp_path / "out").values():
        for example in examples:
            row = int(example["image/filename"].bytes_list.value[0].split(b":")[1])
            assert example["image/class/label"].int64_list.value[0] == labels[row]
            found[row] = tf.io.decode_png(example["image/encoded"].bytes_list.value[0]).numpy()
    np.testing.assert_array_equal([found[row] for row in range(30)], images)


def test_lost_records_are_noticed(image_folder, tmp_path, monkeypatch):
    read = ingest_parts.read_chunks
    monkeypatch.setattr(ingest_parts, "read_chunks", lambda chunks: read(chunks)[1:])
    with pytest.raises(RuntimeError, match="48 images were listed but 46"):
        _ingest(image_folder, tmp_path / "out")


def test_nothing_half_written_is_among_the_shards(image_folder, tmp_path, monkeypatch):
    def fail(*_, **__):
        raise OSError("disk full")

    monkeypatch.setattr(tf.io.gfile, "rename", fail)
    with pytest.raises(Exception, match="disk full"):
        _ingest(image_folder, tmp_path / "out")
    for split in ingest.SPLITS:
        assert list((tmp_path / "out" / f"Split-{split}").iterdir()) == []
    assert len(list((tmp_path / "out").iterdir())) == 3


def test_brackets_in_the_output_folder_are_no_pattern(image_folder, tmp_path):
    assert sum(_ingest(image_folder, tmp_path / "out[1]").kept.values()) == 48


def test_a_used_output_folder_is_refused(image_folder, tmp_path):
    _ingest(image_folder, tmp_path / "out")
    with pytest.raises(InputError, match="Split-train' is not empty"):
        _ingest(image_folder, tmp_path / "out")


def test_a_split_with_too_few_images_is_an_error(tmp_path):
    folder = tmp_path / "few"
    folder.mkdir()
    for number in range(4):
        (folder / f"{number}.png").write_bytes(encode(photo(number)) if number < 2 else b"bad")
    with pytest.raises(InputError, match="of the 2 usable images.*4 found: 2 kept"):
        _ingest(folder, tmp_path / "out")


def test_gray_images_are_counted_and_said(tmp_path, caplog):
    (tmp_path / "gray").mkdir()
    for number in range(30):
        (tmp_path / "gray" / f"{number}.png").write_bytes(encode(photo(number), mode="L"))
    with caplog.at_level("INFO", "tf_scl"):
        assert _ingest(tmp_path / "gray", tmp_path / "out").gray == 30
        assert "all 30 images are gray" in caplog.text
        caplog.clear()
        (tmp_path / "gray" / "colored.png").write_bytes(encode(photo(30)))
        assert _ingest(tmp_path / "gray", tmp_path / "mixed").gray == 30
        assert "images are gray" not in caplog.text


def test_text_labels_are_the_classes_of_the_records(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (40, 6, 5), np.uint8)
    nouns = np.array(["dog", "cat", "ant", "10", "9"] * 8)
    np.savez(tmp_path / "arrays.npz", images=images, labels=nouns)
    summary = _ingest(f"numpy:{tmp_path}/arrays.npz", tmp_path / "out")
    assert summary.classes == {"10": 8, "9": 8, "ant": 8, "cat": 8, "dog": 8}
    assert list(summary.classes) == ["10", "9", "ant", "cat", "dog"]
