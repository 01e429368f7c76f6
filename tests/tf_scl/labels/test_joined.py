import json

import numpy as np
import pytest
import tensorflow as tf

from tests.conftest import encode, photo
from tf_scl.data import features
from tf_scl.dataclass_json import to_plain
from tf_scl.errors import InputError
from tf_scl.images.check_image import check_image
from tf_scl.ingestion.summary import RejectedImage
from tf_scl.labels.joined import (
    ImageLabels,
    describe,
    join_labels,
    labels_in,
    labels_of_records,
    read_labeled_images,
    require_per_class,
)
from tf_scl.labels.labels_file import LabelRow, LabelsFile, read_labels_file

_ODD = b"dark/\xff.png"  # not UTF-8


@pytest.fixture
def ingested(tmp_path):
    """Two record files and the folder of a list of rejected images."""
    paths = []
    for split, names in (("train", [b"a.png", b"b.png", _ODD]), ("eval", [b"c/d.png"])):
        paths.append(str(tmp_path / split))
        with tf.io.TFRecordWriter(paths[-1]) as writer:
            for number, name in enumerate(names):
                image = check_image(encode(photo(number)), 10**6)
                writer.write(features.encode_example(image, name, "0", 3, b"a folder"))
    rejected = [
        RejectedImage("bad.png", "not an image", ""),
        RejectedImage("twin.png", "duplicate", "same content as b.png", same_as="b.png"),
        RejectedImage("cut.png", "not an image", ""),
    ]
    lines = [json.dumps(to_plain(image)) + "\n" for image in rejected]
    (tmp_path / "rejected.jsonl").write_text("".join(lines))
    return paths, str(tmp_path)


def _file(**labels):
    rows = enumerate(labels.items(), start=2)
    return LabelsFile("l.csv", tuple(LabelRow(line, *row) for line, row in rows))


def test_labels_find_their_images_whatever_the_folders_say(ingested):
    given = {"c/d.png": "x", "a.png": "y", "bad.png": "y", "cut.png": "z", "twin.png": "x"}
    found = join_labels(_file(**given), *ingested, "photos")
    assert found == ImageLabels(
        ("x", "y"), {"c/d.png": "x", "a.png": "y", "b.png": "x"}, {"not an image": 2}
    )
    names = np.array([b"c/d.png", b"a.png", b"b.png", _ODD], object)
    assert found.of(names).tolist() == [0, 1, 0, features.NO_LABEL]


def test_a_name_is_found_in_another_spelling(tmp_path):
    """As `tf-scl suggest` writes what is not UTF-8, and as another system writes an accent."""
    path = str(tmp_path / "records")
    names = ["caf\xe9.jpg".encode("latin-1"), "e\u0301.jpg".encode(), "\xfc.jpg".encode()]
    with tf.io.TFRecordWriter(path) as writer:
        for name in names:
            image = check_image(encode(photo(0)), 10**6)
            writer.write(features.encode_example(image, name, "0"))
    (tmp_path / "rejected.jsonl").write_text("")
    file = _file(**{"caf\\xe9.jpg": "x", "\xe9.jpg": "y", "u\u0308.jpg": "x"})
    found = join_labels(file, [path], str(tmp_path), "photos")
    assert found.of(np.array(names, object)).tolist() == [0, 1, 0]
    with pytest.raises(InputError, match=r"line 2 names 'no.jpg'.*for example 'caf\\\\xe9.jpg'"):
        join_labels(_file(**{"no.jpg": "x"}), [path], str(tmp_path), "photos")


def test_duplicates_with_labels_that_differ(ingested):
    given = {"a.png": "x", "b.png": "y", "twin.png": "y"}
    assert join_labels(_file(**given), *ingested, "photos").labels == {"a.png": "x", "b.png": "y"}
    message = (
        "labels file 'l.csv': line 3 gives 'b.png' the label 'y' and line 4 gives 'twin.png' the "
        "label 'x', and both are the same image; keep the line that is right"
    )
    with pytest.raises(InputError) as caught:
        join_labels(_file(**{**given, "twin.png": "x"}), *ingested, "photos")
    assert str(caught.value) == message


