"""`make test-changed` runs every test that a change can touch; a repository in miniature."""

import subprocess

import pytest

from components import code_digest
from scripts import changed_tests

_FILES = {
    "tf_scl/__init__.py": "",
    "tf_scl/near.py": "from tf_scl import far\n",
    "tf_scl/far.py": "",
    "tf_scl/alone.py": "",
    "pipeline/__init__.py": "",
    "pipeline/runner.py": "import pipeline.flags\n",
    "pipeline/flags.py": "",
    "tests/__init__.py": "",
    "tests/helper.py": "from tf_scl import far\n",
    "tests/deep/__init__.py": "",
    "tests/deep/conftest.py": "",
    "tests/deep/numbers.npz": "",
    "tests/deep/test_deep.py": "import numpy\n",
    "tests/test_near.py": "from tf_scl import near\n",
    "tests/test_helped.py": "from tests import helper\n",
    "tests/test_program.py": 'COMMAND = ["-m", "pipeline.runner"]\n',
    "tests/test_code.py": "CODE = '''\nimport tf_scl.alone\n'''\n",
    "tests/test_pages.py": "import pathlib\nROOT = pathlib.Path(__file__).parent.parent\n",
    "README.md": "",
    "requirements/lane-a.lock": "",
}
_ALL = {path for path in _FILES if "/test_" in path}


@pytest.fixture
def tree(tmp_path, monkeypatch):
    for path, text in _FILES.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    for module in (code_digest, changed_tests):
        monkeypatch.setattr(module, "_ROOT", tmp_path)
    for cached in (changed_tests._closure, changed_tests._named):
        cached.cache_clear()
    yield tmp_path
    for cached in (changed_tests._closure, changed_tests._named):
        cached.cache_clear()


@pytest.mark.parametrize(
    "changed,touched",
    [
        ("tf_scl/near.py", {"near"}),
        ("tf_scl/near.html", {"near"}),  # its template
        ("tf_scl/far.py", {"near", "helped"}),
        ("tf_scl/alone.py", {"code"}),
        ("pipeline/flags.py", {"program"}),
        ("tests/helper.py", {"helped"}),
        ("tests/test_near.py", {"near"}),
        ("tests/deep/conftest.py", {"deep"}),
        ("tests/deep/numbers.npz", {"deep"}),
        ("README.md", set()),
    ],
)
def test_what_a_change_can_touch(tree, changed, touched):
    tests = changed_tests.tests_of([changed])
    found = {path.split("test_")[1].removesuffix(".py") for path in tests}
    assert found == touched | {"pages"}  # it reads what it likes


@pytest.mark.parametrize("changed", ["requirements/lane-a.lock", "Makefile", "tf_scl/deleted.py"])
def test_what_cannot_be_told_touches_all(tree, changed):
    assert set(changed_tests.tests_of(["README.md", changed])) == _ALL


def test_no_change_touches_nothing(tree):
    assert changed_tests.tests_of([]) == []


def test_commits_edits_and_new_files_are_changes_and_those_of_the_base_are_not(tree):
    def git(*arguments):
        command = ["git", "-C", str(tree), "-c", "user.name=a", "-c", "user.email=b", *arguments]
        subprocess.run(command, check=True, capture_output=True)

    def commit(path):
        (tree / path).write_text("X = 1\n")
        git("add", "--all")
        git("commit", "--quiet", "--message", path)

    git("init", "--quiet", "--initial-branch", "main")
    commit("tf_scl/far.py")
    git("checkout", "--quiet", "-b", "branch")
    commit("tf_scl/near.py")
    git("checkout", "--quiet", "main")
    commit("tf_scl/alone.py")
    git("checkout", "--quiet", "branch")
    assert changed_tests.changed_files("main") == ["tf_scl/near.py"]
    (tree / "pipeline" / "flags.py").write_text("X = 2\n")
    (tree / "tests" / "test_new.py").write_text("")
    changed = ["pipeline/flags.py", "tf_scl/near.py", "tests/test_new.py"]
    assert changed_tests.changed_files("main") == changed
