"""Each example is run as it stands, with as little training as it can be told."""

import ast
import io
import pathlib
import re
import runpy
import subprocess
import sys
import tokenize

import numpy as np
import pytest
import tensorflow as tf
from sklearn.datasets import load_digits
from sklearn.neighbors import NearestNeighbors

import tf_scl
from tests import one_step

_ROOT = pathlib.Path(__file__).parent.parent
_FOLDER = _ROOT / "examples"
_EXAMPLES = sorted(_FOLDER.glob("*.py"))
_MOST_LINES = 65  # of a page
_MOST_CODE = 40  # of a new method, from its imports to its training


def _run(name, *arguments):
    """The names that are defined at the end of an example."""
    path = str(_FOLDER / name)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", [path, *map(str, arguments)])
        return runpy.run_path(path, run_name="__main__")


def _percentages(text):
    return [float(number) for number in re.findall(r"([\d.]+)%", text)]


@pytest.mark.parametrize("path", _EXAMPLES, ids=lambda path: path.name)
def test_an_example_is_a_page_that_says_how_to_run_it(path):
    text = path.read_text()
    assert len(text.splitlines()) <= _MOST_LINES
    head = ast.get_docstring(ast.parse(text))
    assert f".venv/bin/python examples/{path.name}" in head
    assert "CPU of a laptop" in head and "etwork" in head


@pytest.fixture(scope="module")
def encoder_file(tmp_path_factory):
    """What pretrain.py writes."""
    path = tmp_path_factory.mktemp("pretrain") / "folder" / "encoder.keras"
    _run("pretrain.py", "--epochs", 1, "--out", path)
    return path


@pytest.mark.slow
def test_pretrain(encoder_file):
    encoder = tf_scl.load_model(encoder_file)
    assert encoder.output_shape == (None, 128)


@pytest.mark.slow
def test_embed_and_search_finds_what_scikit_learn_finds(encoder_file, capsys):
    found = _run("embed_and_search.py", "--encoder", encoder_file)
    embeddings, labels = found["embeddings"], load_digits().target
    assert embeddings.shape == (1797, 128)
    search = NearestNeighbors(n_neighbors=5, metric="cosine").fit(embeddings)
    distances, neighbors = search.kneighbors()  # of each row, without itself
    ours = found["nearest"](np.arange(10), 5)
    cosines = np.sum(embeddings[:10, None] * embeddings[ours], axis=-1)
    np.testing.assert_allclose(1 - cosines, distances[:10], atol=1e-5)
    assert not np.any(ours == np.arange(10)[:, None])
    same = np.mean(labels[neighbors[:, 0]] == labels)
    printed = capsys.readouterr().out
    assert _percentages(printed)[-1] == pytest.approx(100 * same, abs=0.2)
    assert printed.count("found [") == 10


@pytest.mark.slow
def test_simclr(capsys):
    history = _run("simclr.py", "--epochs", 1)["history"]
    assert set(history) >= {"loss", "attraction", "repulsion", "probe_accuracy", "knn_accuracy"}
    ends = [100 * history[name][-1] for name in ("probe_accuracy", "knn_accuracy")]
    assert _percentages(capsys.readouterr().out) == pytest.approx(ends, abs=0.051)


def _barlow_twins(z1, z2, weight):
    """Equation 1 of arXiv 2103.03230, in loops."""
    z1, z2 = (np.asarray(z, np.float64) for z in (z1, z2))
    n, d = z1.shape
    z1, z2 = ((z - z.mean(axis=0)) / z.std(axis=0) for z in (z1, z2))
    invariance = redundancy = 0.0
    for i in range(d):
        for j in range(d):
            correlation = sum(z1[row, i] * z2[row, j] for row in range(n)) / n
            if i == j:
                invariance += (1 - correlation) ** 2
            else:
                redundancy += weight * correlation**2
    return invariance, redundancy


@pytest.mark.slow
def test_a_method_from_outside_trains_is_saved_and_has_the_loss_of_its_paper(tmp_path):
    model = runpy.run_path(str(_FOLDER / "add_a_method.py"))["train"](epochs=1)
    z1, z2 = (np.random.default_rng(seed).normal(size=(7, 4)) for seed in (0, 1))
    found = model.contrastive_terms(tf.constant(z1), tf.constant(z2 + z1), None)
    truth = _barlow_twins(z1, z2 + z1, 5e-3)
    assert [float(value) for value in found.values()] == pytest.approx(truth, rel=1e-4)
    model.weight = 0.25
    model.save(tmp_path / "model.keras")
    loaded = tf_scl.load_model(tmp_path / "model.keras")
    assert type(loaded) is type(model) and loaded.weight == 0.25
    images = np.zeros((2, 16, 16, 1), np.uint8)
    np.testing.assert_allclose(loaded(images), model(images), rtol=1e-5)


@pytest.mark.slow
def test_a_method_from_outside_trains_on_replicas_as_on_one(one_replica, two_replicas, monkeypatch):
    method = runpy.run_path(str(_FOLDER / "add_a_method.py"))["BarlowTwins"]
    monkeypatch.setitem(one_step.CASES, "outside", (method, {}, 6))
    one = one_step.weights_after_one_step(one_replica, "outside")
    two = one_step.weights_after_one_step(two_replicas, "outside")
    start = one_step.build("outside").trainable_variables
    assert max(np.abs(a - b.numpy()).max() for a, b in zip(one, start, strict=False)) > 0.01
    for a, b in zip(one, two, strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-4, atol=1e-5)


def test_a_method_takes_few_lines():
    text = (_FOLDER / "add_a_method.py").read_text()
    prose = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT)
    lines = {
        token.start[0]
        for token in tokenize.generate_tokens(io.StringIO(text).readline)
        if token.type not in (*prose, tokenize.ENDMARKER)
    }
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            lines -= set(range(node.lineno, node.end_lineno + 1))
    assert len(lines) < _MOST_CODE


@pytest.mark.slow
def test_pipeline_on_your_folder(tmp_path):
    done = subprocess.run(
        [
            *(sys.executable, _FOLDER / "pipeline_on_your_folder.py", "--train.epochs", "1"),
            *("--evaluate.draws", "2"),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "600 found: 600 kept" in done.stdout
    assert "in 3 classes" in done.stdout
    assert re.search(r"\d+\.png: an embedding of 128 numbers", done.stdout.splitlines()[-1])
    assert (tmp_path / "runs/examples/pipeline/summary.json").exists()
