import gzip
import struct

import pytest
import tensorflow as tf

from tests.conftest import encode, photo
from tests.tf_scl.data.sources.read_all import read_all
from tf_scl.data import features
from tf_scl.data.sources.open_source import open_source
from tf_scl.errors import InputError
from tf_scl.images.check_image import CheckedImage


def _feature(value):
    if isinstance(value, bytes):
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))
    if isinstance(value, float):
        return tf.train.Feature(float_list=tf.train.FloatList(value=[value]))
    values = value if isinstance(value, list) else [value]
    return tf.train.Feature(int64_list=tf.train.Int64List(value=values))


def _example(**values):
    """A serialized example; "__" in a name stands for "/"."""
    named = {name.replace("__", "/"): _feature(value) for name, value in values.items()}
    return tf.train.Example(features=tf.train.Features(feature=named)).SerializeToString()


def _write(path, records, compression=""):
    path.parent.mkdir(exist_ok=True, parents=True)
    with tf.io.TFRecordWriter(str(path), compression) as writer:
        for record in records:
            writer.write(record)


def _records(count, first=0):
    return [
        _example(
            image__encoded=encode(photo(number)),
            image__class__label=number % 3,
            image__class__text=b"class %d" % (number % 3),
        )
        for number in range(first, first + count)
    ]


@pytest.mark.parametrize("compression,suffix", [("", ""), ("GZIP", ".gz")])
def test_every_record_with_its_bytes_and_class(tmp_path, compression, suffix):
    _write(tmp_path / f"a.tfrecord{suffix}", _records(7), compression)
    _write(tmp_path / f"b.tfrecord{suffix}", _records(5, first=7), compression)
    items = read_all(open_source(f"tfrecord:{tmp_path}/*.tfrecord{suffix}"))
    names = [f"a.tfrecord{suffix}:{n}" for n in range(7)]
    names += [f"b.tfrecord{suffix}:{n}" for n in range(5)]
    assert [name.decode() for name in items] == names
    for number, item in enumerate(items.values()):
        assert item.data == encode(photo(number))
        assert item.label == number % 3
        assert item.class_name == b"class %d" % (number % 3)


def test_our_own_records_are_read_as_they_are(tmp_path):
    data = encode(photo(0))
    image = CheckedImage(data, "png", 24, 32, 3)
    records = [features.encode_example(image, b"a/b.png", "00", n, b"a") for n in range(3)]
    _write(tmp_path / "a", [*records, features.encode_example(image, b"c.png", "00")])
    items = read_all(open_source(f"tfrecord:{tmp_path}/a"))
    assert [(item.data, item.label, item.class_name) for item in items.values()] == [
        (data, 0, b"a"),
        (data, 1, b"a"),
        (data, 2, b"a"),
        (data, None, None),
    ]


def test_features_of_other_names(tmp_path):
    _write(tmp_path / "a", [_example(jpg=b"%d" % n, target=n, noun=b"cat") for n in range(4)])
    named = f"tfrecord:{tmp_path}/a?image=jpg&label=target"
    items = read_all(open_source(named)).values()
    assert [(i.data, i.label, i.class_name) for i in items] == [
        (b"%d" % n, n, b"%d" % n) for n in range(4)
    ]
    items = read_all(open_source(f"{named}&class=noun")).values()
    assert [(i.label, i.class_name) for i in items] == [(n, b"cat") for n in range(4)]


def test_labels_need_not_be_there(tmp_path):
    _write(tmp_path / "a", [_example(image__encoded=b"data")] * 4)
    items = read_all(open_source(f"tfrecord:{tmp_path}/a"))
    assert {(item.label, item.class_name) for item in items.values()} == {(None, None)}


_NOUNS = (b"dog", b"cat", None, b"10", b"9", b"ant", "zebra é".encode(), b"cat")
_ORDER = sorted({noun for noun in _NOUNS if noun})


@pytest.mark.parametrize(
    "flags,feature",
    [
        ("", "image__class__text"),  # a class without a label
        ("", "image__class__label"),  # a label that is text
        ("?class=noun", "noun"),
        ("?label=noun", "noun"),
    ],
)
def test_text_labels_are_classes_over_all_files(tmp_path, flags, feature):
    records = [
        _example(image__encoded=b"%d" % n, **({feature: noun} if noun else {}))
        for n, noun in enumerate(_NOUNS)
    ]
    _write(tmp_path / "a.tfrecord", records[:5])
    _write(tmp_path / "b.tfrecord", records[5:])
    items = read_all(open_source(f"tfrecord:{tmp_path}/*.tfrecord{flags}")).values()
    assert [(item.label, item.class_name) for item in items] == [
        (_ORDER.index(noun) if noun else None, noun) for noun in _NOUNS
    ]
    assert {item.problem for item in items} == {None}


