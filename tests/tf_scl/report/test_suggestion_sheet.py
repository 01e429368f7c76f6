from tests.conftest import encode, photo
from tests.tf_scl.report.pages import Page
from tf_scl.data.sources.open_source import open_source
from tf_scl.report.suggestion_sheet import suggestion_page
from tf_scl.suggestion.choose import Suggestion
from tf_scl.suggestion.suggest import Suggestions


def test_each_image_says_why(tmp_path):
    for number in range(4):
        (tmp_path / f"{number}.png").write_bytes(encode(photo(number)))
    chosen = (Suggestion(2, 0.125, None), Suggestion(0, 0.5, 0.75))
    source = open_source(str(tmp_path))
    units = tuple(source.units())
    found = Suggestions(("2.png", "0.png"), (2, 0), units, chosen, 4, {}, {})
    page = suggestion_page(found, source, 100)
    text = Page(page).text
    assert text.index("2.png") < text.index("0.png")
    assert "stands for 12.5 %" in text and "stands for 50.0 %, doubt 0.75" in text
    assert page.count("data:image/png;base64,") == 2
