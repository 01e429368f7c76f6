"""Facts of a report that lie about: dead letters, versions of packages, the hour."""

import datetime
import importlib.metadata
import itertools
import json
import os
import platform

import tensorflow as tf

import tf_scl
from tf_scl.data.ingest_summary import REJECTED_FILE, SUMMARY_FILE

_PACKAGES = (
    *("tensorflow", "keras", "numpy", "scipy", "pillow"),
    *("scikit-learn", "apache-beam", "tfx"),
)


def read_dead_letters(folder, first=20):
    """The section "dead_letters": what became of the files of an ingestion.

    Args:
        folder: `report_dir` of `tf_scl.data.ingest.ingest`, local or remote.
        first: Int, how many rejected files are named.

    Returns:
        Dict: "files", "kept" and "rejected" (counts by split and by reason),
        "first" (dicts of "file", "reason", "detail"), "list" (path of the
        whole list).
    """
    with tf.io.gfile.GFile(os.path.join(folder, SUMMARY_FILE)) as file:
        summary = json.load(file)
    path = os.path.join(folder, REJECTED_FILE)
    with tf.io.gfile.GFile(path) as lines:
        named = [json.loads(line) for line in itertools.islice(lines, first)]
    # A path need not be UTF-8; a report is.
    named = [{key: _utf8(value) for key, value in one.items()} for one in named]
    counts = {key: summary[key] for key in ("files", "kept", "rejected")}
    return {**counts, "first": named, "list": path}


def read_source(folder):
    """The fact "data": the source of an ingestion, as the user gave it.

    Args:
        folder: As in `read_dead_letters`.
    """
    with tf.io.gfile.GFile(os.path.join(folder, SUMMARY_FILE)) as file:
        return _utf8(json.load(file)["source"])


def installed_versions():
    """The section "versions": Python, tf_scl and the packages it stands on that are installed."""
    versions = {"python": platform.python_version(), "tf_scl": tf_scl.__version__}
    for package in _PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


def now():
    """The time as ISO 8601 in UTC, for "made"."""
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")


def _utf8(text):
    return text.encode("utf-8", "replace").decode() if isinstance(text, str) else text