def test_a_number_anywhere_makes_the_labels_numbers(tmp_path):
    _write(tmp_path / "a", [_example(image__encoded=b"x", image__class__text=b"cat")])
    _write(tmp_path / "b", _records(2))
    items = read_all(open_source(f"tfrecord:{tmp_path}/?")).values()
    assert [item.label for item in items] == [None, 0, 1]


def test_text_labels_are_found_behind_files_without_any(tmp_path):
    _write(tmp_path / "a", [])
    _write(tmp_path / "b", [_example(image__encoded=b"x")] * 2)
    _write(tmp_path / "c", [_example(image__encoded=b"x", image__class__label=b"cat")])
    items = read_all(open_source(f"tfrecord:{tmp_path}/?")).values()
    assert [(item.label, item.class_name) for item in items] == [(None, None)] * 2 + [(0, b"cat")]


def test_an_image_whose_text_label_was_not_listed_is_kept(tmp_path):
    records = [_example(image__encoded=b"x")] * 101
    _write(tmp_path / "a", [*records, _example(image__encoded=b"x", image__class__label=b"cat")])
    items = read_all(open_source(f"tfrecord:{tmp_path}/a")).values()
    assert {item.problem for item in items} == {None} and len(items) == 102


def test_text_labels_before_a_damage_are_kept(tmp_path):
    records = [_example(image__encoded=b"x", image__class__text=b"%d" % n) for n in range(5)]
    _write(tmp_path / "a", records)
    (tmp_path / "a").write_bytes((tmp_path / "a").read_bytes()[:-3])
    items = read_all(open_source(f"tfrecord:{tmp_path}/a")).values()
    assert [item.label for item in items] == [0, 1, 2, 3, None]
    assert [item.problem is None for item in items] == [True] * 4 + [False]


def test_bad_records_are_items_with_a_problem(tmp_path):
    bad = {
        b"\xff not an example": "not a tf.train.Example",
        _example(other=b"x", label=1): "no feature 'image/encoded', only ['label', 'other']",
        _example(image__encoded=3): "'image/encoded' is not one value of bytes_list, but of int64",
        _example(image__encoded=b"x", image__class__label=[1, 2]): "'image/class/label' is not one",
        _example(image__encoded=b"x", image__class__label=1.5): "int64_list, but of float_list",
    }
    _write(tmp_path / "a", [*_records(2), *bad, *_records(1, first=2)])
    items = read_all(open_source(f"tfrecord:{tmp_path}/a"))
    assert [item.problem is None for item in items.values()] == [1, 1, 0, 0, 0, 0, 0, 1]
    for index, message in enumerate(bad.values()):
        reason, detail = items[b"a:%d" % (index + 2)].problem
        assert reason == "cannot be read"
        assert message in detail
    assert items[b"a:7"].data == encode(photo(2))


# From the end of the file: in the last record's data, its checksum, and in the length of the
# last, of which 12 + size + 4 bytes are left.
@pytest.mark.parametrize("lost", [1, 4, 100, "data", "length", "start"])
@pytest.mark.parametrize("compression,suffix", [("", ""), ("GZIP", ".gz")])
def test_a_truncated_file_costs_its_last_record(tmp_path, lost, compression, suffix):
    records = _records(6)
    size = len(records[-1])
    lost = {"data": 4 + size, "length": 4 + size + 6, "start": 4 + size + 11}.get(lost, lost)
    path = tmp_path / f"a{suffix}"
    _write(path, records, compression)
    if compression:
        whole = gzip.decompress(path.read_bytes())
        path.write_bytes(gzip.compress(whole[:-lost]))
    else:
        path.write_bytes(path.read_bytes()[:-lost])
    items = list(read_all(open_source(f"tfrecord:{path}")).values())
    assert len(items) == 6
    assert [item.data for item in items[:5]] == [encode(photo(n)) for n in range(5)]
    assert items[5].name == b"a%s:5" % suffix.encode()
    assert items[5].problem[0] == "cannot be read"
    assert "truncated record" in items[5].problem[1] or "ends before" in items[5].problem[1]


def test_a_truncated_gzip_keeps_its_readable_records(tmp_path):
    _write(tmp_path / "a.gz", _records(50), "GZIP")
    path = tmp_path / "a.gz"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    items = list(read_all(open_source(f"tfrecord:{path}")).values())
    assert 10 < len(items) < 40
    assert [item.data for item in items[:-1]] == [encode(photo(n)) for n in range(len(items) - 1)]
    assert items[-1].problem[0] == "cannot be read"


