"""The pages are true: their Python runs, and what they name is there.

A block of Python is run unless the comment `<!-- fragment: why -->` stands before it. Blocks of
a page share their names. Commands of the walk-through are run by scripts/walkthrough.sh.
"""

import ast
import dataclasses
import importlib.util
import pathlib
import re

import keras
import numpy as np
import pytest
import tensorflow as tf

import tf_scl
from tests.conftest import encode, photo
from tf_scl.config import Config
from tf_scl.data.sources import source
from tf_scl.embedding import rows
from tf_scl.images import check_image
from tf_scl.ingestion import summary as ingest_summary

_ROOT = pathlib.Path(__file__).parent.parent
_README = _ROOT / "README.md"
_PAGES = sorted((_ROOT / "docs").rglob("*.md"))
_ALL = [_README, *_PAGES]
_BLOCK = re.compile(
    r"^(<!-- fragment: [^\n]+ -->\n)?```python\n(.*?)^```$", re.DOTALL | re.MULTILINE
)


def _name(path):
    return str(path.relative_to(_ROOT))


def _blocks(path):
    """(code, whether it is a fragment) of each block of Python, in order."""
    return [(code, bool(why)) for why, code in _BLOCK.findall(path.read_text(encoding="utf-8"))]


def _photos(count):
    return np.stack([photo(seed, 32, 32) for seed in range(count)])


def _model(size=8):
    encoder = tf_scl.resnet(10, input_shape=(size, size, 3), width=4)
    projector = tf_scl.projection_head(8, (16,))
    return tf_scl.SpectralContrastive(encoder, projector, tf_scl.TwoViews(size))


def _labeled():
    """Images of two classes, 16 to train on and to test on, and features that tell them apart."""
    labels = np.arange(16) % 2
    images = (_photos(16) // 4 + 128 * labels[:, None, None, None]).astype("uint8")
    features = np.random.default_rng(0).normal(size=(16, 4)) + 3 * labels[:, None]
    return {
        **{"train_images": images, "train_labels": labels, "train_features": features},
        **{"test_images": images, "test_labels": labels, "test_features": features},
    }


def _for_script():
    images = _photos(8)
    keras.datasets.cifar10.load_data = lambda: ((images, np.zeros((8, 1))), (images, None))
    return {}


def _for_resume():
    model = _model()
    model.compile(tf_scl.L2SGD(0.01))
    return {**_labeled(), "model": model, "data": tf.data.Dataset.from_tensors(_photos(4))}


def _for_evaluate():
    encoder = tf_scl.resnet(10, input_shape=(32, 32, 3), width=4)
    return {**_labeled(), "encoder": encoder}


def _for_classify():
    encoder = tf_scl.resnet(10, input_shape=(32, 32, 3), width=4)
    labeled = _labeled()
    labels = np.array(["dark", "bright"])[labeled["train_labels"]]
    names = {"images": labeled["train_images"], "labels": labels, "keras": keras}
    return {"encoder": encoder, "tf_scl": tf_scl, **names}


def _for_shorten():
    encoder = tf_scl.resnet(10, input_shape=(8, 8, 3), width=1)
    images = np.stack([photo(seed, 8, 8) for seed in range(24)])
    return {"encoder": encoder, "tf_scl": tf_scl, "images": images, "held_out": images}


def _for_first_encoder():
    folder = pathlib.Path("runs/digits/images/3")
    folder.mkdir(parents=True)
    for number in range(2):
        (folder / f"{number}.png").write_bytes(encode(photo(number)))
    tf_scl.export_saved_model(_model(), "runs/digits/serving/17")
    return {}


def _for_embed():
    import pyarrow as pa
    import pyarrow.parquet as pq

    vectors = np.random.default_rng(0).normal(size=(20, 3)).astype("float32")
    ids = [f"cat/{number:04}.jpg" for number in range(20)]
    embedding = pa.FixedSizeListArray.from_arrays(vectors.ravel(), 3)
    pq.write_table(pa.table({"id": ids, "embedding": embedding}), "embeddings.parquet")
    return {}


# What must be there before the blocks of a page: names, files, stand-ins for downloads.
_BEFORE = {
    "docs/how-to/add_a_method.md": lambda: {"images": _photos(8)},
    "docs/how-to/classify.md": _for_classify,
    "docs/how-to/embed.md": _for_embed,
    "docs/how-to/evaluate.md": _for_evaluate,
    "docs/how-to/resume.md": _for_resume,
    "docs/how-to/serve.md": lambda: {"model": _model(), "tf_scl": tf_scl},
    "docs/how-to/shorten.md": _for_shorten,
    "docs/how-to/train_in_a_script.md": _for_script,
    "docs/tutorials/first_encoder.md": _for_first_encoder,
}
# Those that train or export a model.
_SLOW = {*_BEFORE} - {"docs/how-to/embed.md", "docs/how-to/evaluate.md"}
_RUN = [page for page in _PAGES if any(not fragment for _, fragment in _blocks(page))]


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, id=_name(page), marks=[pytest.mark.slow] * (_name(page) in _SLOW))
        for page in _RUN
    ],
)
def test_the_blocks_of_a_page_run(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(keras.datasets.cifar10, "load_data", _no_download)
    fit = keras.Model.fit
    monkeypatch.setattr(  # as written, but for the epochs
        keras.Model, "fit", lambda *args, **given: fit(*args, **given | {"epochs": 1, "verbose": 0})
    )
    names = {"__name__": "page", "tf_scl": tf_scl, **_BEFORE.get(_name(page), dict)()}
    for code, fragment in _blocks(page):
        if not fragment:
            exec(compile(code, _name(page), "exec"), names)


def _no_download():
    raise AssertionError("a block downloads; give it a stand-in in _BEFORE")


def test_the_blocks_of_the_readme_are_run_in_a_page():
    run = [code for page in _RUN for code, fragment in _blocks(page) if not fragment]
    assert _blocks(_README)
    for code, fragment in _blocks(_README):
        assert not fragment and code in run, code


@pytest.mark.parametrize("page", _ALL, ids=_name)
def test_every_block_of_python_is_python(page):
    text = page.read_text(encoding="utf-8")
    blocks = _blocks(page)
    assert len(blocks) == text.count("```python"), "a block that the test does not see"
    for code, _ in blocks:
        ast.parse(code)


@pytest.mark.parametrize("page", _ALL, ids=_name)
def test_every_flag_module_and_file_that_a_page_names_is_there(page):
    text = page.read_text(encoding="utf-8")
    sections = {field.name: field.default for field in dataclasses.fields(Config)}
    for section, name in re.findall(r"--(\w+)\.(\w+)", text):
        if section != "section":
            assert hasattr(sections[section], name), f"--{section}.{name}"
    for module in re.findall(r"python -m ([\w.]+)", text):
        assert importlib.util.find_spec(module), module
    for path in re.findall(r"`((?:tf_scl|tests|scripts|docker|benchmarks)/[\w/.-]*\w)`", text):
        assert (_ROOT / path).exists(), path


def test_every_reason_for_a_rejection_is_listed():
    page = (_ROOT / "docs/reference/records.md").read_text(encoding="utf-8")
    reasons = [
        *(check_image.EMPTY, check_image.NOT_AN_IMAGE, check_image.OTHER_FORMAT),
        *(check_image.TOO_LARGE, check_image.DAMAGED, check_image.UNSUPPORTED),
        *(source.UNREADABLE, source.FILE_TOO_LARGE, ingest_summary.DUPLICATE, rows.REFUSED),
    ]
    for reason in reasons:
        assert f"`{reason}`" in page, reason
