"""Runs the notebooks of the docs, and keeps what they show.

    .venv/bin/python -m scripts.run_notebooks [NOTEBOOK ...]     # default: all

Needs nbclient and ipykernel, which lane a of `.venv` has. What a cell writes to the standard
error output is not kept.
"""

import os
import pathlib
import sys

ROOT = pathlib.Path(__file__).parent.parent
NOTEBOOKS = sorted((ROOT / "docs").rglob("*.ipynb"))


def run(path):
    """Runs a notebook from the root of the checkout; raises what a cell raises.

    Args:
        path: `pathlib.Path`.

    Returns:
        The notebook with its outputs, an `nbformat.NotebookNode`.
    """
    import nbclient
    import nbformat

    notebook = nbformat.read(path, as_version=4)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    resources = {"metadata": {"path": str(ROOT)}}
    client = nbclient.NotebookClient(
        notebook, timeout=1800, resources=resources, record_timing=False
    )
    client.execute()
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [one for one in cell.outputs if one.get("name") != "stderr"]
    return notebook


def main():
    """Runs the notebooks that are named, or all, and writes them back."""
    import nbformat

    for path in map(pathlib.Path, sys.argv[1:] or NOTEBOOKS):
        nbformat.write(run(path), path)
        print(f"wrote {path}", flush=True)


if __name__ == "__main__":
    main()
