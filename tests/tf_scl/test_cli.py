import subprocess
import sys

import numpy as np
import PIL.Image
import pytest

from tests.tf_scl.report import examples
from tf_scl import cli
from tf_scl.report.files import write_report


def test_views_draws_a_picture(image_folder, tmp_path, capsys):
    (image_folder / "cat" / "bad.png").write_bytes(b"no image")
    out = tmp_path / "views.png"
    assert cli.main(["views", str(image_folder), "--out", str(out), "--count", "5"]) == 0
    assert capsys.readouterr().out == f"wrote {out}\n"
    with PIL.Image.open(out) as picture:
        assert picture.format == "PNG"
        assert np.asarray(picture).std() > 10
    assert [path.name for path in tmp_path.glob("*views*")] == ["views.png"]


@pytest.mark.parametrize(
    "flags,message",
    [
        (["--count", "0"], "--count must be at least 1. Received: 0"),
        (["--out", "views.txt"], "--out must end in .png or .jpg. Received: 'views.txt'"),
        (["--out", "/proc/nowhere/v.png"], "cannot write '/proc/nowhere/v.png'"),
        (["--augment.flip", "2"], "augment.flip must be between 0 and 1"),
    ],
)
def test_mistakes_are_one_line(image_folder, capsys, flags, message):
    assert cli.main(["views", str(image_folder), "--count", "4", *flags]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert message in error
    assert error.count("\n") == 1


def test_a_missing_folder_needs_no_tensorflow(tmp_path):
    program = (
        "import sys; from tf_scl.cli import main; "
        f"status = main(['views', {str(tmp_path / 'nowhere')!r}]); "
        "sys.exit(status)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 2
    assert "does not exist" in done.stderr


def test_report_draws_the_page_again(tmp_path, capsys):
    folder = tmp_path / "run" / "pipeline" / "RepresentationEvaluator" / "evaluation" / "7"
    page = write_report(examples.labelled(), folder)
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
        ("report.json", ["--out", "/proc/nowhere/r.html"], "cannot write '/proc/nowhere/r.html'"),
    ],
)
def test_mistakes_of_report_are_one_line(tmp_path, capsys, run, flags, message):
    if run:
        (tmp_path / "bad.json").write_text("{")
        (tmp_path / "report.json").write_text("{}")
    out = tmp_path / "out.html"
    assert cli.main(["report", str(tmp_path / run), *(flags or ["--out", str(out)])]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert message in error
    assert error.count("\n") == 1
    assert not out.exists()
