"""What the pages for contributors say of the code is so: files, names, versions, commands."""

import pathlib
import re
import subprocess
import sys
import zipfile

import pytest
import yaml

import tf_scl

_ROOT = pathlib.Path(__file__).parent.parent
_PAGES = ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")
_FOLDERS = "tf_scl|components|pipeline|tests|benchmarks|examples|docs|scripts|requirements|docker"
_PATH = re.compile(rf"`((?:{_FOLDERS})/[^`*\s]*)`")
_NAME_IN_FILE = re.compile(
    r"`([\w.]+)`(?: in| \(|, )`?(tf_scl/[^`\s]*\.py|components/[^`\s]*\.py)`"
)


@pytest.mark.parametrize("page", _PAGES)
def test_links_and_paths_lead_somewhere(page):
    text = (_ROOT / page).read_text()
    links = [link for link in re.findall(r"\]\(([^)#\s]+)", text) if "://" not in link]
    paths = [path for path in _PATH.findall(text) if "NAME" not in path and "test_" not in path]
    missing = [path for path in [*links, *paths] if not (_ROOT / path).exists()]
    assert not missing
    assert page not in ("ARCHITECTURE.md", "CONTRIBUTING.md") or len(paths) > 20


@pytest.mark.parametrize("page", ["ARCHITECTURE.md", "CONTRIBUTING.md"])
def test_names_stand_in_the_files_that_are_given_for_them(page):
    pairs = _NAME_IN_FILE.findall((_ROOT / page).read_text())
    assert pairs
    for name, path in pairs:
        source = (_ROOT / path).read_text()
        for part in name.split("."):
            assert re.search(rf"\b{part}\b", source), f"{page}: {name} in {path}"


@pytest.mark.parametrize("page", ["ARCHITECTURE.md", "CONTRIBUTING.md"])
def test_names_without_a_file_stand_somewhere_in_the_code(page):
    """So that a page does not go on naming what was renamed."""
    layers = ("tf_scl", "components", "pipeline", "tests", "benchmarks")
    files = [path for layer in layers for path in (_ROOT / layer).rglob("*.py")]
    words = set(re.findall(r"\w+", "\n".join(path.read_text() for path in files)))
    names = re.findall(r"`([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)`", (_ROOT / page).read_text())
    known = words | {path.name.split(".")[0] for path in files}
    known |= {"py", "pyi", "html", "css", "md", "json", "test_FILE", "test_MODULE"}
    assert not [name for name in names if not known.issuperset(name.split("."))]


def test_versions_agree():
    citation = yaml.safe_load((_ROOT / "CITATION.cff").read_text())
    assert citation["version"] == tf_scl.__version__
    assert f"version {tf_scl.__version__}" in (_ROOT / "CHANGELOG.md").read_text()
    (hooks,) = yaml.safe_load((_ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    for lock in ("lane-a.lock", "lane-b.lock"):
        pinned = re.search(r"^ruff==(\S+)", (_ROOT / "requirements" / lock).read_text(), re.M)
        assert hooks["rev"] == f"v{pinned[1]}"


def test_the_workflow_runs_the_commands_of_a_developer():
    workflow = yaml.safe_load((_ROOT / ".github/workflows/ci.yml").read_text())
    commands = [step["run"] for step in workflow["jobs"]["tests"]["steps"] if "run" in step]
    targets = re.findall(r"^([\w-]+):", (_ROOT / "Makefile").read_text(), re.M)
    for command in commands:
        program, *words = command.split()
        assert words[0] in targets if program == "make" else (_ROOT / program).exists(), command
    assert {"make lint", "make test", "make test-slow"} <= set(commands)


def test_issue_forms_are_read_as_forms():
    for path in (_ROOT / ".github/ISSUE_TEMPLATE").glob("*.yml"):
        form = yaml.safe_load(path.read_text())
        if path.name != "config.yml":
            assert {"name", "description", "body"} <= set(form)
            assert all(field["type"] and field["attributes"]["label"] for field in form["body"])


def test_a_wheel_holds_the_license_the_marker_of_types_and_no_other_package(tmp_path):
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE", "tf_scl", "examples"):
        (tmp_path / name).symlink_to(_ROOT / name)
    code = "from setuptools import build_meta as b; b.build_wheel('dist')"
    (tmp_path / "dist").mkdir()
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    with zipfile.ZipFile(wheel) as file:
        names = file.namelist()
        (license,) = [name for name in names if name.rpartition("/")[2] == "LICENSE"]
        assert file.read(license) == (_ROOT / "LICENSE").read_bytes()
        (metadata,) = [name for name in names if name.endswith(".dist-info/METADATA")]
        assert b"\nLicense-Expression: Apache-2.0\n" in file.read(metadata)
    assert {"tf_scl/py.typed", "tf_scl/report/page.html", "tf_scl/report/page.css"} <= set(names)
    info = metadata.partition("/")[0]
    assert {name.partition("/")[0] for name in names} == {"tf_scl", info}
