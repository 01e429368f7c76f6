"""A report's two files: `report.html` for people, `report.json` with the same facts."""

import glob
import os

import tensorflow as tf

from tf_scl.dataclass_json import dumps, from_plain, read_json, to_plain
from tf_scl.errors import InputError
from tf_scl.files import write_file
from tf_scl.report.facts import ReportFacts
from tf_scl.report.page import render

HTML_FILE, JSON_FILE = "report.html", "report.json"
_BELOW_RUN = os.path.join("pipeline", "RepresentationEvaluator", "evaluation")


def write_report(facts: ReportFacts, directory: str | os.PathLike[str]) -> str:
    """Writes both files, each complete or not at all.

    The page is made of exactly what the JSON holds.

    Args:
        facts: What the report shows.
        directory: Path, local or of any file system that `tf.io.gfile` knows.
            It is made where it is missing.

    Returns:
        Path of the HTML file.
    """
    directory = os.fspath(directory)
    page = render(from_plain(ReportFacts, to_plain(facts), JSON_FILE))
    tf.io.gfile.makedirs(directory)
    write_file(os.path.join(directory, JSON_FILE), dumps(facts))
    path = os.path.join(directory, HTML_FILE)
    write_file(path, page)
    return path


def read_report(path: str | os.PathLike[str]) -> ReportFacts:
    """Reads a `report.json`.

    Raises:
        InputError: No such file, one that is not JSON, or not of a report.
    """
    return read_json(ReportFacts, path)


def find_report(run: str | os.PathLike[str]) -> str:
    """Returns the path of the `report.json` that belongs to a run.

    Args:
        run: Path of a `report.json`, of a folder that holds one, or of the
            OUT folder of `make run`, whose newest one is taken.

    Raises:
        InputError: No report there.
    """
    run = os.fspath(run)
    if not tf.io.gfile.exists(run):
        raise InputError(f"{run!r} does not exist; give the OUT folder of a run, or a report.json")
    if not tf.io.gfile.isdir(run):
        return run
    direct = os.path.join(run, JSON_FILE)
    if tf.io.gfile.exists(direct):
        return direct
    found = tf.io.gfile.glob(os.path.join(glob.escape(run), _BELOW_RUN, "*", JSON_FILE))
    if not found:
        raise InputError(
            f"{run!r} holds no {JSON_FILE}, nor does {os.path.join(run, _BELOW_RUN, '*')}; "
            "has the run's evaluation come to its end?"
        )
    return max(found, key=_execution)


def _execution(path: str) -> int:
    """Returns the number of the execution that wrote a file, which TFX names the folder after."""
    name = os.path.basename(os.path.dirname(path))
    return int(name) if name.isdecimal() else -1
