import numpy as np

from tests.conftest import encode, photo
from tests.tf_scl.report.pages import Page
from tf_scl.data.sources.open_source import open_source
from tf_scl.report.sheet import (
    Sheet,
    SheetGroup,
    SheetImage,
    render_sheet,
    source_thumbnails,
)

_BAD = """<script>alert("x")</script>'&{{ 7 * 7 }}"""


def test_every_name_is_text(image_folder):
    image = SheetImage('data:image/png;base64,x" onerror="alert(1)', _BAD, _BAD)
    page = render_sheet(Sheet(_BAD, (_BAD, "two"), (SheetGroup(_BAD, (image, image)),)))
    assert "<script>" not in page and "49" not in page
    # The title twice, text, heading; of two images the alternative text, name and note.
    assert page.count("&lt;script&gt;") == 10
    assert '" onerror="' not in page
    assert Page(page)


def test_thumbnails_are_those_of_the_places(tmp_path):
    for number in range(5):
        (tmp_path / f"{number}.png").write_bytes(encode(np.full((9, 9, 3), 40 * number, np.uint8)))
    (tmp_path / "2.png").write_bytes(b"no image")
    source = open_source(str(tmp_path))
    units = source.units()
    found = source_thumbnails(source, units, [1, 2, 4], 100)
    assert sorted(found) == [1, 4] and found[1] != found[4]
    assert all(uri.startswith("data:image/png;base64,") for uri in found.values())
    (tmp_path / "4.png").write_bytes(encode(photo(0)))
    assert source_thumbnails(source, units, [4], 100)[4] != found[4]
    (tmp_path / "0.csv").write_text("written since")  # before the others in a new listing
    assert source_thumbnails(source, units, [1], 100)[1] == found[1]
