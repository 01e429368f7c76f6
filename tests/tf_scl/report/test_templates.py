import sys

import pytest

from tf_scl.errors import InputError
from tf_scl.report.templates import environment


def test_text_is_escaped_and_cleaned_and_names_must_be_known():
    page = environment().from_string("<p>{{ text }}</p>").render(text="<b>\x00\udcff&")
    assert page == "<p>&lt;b&gt;?&amp;</p>"
    with pytest.raises(Exception, match="'other' is undefined"):
        environment().from_string("{{ other }}").render()


def test_without_jinja(monkeypatch):
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(InputError, match=r"needs Jinja2 .*pip install 'tf_scl\[report\]'"):
        environment()
