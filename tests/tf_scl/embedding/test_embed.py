import contextlib
import hashlib
import io
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tarfile
import time

import keras
import numpy as np
import PIL.Image
import PIL.ImageOps
import pyarrow.parquet as pq
import pytest
import tensorflow as tf

import tf_scl
from tests.conftest import encode, photo
from tests.damaged_images import BAD, GOOD, KINDS, write_damaged_images
from tf_scl.data.sources.open_source import open_source
from tf_scl.embedding import embed
from tf_scl.embedding import parts as embed_parts
from tf_scl.embedding import plan as embed_plan
from tf_scl.embedding import rows as embed_rows
from tf_scl.embedding.served_model import find_model
from tf_scl.errors import InputError

_DOCS = pathlib.Path(__file__).parents[3] / "docs" / "how-to" / "embed.md"


def _export(path, seed=0, **options):
    keras.utils.set_random_seed(seed)
    layers = keras.layers
    encoder = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.Rescaling(1 / 127.5, -1),
            layers.Conv2D(8, 3, activation="tanh"),
            layers.Flatten(),
            layers.Dense(12),
        ]
    )
    tf_scl.export_saved_model(encoder, path, **options)
    return str(path)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return _export(tmp_path_factory.mktemp("embed") / "model")


@pytest.fixture(autouse=True)
def small_parts(monkeypatch):
    monkeypatch.setattr(embed_plan, "MAX_IMAGES", 8)


def _embed(source, model, out, flags=()):
    pipeline = lambda: embed.local_pipeline(list(flags))  # noqa: E731
    return embed.embed(pipeline, open_source(source), model, out)


def _rows(out):
    """Dict from id to row, whose embedding is an array."""
    rows = pq.read_table(out).to_pylist()
    for row in rows:
        row["embedding"] = np.array(row["embedding"], np.float32)
    found = {row["id"]: row for row in rows}
    assert len(found) == len(rows)
    return found


def _rejected(out):
    with open(embed_parts.rejected_path(out)) as lines:
        entries = [json.loads(line) for line in lines]
    return {entry["id"]: entry for entry in entries}


def _direct(model, files):
    """Each file embedded alone by the SavedModel, from its bytes."""
    serve = (loaded := tf.saved_model.load(model)).signatures["serving_default"]
    found = [serve(image_bytes=tf.constant([data]))["embedding"][0].numpy() for data in files]
    del loaded
    return found


@contextlib.contextmanager
def _embedded_parts(monkeypatch):
    """Number of images in each part that goes through the model."""
    sizes = []
    run = embed._SavedModelHandler.run_inference

    def count(self, batch, *args):
        sizes.extend(map(len, batch))
        return run(self, batch, *args)

    with monkeypatch.context() as patch:
        patch.setattr(embed._SavedModelHandler, "run_inference", count)
        yield sizes


def test_rows_are_what_the_model_answers_to_each_file_alone(image_folder, model, tmp_path):
    out = tmp_path / "out.parquet"
    summary = _embed(image_folder, model, out)
    rows = _rows(out)
    names = sorted(str(path.relative_to(image_folder)) for path in image_folder.rglob("*.*"))
    assert list(rows) == names
    assert len(names) == 48
    files = [(image_folder / name).read_bytes() for name in names]
    for name, data, expected in zip(names, files, _direct(model, files), strict=True):
        np.testing.assert_allclose(rows[name]["embedding"], expected, atol=1e-5)
        assert rows[name]["sha256"] == hashlib.sha256(data).hexdigest()
        assert rows[name]["class"] == name[:3]
        assert rows[name]["label"] == (name[:3] == "dog")
    assert summary == embed.EmbedSummary(
        str(out), str(tmp_path / "out.rejected.jsonl"), 12, 48, 48, {}
    )
    assert _rejected(out) == {}
    metadata = json.loads(pq.read_schema(out).metadata[b"tf_scl"])
    assert metadata["model"] == model
    assert metadata["model_fingerprint"] == find_model(model).fingerprint()
    assert metadata["model_metadata"]["image_size"] == 8
    assert metadata["source"] == str(image_folder)
    assert metadata["version"] == tf_scl.__version__
    assert sorted(os.listdir(tmp_path)) == ["out.parquet", "out.rejected.jsonl", "photos"]