@pytest.mark.parametrize("part", ["length", "data"])
def test_a_flipped_bit_is_noticed_and_every_lost_record_counted(tmp_path, part):
    records = _records(6)
    _write(tmp_path / "a", records)
    data = bytearray((tmp_path / "a").read_bytes())
    start = sum(16 + len(record) for record in records[:3])
    assert struct.unpack_from("<Q", data, start) == (len(records[3]),)
    data[start + (5 if part == "length" else 200)] ^= 1
    (tmp_path / "a").write_bytes(data)
    items = list(read_all(open_source(f"tfrecord:{tmp_path}/a")).values())
    # A length is what leads to the next record: behind a wrong one, none is found.
    assert len(items) == (4 if part == "length" else 6)
    assert [item.data for item in items[:3]] == [encode(photo(n)) for n in range(3)]
    for item in items[3:]:
        assert item.problem[0] == "cannot be read"
        assert "corrupted record" in item.problem[1]


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize("content", [b"\xff" * 50, b"some text" * 9, b"\0" * 5])
def test_files_that_are_no_records_are_one_problem_each(tmp_path, suffix, content):
    _write(tmp_path / "a", _records(4))
    path = tmp_path / f"b{suffix}"
    path.write_bytes(gzip.compress(content) if suffix else content)
    (tmp_path / "c.gz").write_bytes(b"no gzip")
    items = read_all(open_source(f"tfrecord:{tmp_path}/*"))
    assert [name for name, item in items.items() if item.problem] == [
        b"%s:0" % path.name.encode(),
        b"c.gz:0",
    ]
    assert len(items) == 6


def test_a_file_that_vanished_is_a_problem_not_an_error(tmp_path):
    for name in "ab":
        _write(tmp_path / name, _records(3))
    source = open_source(f"tfrecord:{tmp_path}/*")
    units = source.units()
    (tmp_path / "b").unlink()
    read = [item for unit in units for item in source.read(unit, 2**30)]
    assert [item.problem is None for item in read] == [True] * 3 + [False] * 3


def test_empty_files_are_passed_over(tmp_path):
    _write(tmp_path / "a", [])
    _write(tmp_path / "b", _records(4))
    source = open_source(f"tfrecord:{tmp_path}/*")
    assert [unit.items for unit in source.units()] == [4]
    assert len(read_all(source)) == 4


def test_large_images(tmp_path):
    images = [b"x" * size for size in (10, 11, 12, 13)]
    _write(tmp_path / "a", [_example(image__encoded=image) for image in images])
    items = read_all(open_source(f"tfrecord:{tmp_path}/a"), max_bytes=11)
    problems = [item.problem and item.problem[0] for item in items.values()]
    assert problems == [None, None, "file too large", "file too large"]


def test_places_that_only_tensorflow_knows():
    tf.io.gfile.makedirs("ram://records")
    with tf.io.TFRecordWriter("ram://records/a") as writer:
        for record in _records(4):
            writer.write(record)
    items = read_all(open_source("tfrecord:ram://records/*"))
    assert [item.data for item in items.values()] == [encode(photo(n)) for n in range(4)]


def test_fingerprint_changes_with_the_files(tmp_path):
    source = open_source(f"tfrecord:{tmp_path}/*")
    _write(tmp_path / "a", _records(4))
    before = source.fingerprint()
    assert source.fingerprint() == before
    _write(tmp_path / "b", _records(1))
    assert source.fingerprint() != before


@pytest.mark.parametrize(
    "options,message",
    [
        ("?image=jpg", r"have no feature 'jpg', but \['image/class/label', .*'image/encoded'\]"),
        ("?label=lable", "no feature 'lable'.*say which is which with"),
        ("?class=noun", "no feature 'noun'"),
    ],
)
def test_features_that_are_not_there(tmp_path, options, message):
    _write(tmp_path / "a", _records(4))
    with pytest.raises(InputError, match=message):
        open_source(f"tfrecord:{tmp_path}/a{options}").units()


def test_no_records(tmp_path):
    _write(tmp_path / "a", _records(0))
    with pytest.raises(InputError, match="holds no images"):
        open_source(f"tfrecord:{tmp_path}/a").units()


def test_no_such_file(tmp_path):
    with pytest.raises(InputError, match="names no file"):
        open_source(f"tfrecord:{tmp_path}/*.tfrecord").units()
