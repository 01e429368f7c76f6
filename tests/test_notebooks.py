"""The notebooks of the docs run, and hold outputs."""

import json

import pytest

from scripts import run_notebooks


def _cells(path):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return [cell for cell in cells if cell["cell_type"] == "code"]


def test_there_are_two():
    names = [path.name for path in run_notebooks.NOTEBOOKS]
    assert names == ["finite_graph.ipynb", "first_encoder.ipynb"]


@pytest.mark.parametrize("path", run_notebooks.NOTEBOOKS, ids=lambda path: path.stem)
def test_outputs_are_kept_without_errors(path):
    outputs = [output for cell in _cells(path) for output in cell["outputs"]]
    kinds = {output["output_type"] for output in outputs}
    assert kinds == {"stream", "display_data"}
    assert {output["name"] for output in outputs if "name" in output} == {"stdout"}


@pytest.mark.slow
@pytest.mark.parametrize("path", run_notebooks.NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(path):
    pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    notebook = run_notebooks.run(path)
    printed = [
        output["text"]
        for cell in notebook.cells
        for output in cell.get("outputs", ())
        if output["output_type"] == "stream"
    ]
    assert len(printed) >= 3