def test_every_kind_of_damaged_file_is_accounted_for(model, tmp_path):
    folder, out = tmp_path / "damaged", tmp_path / "out.parquet"
    kinds = write_damaged_images(folder, len(KINDS), seed=0)
    summary = _embed(folder, model, out)
    rows, rejected = _rows(out), _rejected(out)
    names = {name.decode(errors="backslashreplace"): kind for name, kind in kinds.items()}
    assert {**rows, **rejected}.keys() == names.keys()
    assert not rows.keys() & rejected.keys()
    assert summary.listed == len(KINDS) == summary.embedded + sum(summary.rejected.values())
    for name, kind in names.items():
        assert kind not in GOOD or name in rows, (name, kind, rejected.get(name))
        assert kind not in BAD or name in rejected, (name, kind)
    reasons = [entry["reason"] for entry in rejected.values()]
    assert summary.rejected == {reason: reasons.count(reason) for reason in set(reasons)}
    assert all(entry["detail"] for entry in rejected.values())
    assert any("\\xe9" in name for name in rows)


def test_images_that_training_turns_or_converts_are_embedded_as_training_sees_them(model, tmp_path):
    folder, out = tmp_path / "photos", tmp_path / "out.parquet"
    folder.mkdir()
    exif = PIL.Image.Exif()
    exif[PIL.ExifTags.Base.Orientation] = 6
    files = {
        "bmp": encode(photo(1), "BMP"),
        "gif": encode(photo(2), "GIF"),
        "gray.png": encode(photo(3), mode="L"),
        "turned.png": encode(photo(4), exif=exif),
        "turned.tiff": encode(photo(5), "TIFF", exif=exif),
    }
    as_seen = []
    for name, data in files.items():
        (folder / name).write_bytes(data)
        with PIL.Image.open(io.BytesIO(data)) as image:
            as_seen.append(encode(PIL.ImageOps.exif_transpose(image), mode="RGB"))
    _embed(folder, model, out)
    rows = _rows(out)
    for name, expected in zip(files, _direct(model, as_seen), strict=True):
        np.testing.assert_allclose(rows[name]["embedding"], expected, atol=1e-5, err_msg=name)
        assert rows[name]["class"] is None and rows[name]["label"] is None
        assert rows[name]["sha256"] == hashlib.sha256(files[name]).hexdigest()


def test_arrays_are_embedded_from_their_pixels(model, tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (20, 10, 8, 3), np.uint8)
    np.savez(tmp_path / "arrays.npz", images=images, labels=np.arange(20) % 3)
    out = tmp_path / "out.parquet"
    _embed(f"numpy:{tmp_path}/arrays.npz", model, out)
    loaded = tf.saved_model.load(model)
    expected = loaded.signatures["encode_uint8"](images=tf.constant(images))["embedding"]
    rows = _rows(out)
    assert list(rows) == [f"images:{row}" for row in range(20)]
    found = [row["embedding"] for row in rows.values()]
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert [row["label"] for row in rows.values()] == [row % 3 for row in range(20)]


def test_a_tar_is_embedded_in_its_order_up_to_its_damage(model, tmp_path):
    path, out = tmp_path / "a.tar", tmp_path / "out.parquet"
    files = [encode(photo(number)) for number in range(30)]
    with tarfile.open(path, "w") as tar:
        for number, data in enumerate(files):
            for name, content in ((f"{30 - number}.png", data), (f"{30 - number}.cls", b"7")):
                member = tarfile.TarInfo(name)
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    summary = _embed(f"webdataset:{path}", model, out)
    rows = _rows(out)
    assert 10 < len(rows) < 20
    assert list(rows) == [f"a.tar/{30 - number}" for number in range(len(rows))]
    for row, expected in zip(rows.values(), _direct(model, files[: len(rows)]), strict=True):
        np.testing.assert_allclose(row["embedding"], expected, atol=1e-5)
        assert row["label"] == 7
    assert summary.rejected == {"cannot be read": summary.listed - len(rows)}


