import pathlib
import shutil
import subprocess

import pytest

from components import code_digest as module
from components.code_digest import code_digest, import_closure

_INGEST = "components.image_example_gen.executor"
_TRAIN = "components.pretrainer.run_fn"
_EVALUATE = "components.representation_evaluator.executor"


def test_closures_hold_what_runs_and_nothing_else():
    ingest, train, evaluate = (set(import_closure(name)) for name in (_INGEST, _TRAIN, _EVALUATE))
    assert {"tf_scl.ingestion.ingest", "tf_scl.images.check_image", "tf_scl.config"} <= ingest
    of_training = {name for name in ingest if "losses" in name or "models" in name}
    assert of_training == {"tf_scl.losses.names"} and "tf_scl" not in ingest
    assert {"tf_scl", "tf_scl.losses.spectral", "tf_scl.training", "tf_scl.serving.export"} <= train
    assert "tf_scl.ingestion.ingest" not in train
    # What notes where a model comes from has no part in making it.
    assert not {"tf_scl.serving.lineage", "tf_scl.versions"} & train
    assert {"tf_scl.evaluation.linear_probe", "tf_scl.images.decode"} <= evaluate
    assert "tf_scl.losses.spectral" not in evaluate


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """A copy of our sources, to be changed."""
    root = tmp_path_factory.mktemp("checkout")
    for package in ("tf_scl", "components"):
        shutil.copytree(pathlib.Path(module.__file__).parent.parent / package, root / package)
    return root


@pytest.mark.parametrize(
    "path,trains_again",
    [
        ("tf_scl/losses/spectral.py", True),
        ("tf_scl/serving/export.py", True),
        ("components/pretrainer/run_fn.py", True),
        ("tf_scl/serving/lineage.py", False),
        ("tf_scl/ingestion/summary.py", False),
        ("tf_scl/versions.py", False),
        ("components/pretrainer/executor.py", False),
        ("components/code_digest.py", False),
    ],
)
def test_a_model_is_trained_again_for_what_makes_it_not_for_what_is_noted_of_it(
    checkout, monkeypatch, path, trains_again
):
    monkeypatch.setattr(module, "_ROOT", checkout)
    before = code_digest(_TRAIN)
    with open(checkout / path, "a") as file:
        file.write("ONE_LINE = 1\n")
    assert (code_digest(_TRAIN) != before) == trains_again


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """A package of ours in miniature: a imports b, inside a function; c stands alone."""
    package = tmp_path / "tf_scl"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "a.py").write_text("import os\ndef f():\n    from tf_scl import b\n")
    (package / "b.py").write_text("X = 1\n")
    (package / "c.py").write_text("Y = 1\n")
    monkeypatch.setattr(module, "_ROOT", tmp_path)
    return package


@pytest.mark.parametrize("changed,differs", [("a", True), ("b", True), ("c", False)])
def test_the_digest_changes_with_the_code_that_runs(tree, changed, differs):
    before = code_digest("tf_scl.a")
    assert code_digest("tf_scl.a") == before
    with open(tree / f"{changed}.py", "a") as file:
        file.write("Z = 2\n")
    assert (code_digest("tf_scl.a") != before) == differs


@pytest.mark.parametrize("suffix,differs", [("html", True), ("css", True), ("txt", False)])
def test_a_template_beside_a_module_counts(tree, suffix, differs):
    (tree / f"b.{suffix}").write_text("<p>one</p>")
    before = code_digest("tf_scl.a")
    (tree / f"b.{suffix}").write_text("<p>two</p>")
    assert (code_digest("tf_scl.a") != before) == differs


def test_what_is_left_out_does_not_count(tree):
    before = code_digest("tf_scl.a", leave_out=["tf_scl.b"])
    (tree / "b.py").write_text("X = 2\n")
    assert code_digest("tf_scl.a", leave_out=["tf_scl.b"]) == before


@pytest.mark.parametrize(
    "code", ["from tf_scl import pretrain", "import tf_scl\n\ntf_scl.pretrain()"]
)
def test_the_public_api_is_followed(tree, code):
    (tree / "training.py").write_text("")
    (tree / "user.py").write_text(code)
    assert "tf_scl.training" in import_closure("tf_scl.user")


def test_what_is_imported_for_types_alone_does_not_count(tree):
    code = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from tf_scl import c\nX = 1\n"
    (tree / "user.py").write_text(code)
    assert set(import_closure("tf_scl.user")) == {"tf_scl.user"}


def test_a_name_without_a_file_is_an_error(tree):
    with pytest.raises(ModuleNotFoundError, match="no source file of tf_scl.d"):
        code_digest("tf_scl.d")


def test_the_commit_is_known_where_there_is_a_checkout(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_ROOT", tmp_path)
    assert module.git_commit() is None
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=b"]
    (tmp_path / "file").write_text("1")
    for command in (["init", "-q"], ["add", "file"], ["commit", "-qm", "one"], ["tag", "v1"]):
        subprocess.run([*git, *command], check=True)
    head = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True)
    assert module.git_commit() == head.stdout.strip()
    (tmp_path / "file").write_text("2")
    assert module.git_commit() == head.stdout.strip() + "-dirty"
    monkeypatch.setenv("PATH", "")
    assert module.git_commit() is None
