import dataclasses
import json
import math

import pytest

from tests.tf_scl.report import examples
from tf_scl.errors import InputError
from tf_scl.report.files import find_report, read_report, write_report
from tf_scl.report.page import render


def test_both_files_hold_the_same_facts(tmp_path):
    facts = examples.labeled(epochs=3)
    facts = dataclasses.replace(facts, history={"loss": (0.5, math.nan, math.inf)})
    folder = tmp_path / "new" / "folder"
    path = write_report(facts, folder)
    assert path == str(folder / "report.html")
    assert sorted(one.name for one in folder.iterdir()) == ["report.html", "report.json"]
    read = read_report(str(folder / "report.json"))
    assert all(map(math.isnan, read.history["loss"][1:]))
    assert read.evaluation == facts.evaluation
    assert render(read) == (folder / "report.html").read_text(encoding="utf-8")
    write_report(examples.empty(title="second"), folder)
    assert "second" in (folder / "report.html").read_text()


def test_bad_facts_write_nothing(tmp_path):
    with pytest.raises(InputError, match="short_side must be a whole number"):
        write_report(examples.empty(short_side="x"), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_failed_write_leaves_the_old_report(tmp_path, monkeypatch):
    write_report(examples.empty(title="old"), tmp_path)

    def fail(*args, **kwargs):
        raise OSError("no space")

    monkeypatch.setattr("tf_scl.files.os.replace", fail)
    with pytest.raises(OSError, match="no space"):
        write_report(examples.empty(title="new"), tmp_path)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["report.html", "report.json"]
    assert json.loads((tmp_path / "report.json").read_text())["title"] == "old"


def test_the_newest_report_of_a_run_is_found(tmp_path):
    out = tmp_path / "out [1]"
    below = out / "pipeline" / "RepresentationEvaluator" / "evaluation"
    for number in (9, 10, 2):
        write_report(examples.empty(title=str(number)), below / str(number))
    (below / "11").mkdir()
    newest = find_report(out)
    assert newest == str(below / "10" / "report.json")
    assert find_report(below / "9") == str(below / "9" / "report.json")
    assert find_report(newest) == newest


@pytest.mark.parametrize(
    "content,message",
    [
        (b"{not json", "is not JSON"),
        (b"\xff\xfe", "is not JSON"),
        (b"[1]", "report.json': the whole must be an object"),
        (b"{}", "report.json': the whole has no 'made'"),
        (b'{"made": "", "versions": {}, "map": {}}', "report.json': map has no 'points'"),
    ],
)
def test_what_is_no_report_is_named(tmp_path, content, message):
    path = tmp_path / "report.json"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_report(str(path))


def test_missing_reports_are_named(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        find_report(tmp_path / "nowhere")
    with pytest.raises(InputError, match="has the run's evaluation come to its end"):
        find_report(tmp_path)
    with pytest.raises(InputError, match="cannot read"):
        read_report(str(tmp_path / "report.json"))