def test_images_that_the_model_does_not_take_are_set_aside_alone(
    image_folder, tmp_path, monkeypatch
):
    path, out = _export(tmp_path / "model", max_pixels=1000), tmp_path / "out.parquet"
    (image_folder / "cat" / "large.png").write_bytes(encode(photo(1, 40, 30)))
    (image_folder / "cat" / "text.png").write_bytes(b"a text")
    check = embed_rows.check_image

    def let_through(data, max_pixels):
        return type("Checked", (), {"encoded": data}) if data == b"a text" else check(data, 1000)

    monkeypatch.setattr(embed_rows, "check_image", let_through)
    summary = _embed(image_folder, path, out)
    assert summary.rejected == {"refused by the model": 1, "too many pixels": 1}
    found = _rejected(out)
    assert found["cat/text.png"]["detail"] == "neither PNG nor JPEG"
    assert found["cat/large.png"]["detail"] == "30 x 40 is more than max_pixels = 1000"
    names = list(_rows(out))
    assert len(names) == 48
    files = [(image_folder / name).read_bytes() for name in names]
    found = [row["embedding"] for row in _rows(out).values()]
    np.testing.assert_allclose(found, _direct(path, files), atol=1e-5)


_KILLED = """
import sys, time
from tf_scl import cli
from tf_scl.embedding import embed, plan as embed_plan
embed_plan.MAX_IMAGES = 8
run = embed._SavedModelHandler.run_inference
def slow(*args):
    time.sleep(0.5)
    return run(*args)
embed._SavedModelHandler.run_inference = slow
sys.exit(cli.main(["embed", *sys.argv[1:]]))
"""


