import pytest

from tests.tf_scl.report import examples
from tf_scl import cli
from tf_scl.dataclass_json import dumps
from tf_scl.report.files import write_report


def test_report_draws_the_page_again(tmp_path, capsys):
    folder = tmp_path / "run" / "pipeline" / "RepresentationEvaluator" / "evaluation" / "7"
    page = write_report(examples.labeled(), folder)
    out = tmp_path / "again.html"
    assert cli.main(["report", str(tmp_path / "run"), "--out", str(out)]) == 0
    assert capsys.readouterr().out == f"wrote {out}, of {folder / 'report.json'}\n"
    with open(page, encoding="utf-8") as file:
        assert out.read_text(encoding="utf-8") == file.read()
    assert [path.name for path in tmp_path.glob("*again*")] == ["again.html"]


@pytest.mark.parametrize(
    "run,flags,message",
    [
        ("nowhere", [], "does not exist"),
        ("", [], "holds no report.json"),
        ("bad.json", [], "is not JSON"),
        ("report.json", ["--out", "report.pdf"], "--out must end in .html. Received: 'report.pdf'"),
        ("old.json", [], "old.json': the whole has no 'made'. Was it changed by hand"),
        ("report.json", ["--out", "/proc/nowhere/r.html"], "cannot write '/proc/nowhere/r.html'"),
    ],
)
def test_mistakes_of_report_are_one_line(tmp_path, capsys, run, flags, message):
    if run:
        (tmp_path / "bad.json").write_text("{")
        (tmp_path / "old.json").write_text("{}")
        (tmp_path / "report.json").write_text(dumps(examples.empty()))
    out = tmp_path / "out.html"
    assert cli.main(["report", str(tmp_path / run), *(flags or ["--out", str(out)])]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert message in error
    assert error.count("\n") == 1
    assert not out.exists()
