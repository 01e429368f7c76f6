"""A report's two files: `report.html` for people, `report.json` with the same facts."""

import json
import os

import tensorflow as tf

from tf_scl.errors import InputError
from tf_scl.report.facts import check_facts, plain
from tf_scl.report.page import render
from tf_scl.write_aside import write_file

HTML_FILE, JSON_FILE = "report.html", "report.json"
_BELOW_RUN = os.path.join("pipeline", "RepresentationEvaluator", "evaluation")


def write_report(facts, directory):
    """Writes both files, each complete or not at all.

    The page is made of exactly what the JSON holds.

    Args:
        facts: Dict, see `tf_scl.report.facts`; numpy's numbers and arrays may
            be in it, and NaN, which becomes null.
        directory: Path, local or of any file system that `tf.io.gfile` knows.
            It is made where it is missing.

    Returns:
        Path of the HTML file.

    Raises:
        InputError: Facts that do not follow the schema; nothing is written.
    """
    facts = check_facts(plain(facts))
    text = json.dumps(facts, indent=1, ensure_ascii=True, allow_nan=False)
    page = render(facts)
    directory = os.fspath(directory)
    tf.io.gfile.makedirs(directory)
    write_file(os.path.join(directory, JSON_FILE), text)
    path = os.path.join(directory, HTML_FILE)
    write_file(path, page)
    return path


def read_report(path):
    """The facts in a `report.json`.

    Raises:
        InputError: No such file, one that is not JSON, or not of a report.
    """
    try:
        with tf.io.gfile.GFile(path, "rb") as file:
            read = json.loads(file.read())
    except (tf.errors.OpError, OSError) as error:
        raise InputError(f"cannot read {path!r}: {_reason(error)}") from error
    except ValueError as error:
        raise InputError(f"{path!r} is not JSON ({error}); was it changed by hand?") from error
    return check_facts(plain(read), os.path.basename(path))


def find_report(run):
    """Path of the report's JSON that belongs to a run.

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
    found = tf.io.gfile.glob(os.path.join(_escaped(run), _BELOW_RUN, "*", JSON_FILE))
    if not found:
        raise InputError(
            f"{run!r} holds no {JSON_FILE}, nor does {os.path.join(run, _BELOW_RUN, '*')}; "
            "has the run's evaluation come to its end?"
        )
    return max(found, key=_execution)


def _execution(path):
    """Number of the execution that wrote a file, which TFX names the folder after."""
    name = os.path.basename(os.path.dirname(path))
    return (int(name) if name.isdecimal() else -1, name)


def _escaped(path):
    """A path for `glob` that means itself only."""
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in path)


def _reason(error):
    return getattr(error, "message", None) or getattr(error, "strerror", None) or error
