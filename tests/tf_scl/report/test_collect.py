import datetime
import json
import subprocess
import sys

import keras

from tf_scl.data import ingest
from tf_scl.report import collect
from tf_scl.report.facts import check_facts


def test_dead_letters_of_an_ingestion(tmp_path):
    summary = {"files": 9, "kept": {"train": 4, "eval": 2}, "rejected": {"empty": 3}}
    summary["source"] = "photos\udcff"
    (tmp_path / "summary.json").write_text(json.dumps(summary))
    lines = [{"file": f"{n}\udcff.png", "reason": "empty", "detail": "0 bytes"} for n in range(3)]
    (tmp_path / "rejected.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    letters = collect.read_dead_letters(tmp_path, first=2)
    assert letters["files"] == 9
    assert letters["rejected"] == {"empty": 3}
    assert [one["file"] for one in letters["first"]] == ["0?.png", "1?.png"]
    assert letters["list"] == str(tmp_path / "rejected.jsonl")
    check_facts({"dead_letters": letters})
    assert collect.read_source(tmp_path) == "photos?"


def test_file_names_are_those_of_the_ingestion():
    assert (collect.REJECTED_FILE, collect.SUMMARY_FILE) == (
        ingest.REJECTED_FILE,
        ingest.SUMMARY_FILE,
    )


def test_versions_and_the_time():
    versions = collect.installed_versions()
    assert versions["keras"] == keras.__version__
    assert versions["python"] == ".".join(map(str, sys.version_info[:3]))
    made = datetime.datetime.fromisoformat(collect.now())
    age = datetime.datetime.now(datetime.timezone.utc) - made
    assert abs(age.total_seconds()) < 60


def test_a_report_needs_neither_beam_nor_tfx():
    program = (
        "import sys, tf_scl.report.files, tf_scl.report.collect, tf_scl.report.neighbours; "
        "import tf_scl.report.embedding_map; "
        "print([name for name in ('apache_beam', 'tfx') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr
