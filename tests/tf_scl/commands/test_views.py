import numpy as np
import PIL.Image
import pytest

from tf_scl import cli


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


def test_a_missing_folder_is_named(tmp_path, capsys):
    assert cli.main(["views", str(tmp_path / "nowhere")]) == 2
    assert "does not exist" in capsys.readouterr().err