def _kill_after_two_parts(source, model, out):
    """Returns the parts that were there then, dict from name to time of change."""
    folder = f"{out}.parts"
    command = [sys.executable, "-c", _KILLED, str(source), model, "--out", str(out)]
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    while len(found := list(pathlib.Path(folder).glob("*.parquet"))) < 2:
        assert child.poll() is None, child.stderr.read().decode()
        time.sleep(0.01)
    child.send_signal(signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL
    assert not os.path.exists(out)
    found = sorted(pathlib.Path(folder).glob("*.parquet"))
    return {path.name: path.stat().st_mtime_ns for path in found}


@pytest.mark.slow
def test_after_a_kill_the_same_call_goes_on_and_ends_with_the_same_bytes(
    image_folder, model, tmp_path, monkeypatch
):
    (image_folder / "cat" / "bad.png").write_bytes(b"no image")
    whole, out = tmp_path / "whole.parquet", tmp_path / "killed.parquet"
    _embed(image_folder, model, whole)
    done = _kill_after_two_parts(image_folder, model, out)
    assert 2 <= len(done) < 7
    joined = []

    def look(folder, *args):
        joined.append({name: (pathlib.Path(folder) / name).stat().st_mtime_ns for name in done})
        return join(folder, *args)

    join = embed_parts.join_parts
    monkeypatch.setattr(embed_parts, "join_parts", look)
    with _embedded_parts(monkeypatch) as sizes:
        summary = _embed(image_folder, model, out)
    assert joined == [done]  # these were not written again
    assert len(sizes) == 7 - len(done)
    assert (summary.listed, summary.embedded) == (49, 48)
    assert out.read_bytes() == whole.read_bytes()
    assert _rejected(out) == _rejected(whole)
    assert not os.path.exists(f"{out}.parts")


def _stop(image_folder, model, out, monkeypatch):
    """Ends a run by an error, with some parts done."""
    write, written = embed_parts.write_part, []

    def fail_later(*args):
        if len(written) == 2:
            raise OSError("no space left")
        written.append(write(*args))

    with monkeypatch.context() as patch:
        patch.setattr(embed_parts, "write_part", fail_later)
        with pytest.raises(Exception, match="no space left"):
            _embed(image_folder, model, out)
    assert len(list(pathlib.Path(f"{out}.parts").glob("*.parquet"))) == 2
    assert not out.exists()


def test_after_an_error_the_same_call_goes_on_and_ends_with_the_same_bytes(
    image_folder, model, tmp_path, monkeypatch
):
    whole, out = tmp_path / "whole.parquet", tmp_path / "stopped.parquet"
    _embed(image_folder, model, whole)
    _stop(image_folder, model, out, monkeypatch)
    with _embedded_parts(monkeypatch) as sizes:
        _embed(image_folder, model, out)
    assert sizes == [8] * 4
    assert out.read_bytes() == whole.read_bytes()


def test_parts_of_another_model_or_of_other_images_are_not_mixed_in(
    image_folder, model, tmp_path, monkeypatch
):
    out = tmp_path / "out.parquet"
    _stop(image_folder, model, out, monkeypatch)
    other = _export(tmp_path / "other", seed=1)
    with pytest.raises(InputError, match="differs from this one in its model; delete it"):
        _embed(image_folder, other, out)
    moved = image_folder / "cat" / "00.png"
    data = moved.read_bytes()
    moved.write_bytes(encode(photo(99)))
    with pytest.raises(InputError, match="differs from this one in its images"):
        _embed(image_folder, model, out)
    moved.write_bytes(data)
    os.utime(moved, ns=(1, 1))
    with pytest.raises(InputError, match="differs from this one in its images; delete it"):
        _embed(image_folder, model, out)
    assert len(list(pathlib.Path(f"{out}.parts").glob("*.parquet"))) == 2


def test_images_that_change_meanwhile_are_noticed(image_folder, model, tmp_path, monkeypatch):
    out = tmp_path / "out.parquet"
    write = embed_parts.write_part

    def change(*args):
        (image_folder / "dog" / "new.png").write_bytes(encode(photo(99)))
        write(*args)

    monkeypatch.setattr(embed_parts, "write_part", change)
    with pytest.raises(InputError, match="changed while they were being embedded; delete"):
        _embed(image_folder, model, out)
    assert not out.exists()


def test_stopped_while_the_parts_are_deleted_it_is_finished_by_the_next_call(
    image_folder, model, tmp_path, monkeypatch
):
    out = tmp_path / "out.parquet"

    def fail(_):
        raise OSError("stopped")

    with monkeypatch.context() as patch:
        patch.setattr(tf.io.gfile, "rmtree", fail)
        with pytest.raises(OSError, match="stopped"):
            _embed(image_folder, model, out)
    data = out.read_bytes()
    with _embedded_parts(monkeypatch) as sizes:
        assert _embed(image_folder, model, out).embedded == 48
    assert sizes == []
    assert out.read_bytes() == data
    assert not os.path.exists(f"{out}.parts")


@pytest.mark.slow
def test_lost_images_are_noticed_and_made_good(image_folder, model, tmp_path, monkeypatch):
    out = tmp_path / "out.parquet"
    write = embed_parts.write_part

    def lose(folder, number, rows, embeddings):
        if number != 3:
            write(folder, number, rows, embeddings)

    with monkeypatch.context() as patch:
        patch.setattr(embed_parts, "write_part", lose)
        with pytest.raises(RuntimeError, match="00000003.parquet' of 8 images is missing"):
            _embed(image_folder, model, out)
    with _embedded_parts(monkeypatch) as sizes:
        assert _embed(image_folder, model, out).embedded == 48
    assert sizes == [8]


def test_what_is_there_already_is_not_replaced(image_folder, model, tmp_path, monkeypatch):
    out = tmp_path / "out.parquet"
    out.write_text("mine")
    with pytest.raises(InputError, match="out.parquet' exists already; move it away, or"):
        _embed(image_folder, model, out)
    out.unlink()
    _stop(image_folder, model, out, monkeypatch)
    out.write_text("mine")
    with pytest.raises(InputError, match="out.parquet' exists already; move it away, or"):
        _embed(image_folder, model, out)
    assert out.read_text() == "mine"


@pytest.mark.parametrize(
    "out,message",
    [
        ("embeddings.csv", "must end in .parquet. Received: '.*embeddings.csv'"),
        ("nowhere/out.parquet", "the folder of the output '.*' does not exist; make it"),
        ("/proc/out.parquet", "cannot write '/proc/out.parquet.parts'"),
    ],
)
def test_places_that_cannot_be_written_are_named(image_folder, model, tmp_path, out, message):
    with pytest.raises(InputError, match=message):
        _embed(image_folder, model, tmp_path / out)


def test_one_image_is_enough_and_folders_may_be_splits(model, tmp_path):
    for name in ("train", "test"):  # nothing is trained here
        folder = tmp_path / "photos" / name
        folder.mkdir(parents=True)
        (folder / "1.png").write_bytes(encode(photo(1)))
    _embed(tmp_path / "photos", model, tmp_path / "two.parquet")
    assert list(_rows(tmp_path / "two.parquet")) == ["test/1.png", "train/1.png"]
    _embed(tmp_path / "photos" / "test", model, tmp_path / "one.parquet")
    assert list(_rows(tmp_path / "one.parquet")) == ["1.png"]


def test_nothing_to_embed_is_an_error_with_the_reasons(model, tmp_path):
    folder, out = tmp_path / "texts", tmp_path / "out.parquet"
    folder.mkdir()
    for number in range(4):
        (folder / f"{number}.png").write_bytes(b"" if number else b"text")
    with pytest.raises(InputError, match=r"none of the 4 .* \(3 empty file \(0 bytes\); 1 not an"):
        _embed(folder, model, out)
    assert len(_rejected(out)) == 4
    assert sorted(os.listdir(tmp_path)) == ["out.rejected.jsonl", "texts"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="empty' holds 0 files"):
        _embed(tmp_path / "empty", model, out)


def test_the_summary_is_a_line_or_two(tmp_path):
    summary = embed.EmbedSummary("a.parquet", "a.rejected.jsonl", 64, 3000, 3000, {})
    assert embed.describe(summary) == (
        "wrote a.parquet: 3,000 found, 3,000 embedded (64 numbers each), 0 rejected"
    )
    summary = embed.EmbedSummary("a.parquet", "a.rejected.jsonl", 64, 9, 6, {"x": 2, "y": 1})
    assert embed.describe(summary) == (
        "wrote a.parquet: 9 found, 6 embedded (64 numbers each), 3 rejected\n"
        "2 x; 1 y: see a.rejected.jsonl"
    )


def test_flags_that_beam_does_not_know_are_named():
    with pytest.raises(InputError, match="Beam knows no flag --direct_num_worker; the names are"):
        embed.local_pipeline(["--direct_num_worker=2", "--direct_running_mode=in_memory"])
    with pytest.raises(InputError, match="Beam cannot use the flags .*--runner=Nowhere"):
        embed.local_pipeline(["--runner=Nowhere"])


@pytest.mark.slow
def test_worker_processes_write_the_same_rows(image_folder, model, tmp_path):
    """Over the Fn API, as Flink, Spark and Dataflow speak it."""
    (image_folder / "bad.png").write_bytes(b"no image")
    one, two = tmp_path / "one.parquet", tmp_path / "two.parquet"
    _embed(image_folder, model, one)
    workers = ["--direct_running_mode=multi_processing", "--direct_num_workers=2"]
    _embed(image_folder, model, two, workers)
    assert _rejected(two) == _rejected(one)
    assert len(_rejected(two)) == 1
    expected, found = _rows(one), _rows(two)
    assert list(found) == list(expected)
    for name, row in found.items():
        np.testing.assert_allclose(row.pop("embedding"), expected[name].pop("embedding"), atol=1e-5)
        assert row == expected[name]


def test_the_query_of_the_docs_finds_the_nearest(model, tmp_path, monkeypatch, capsys):
    folder = tmp_path / "photos"
    for number in range(40):
        path = folder / ("cat" if number < 20 else "dog") / f"{number:04d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encode(photo(number), "JPEG"))
    monkeypatch.chdir(tmp_path)
    _embed("photos", model, "embeddings.parquet")
    rows = _rows("embeddings.parquet")
    query = rows.pop("cat/0007.jpg")["embedding"].astype(np.float64)
    cosines = {
        name: float(query @ row["embedding"])
        / np.linalg.norm(query)
        / np.linalg.norm(row["embedding"])
        for name, row in rows.items()
    }
    expected = sorted(cosines.items(), key=lambda pair: -pair[1])[:5]
    (code,) = re.findall(r"```python\n(.*?)```", _DOCS.read_text(), re.DOTALL)
    for rows_at_once in ("65_536", "7"):
        capsys.readouterr()
        assert "65_536" in code
        exec(code.replace("65_536", rows_at_once), {})
        lines = [line.split() for line in capsys.readouterr().out.splitlines()]
        assert [name for _, name in lines] == [name for name, _ in expected]
        np.testing.assert_allclose(
            [float(cosine) for cosine, _ in lines], [cosine for _, cosine in expected], atol=1e-4
        )
