import os
import sys

import pyarrow.parquet as pq

from tests.tf_scl.report import examples
from tf_scl import cli
from tf_scl.report.files import write_report


def test_one_image_is_a_collection_too(image_folder, saved_model, tmp_path, capsys):
    image = str(image_folder / "cat" / "00.png")
    out = tmp_path / "one.parquet"
    assert cli.main(["embed", image, str(saved_model), "--out", str(out)]) == 0
    assert pq.read_table(out)["id"].to_pylist() == ["00.png"]
    assert cli.main(["views", image, "--out", str(tmp_path / "one.png")]) == 0
    assert (tmp_path / "one.png").exists()


def test_paths_are_taken_alike_by_all_commands(image_folder, saved_model, tmp_path, monkeypatch):
    """A home folder, names that are no ASCII, and the umask."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(sys.stdout, "reconfigure", lambda **_: None, raising=False)
    write_report(examples.labeled(), tmp_path / "run")
    before = os.umask(0o077)
    try:
        images, model = "~/photos", f"~/{saved_model.name}"
        (tmp_path / saved_model.name).symlink_to(saved_model)
        assert cli.main(["views", images, "--count", "2", "--out", "~/ü.png"]) == 0
        assert cli.main(["report", "~/run", "--out", "~/ü.html"]) == 0
        assert cli.main(["embed", images, model, "--out", "~/ü.parquet"]) == 0
    finally:
        os.umask(before)
    for name in ("ü.png", "ü.html", "ü.parquet"):
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o600


def test_an_output_whose_name_is_no_text(image_folder, saved_model, tmp_path, capsys):
    name = os.path.join(str(tmp_path), "caf\udce9")
    assert cli.main(["views", str(image_folder), "--count", "2", "--out", f"{name}.png"]) == 0
    assert os.fsencode(f"{name}.png").rpartition(b"/")[2] in os.listdir(os.fsencode(tmp_path))
    flags = ["--out", f"{name}.parquet"]
    assert cli.main(["embed", str(image_folder), str(saved_model), *flags]) == 2
    assert "caf\\udce9.parquet' is not UTF-8" in capsys.readouterr().err