def test_a_line_that_names_no_image(ingested):
    given = {"a.png": "x", "A.png": "y", "b.png": "y", **{f"{n}.png": "x" for n in range(4)}}
    message = (
        "labels file 'l.csv': line 3 names 'A.png', line 5 names '0.png', line 6 names '1.png' "
        "and so do 2 more lines, but 'photos' has no such image; name images as it does, for "
        "example 'a.png'"
    )
    with pytest.raises(InputError) as caught:
        join_labels(_file(**given), *ingested, "photos")
    assert str(caught.value) == message


def test_one_class_is_left(ingested):
    given = {"a.png": "x", "b.png": "x", "bad.png": "y"}
    message = "of 3 labeled images only 2 .* 1 class.*line 4 names 'bad.png', .*: not an image"
    with pytest.raises(InputError, match=message):
        join_labels(_file(**given), *ingested, "photos")


def test_labels_of_class_folders_and_of_numbers(tmp_path):
    path = str(tmp_path / "records")
    image = check_image(encode(photo(0)), 10**6)
    rows = [(b"1", 0, b"cat"), (b"2", 1, b"dog"), (b"3", None, None), (b"4", 7, None)]
    with tf.io.TFRecordWriter(path) as writer:
        for name, label, text in rows:
            writer.write(features.encode_example(image, name, "0", label, text))
    found = labels_of_records([path])
    assert found == ImageLabels(("7", "cat", "dog"), {"1": "cat", "2": "dog", "4": "7"}, {})


def test_records_of_one_class_are_not_enough(ingested):
    files, _ = ingested
    with pytest.raises(InputError, match="4 labeled images of 1: put images into a folder"):
        labels_of_records(files)


def test_labeled_images_are_read_in_order(ingested):
    files, _ = ingested
    labels = ImageLabels(("x", "y"), {"c/d.png": "x", "b.png": "y"}, {})
    images, numbers = read_labeled_images(files, labels, 12, 3)
    assert numbers.tolist() == [1, 0]
    whole, _ = read_labeled_images(
        files, ImageLabels(("x",), {name: "x" for name in ("a.png", "b.png", "c/d.png")}, {}), 12, 3
    )
    np.testing.assert_array_equal(images, whole[1:])
    assert images.shape == (2, 12, 12, 3) and images.dtype == np.uint8
    none, numbers = read_labeled_images(files, ImageLabels(("x",), {}, {}), 12, 3)
    assert none.shape == (0, 12, 12, 3) and numbers.shape == (0,)


def test_the_counts_in_words():
    labels = ImageLabels(("x", "y"), {"a": "x", "b": "x", "c": "y"}, {"duplicate": 2})
    assert describe(labels) == (
        "3 labeled images of 2 classes (2 x, 1 y); 2 more were rejected (2 duplicate)"
    )
    many = {str(n): str(n) for n in range(12)}
    text = describe(ImageLabels(tuple(sorted(many)), many, {}))
    assert text.endswith(" and 2 classes more)")


def test_names_of_a_tar_match_however_they_begin(tmp_path):
    path = str(tmp_path / "records")
    image = check_image(encode(photo(0)), 10**6)
    with tf.io.TFRecordWriter(path) as writer:
        for name in (b"x.tar/./a", b"x.tar/./b"):
            writer.write(features.encode_example(image, name, "0"))
    (tmp_path / "rejected.jsonl").write_text("")
    (tmp_path / "labels.csv").write_text("filename,label\nx.tar/./a,one\nx.tar/b,two\n")
    file = read_labels_file(tmp_path / "labels.csv")
    found = join_labels(file, [path], str(tmp_path), "webdataset:x.tar")
    assert found.of(np.array([b"x.tar/./a", b"x.tar/./b"], object)).tolist() == [0, 1]


def test_classes_with_too_few_images_to_learn_from(ingested):
    files, _ = ingested
    labels = ImageLabels(("x", "y"), {"a.png": "x", "b.png": "x", "c/d.png": "y"}, {})
    assert labels_in(files, labels).tolist() == [0, 0, features.NO_LABEL, 1]
    assert labels_in([], labels).tolist() == []
    require_per_class(labels, files, 1)
    with pytest.raises(InputError, match="'y' has 1 .*1 are kept for evaluation: 1 are needed"):
        require_per_class(labels, files[:1], 1)
