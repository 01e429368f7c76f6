import collections

import keras
import numpy as np
import pyarrow.parquet as pq
import pytest

import tf_scl
from tests.conftest import encode, photo
from tf_scl.data.sources.open_source import open_source
from tf_scl.embedding import embed, in_process
from tf_scl.embedding.in_process import embed_source, read_places
from tf_scl.embedding.served_model import find_model
from tf_scl.errors import InputError


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "1"
    keras.utils.set_random_seed(0)
    layers = [keras.Input((8, 8, 3)), keras.layers.Flatten(), keras.layers.Dense(5)]
    tf_scl.export_saved_model(keras.Sequential(layers), path, max_pixels=2000)
    return find_model(path)


def test_it_embeds_what_the_beam_job_does(model, image_folder, tmp_path, monkeypatch):
    monkeypatch.setattr(in_process, "_BATCH", 7)
    (image_folder / "cat" / "bad.png").write_bytes(b"no image")
    (image_folder / "dog" / "large.png").write_bytes(encode(photo(0, 64, 64)))
    source = open_source(str(image_folder))
    found = embed_source(source, model, 100)
    out = tmp_path / "out.parquet"
    summary = embed.embed(embed.local_pipeline, source, model.path, out)
    table = pq.read_table(out)
    assert list(found.ids) == table["id"].to_pylist()
    expected = np.array(table["embedding"].to_pylist())
    np.testing.assert_allclose(found.embeddings, expected, atol=1e-5)
    assert found.rejected == summary.rejected == {"not an image": 1, "too many pixels": 1}
    assert found.listed == 50 and len(found.places) == 48
    units = source.units()
    assert list(found.units) == units
    names = [item.name for _, item in read_places(source, units, found.places, 10**8)]
    assert [name.decode() for name in names] == list(found.ids)


def test_some_are_drawn_and_only_their_units_are_read(model, image_folder, monkeypatch):
    source = open_source(str(image_folder))
    found = embed_source(source, model, 100, most=5, seed=3)
    assert len(found.ids) == 5 and list(found.places) == sorted(found.places)
    again = embed_source(source, model, 100, most=5, seed=3)
    assert again.ids == found.ids
    np.testing.assert_array_equal(again.embeddings, found.embeddings)
    assert embed_source(source, model, 100, most=5, seed=4).ids != found.ids
    whole = embed_source(source, model, 100)
    np.testing.assert_allclose(found.embeddings, whole.embeddings[list(found.places)], atol=1e-5)
    drawn = collections.Counter(
        place for seed in range(6) for place in embed_source(source, model, 100, 20, seed).places
    )
    assert len(drawn) > 40  # of 48


def test_read_places_passes_over_units_without_any(image_folder, monkeypatch):
    source = open_source(str(image_folder))
    units = source.units()
    assert len(units) > 1
    read = []
    real = type(source).read
    monkeypatch.setattr(
        type(source), "read", lambda self, unit, most: read.append(unit) or real(self, unit, most)
    )
    last = sum(unit.items for unit in units) - 1
    ((place, item),) = read_places(source, units, [last], 10**8)
    assert place == last and item.name.startswith(b"dog/")
    assert read == [units[-1]]


def test_no_image_can_be_embedded(model, tmp_path):
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(b"no image")
    with pytest.raises(InputError, match=r"none of the 2 images .* \(2 not an image\)"):
        embed_source(open_source(str(tmp_path)), model, 100)
