"""Pages of the docs that are made from the sources hold all that the sources have."""

import dataclasses
import importlib
import subprocess
import sys

import pytest

import pipeline.cli
import tf_scl
from scripts import docs_pages
from tf_scl.config import Config


def _cells(page, first):
    """The cells of the row that begins with a text."""
    (row,) = [line for line in page.splitlines() if line.startswith(f"| `{first}` ")]
    return [cell.strip() for cell in row.strip("|").split(" | ")]


def test_they_are_made_without_tensorflow():
    script = """
import sys
from scripts import docs_pages
for make in docs_pages.PAGES.values():
    make()
print([name for name in ("tensorflow", "keras", "tfx", "apache_beam") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr


def test_every_setting_has_a_row():
    page = docs_pages.settings_page()
    for section in dataclasses.fields(Config):
        part = page.partition(f"\n## {section.name}\n")[2].partition("\n## ")[0]
        rows = [line for line in part.splitlines() if line.startswith("| `")]
        assert len(rows) == len(dataclasses.fields(section.default))
        for field, row in zip(dataclasses.fields(section.default), rows, strict=True):
            assert row.startswith(f"| `{field.name}`") and field.metadata["help"] in row


def test_what_a_row_says():
    page = docs_pages.settings_page()
    assert _cells(page, "eval_fraction")[2:] == ["between 0.01 and 0.99 (number)", "`0.2`"]
    assert _cells(page, "require_gain")[2:] == ["true or false", "`true`"]
    assert _cells(page, "minutes`, `--minutes")[3] == "`0`"


def test_the_presets_side_by_side():
    page = docs_pages.settings_page()
    assert "| setting | `digits` | `laptop` | `cifar10` | `imagenet` |" in page
    assert _cells(page, "train.epochs") == ["`train.epochs`", "`40`", "`20`", "`800`", "`101`"]
    assert _cells(page, "augment.crop_scale")[1:3] == ["`0.4, 1`", "`0.2, 1`"]


@pytest.mark.parametrize(
    "row",
    [
        "| `--serving FOLDER` | that a model server watches (default: ROOT/serving) |",
        "| `--root FOLDER`, required | for all artifacts, such as gs://bucket/tf_scl |",
        "| `--json` | print JSON |",
        "| `--count N` | number of images (default: 18) |",
        "| `MODEL` | a SavedModel of tf_scl, or a folder of its versions |",
    ],
)
def test_flags_are_as_help_says(row):
    assert row in docs_pages.cli_page().splitlines()


def test_every_command_is_there():
    page = docs_pages.cli_page()
    commands = "views report lineage embed index search duplicates suggest drift"
    for command in commands.split():
        assert f"### tf-scl {command}\n" in page
    own = [
        flag
        for action in pipeline.cli.build_parser([])._actions
        for flag in action.option_strings
        if "." not in flag and flag not in ("-h", "--help", "--minutes")
    ]
    assert {"--data", "--out", "--labels", "--beam", "--preset", "--policy"} == set(own)
    for flag in own:
        assert f"`{flag} " in page


def test_public_names_lead_to_the_objects_themselves():
    names = docs_pages.public_names()
    assert set(names) == {name for name in tf_scl.__all__ if not name.startswith("_")}
    page = docs_pages.api_page()
    for name, module in names.items():
        assert getattr(importlib.import_module(module), name) is getattr(tf_scl, name)
        assert f"\n::: {module}.{name}\n" in page


def test_every_module_of_the_theory_is_documented():
    assert docs_pages.theory_page().count("\n::: tf_scl.theory.") == 7


def test_a_cell_cannot_break_its_table():
    assert docs_pages._table(("a",), [("x|y <z>\nw",)])[2] == "| x\\|y &lt;z> w |"


def test_a_notebook_is_shown_with_its_outputs():
    page = docs_pages.notebook_page("explanation/finite_graph.ipynb")
    assert page.startswith("# The theory on a finite graph\n\n")
    assert "```python\nrng = np.random.default_rng(0)\n" in page
    assert "```text\ndimensions    error    bound\n" in page
    assert page.count("](data:image/png;base64,iVBOR") == 2
    assert "[finite_graph.ipynb](finite_graph.ipynb)" in page


def test_what_a_cell_prints_is_one_block():
    page = docs_pages.notebook_page("tutorials/first_encoder.ipynb")
    printed = page.partition("```text\n                    10/class")[2].partition("```")[0]
    assert "raw pixels" in printed and "untrained encoder" in printed
