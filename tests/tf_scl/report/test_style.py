import re

from tf_scl.report.style import CSS


def test_the_style_is_complete_in_itself():
    assert CSS.count("{") == CSS.count("}")
    for word in ("@import", "url(", "http", "</style", "<!--"):
        assert word not in CSS
    assert "@media print" in CSS


def test_every_class_of_the_pieces_has_a_look():
    looks = set(re.findall(r"\.([a-z]+)", CSS))
    assert {"verdict", "card", "flag", "near", "query", "other", "beside", "block", "n"} <= looks
