from tests.conftest import encode, photo
from tests.tf_scl.report.pages import Page
from tf_scl.data.sources.open_source import open_source
from tf_scl.drift.compare import SourceDrift
from tf_scl.drift.detect import Drift
from tf_scl.report.drift_sheet import drift_page


def test_the_strangest_images_are_shown_with_their_distances(tmp_path):
    for number in range(4):
        (tmp_path / f"{number}.png").write_bytes(encode(photo(number)))
    drift = Drift(0.001, 0.1, 0.01, 40, 0, 25, 100, 0.25, 0.01, (3, 1), (7.25, 2.0))
    found = SourceDrift("photos", "/m", 40, {}, ("3.png", "gone.png"), (3, 9), drift)
    page = drift_page(found, open_source(str(tmp_path)), 100)
    text = Page(page).text
    assert "Drift" in text and "3.png" in text and "7.2 × the usual distance" in text
    assert "p = 0.001 (0.01 or less counts)" in text and "25.0 %" in text
    assert page.count("data:image/png;base64,") == 1  # the other cannot be read any more
