from tf_scl.data.sources.text_labels import Seen, class_labels, labels_of_units


def test_classes_are_in_sorted_order_of_their_bytes():
    names = ["ü", "b", "B", "a b", "10", "9"]
    labels = class_labels(name.encode() for name in names * 2)
    assert list(labels.values()) == list(range(6))
    assert [name.decode() for name in labels] == ["10", "9", "B", "a b", "b", "ü"]


def test_a_text_means_the_same_in_each_unit():
    seen = [Seen(False, frozenset(texts)) for texts in ([b"cat", b"ant"], [], [b"bee", b"cat"])]
    assert labels_of_units(seen) == [((b"ant", 0), (b"cat", 2)), (), ((b"bee", 1), (b"cat", 2))]


def test_numbers_are_what_they_are():
    text, number, none = (
        Seen(False, frozenset([b"cat"])),
        Seen(True, frozenset()),
        Seen(False, frozenset()),
    )
    assert labels_of_units([text, number]) == [None, None]
    assert labels_of_units([none, none]) == [None, None]
