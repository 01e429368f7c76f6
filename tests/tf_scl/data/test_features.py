import numpy as np
import tensorflow as tf

from tests.conftest import encode, photo
from tf_scl.data import features
from tf_scl.images.check_image import check_image


def test_a_record_holds_what_the_table_says():
    image = check_image(encode(photo(0)), 10**6)
    record = features.encode_example(image, b"cat/1.png", "ab" * 32, 3, b"cat")
    stored = tf.train.Example.FromString(record).features.feature
    assert stored["image/encoded"].bytes_list.value == [image.encoded]
    assert stored["image/format"].bytes_list.value == [b"png"]
    assert [stored[f"image/{k}"].int64_list.value[0] for k in ("height", "width", "channels")] == [
        24,
        32,
        3,
    ]
    assert stored["image/filename"].bytes_list.value == [b"cat/1.png"]
    assert stored["image/sha256"].bytes_list.value == [b"ab" * 32]
    assert stored["image/class/label"].int64_list.value == [3]
    assert stored["image/class/text"].bytes_list.value == [b"cat"]
    assert all(name in features.__doc__ for name in stored)


def test_labels_may_be_absent():
    image = check_image(encode(photo(0)), 10**6)
    records = [
        features.encode_example(image, b"a", "00"),
        features.encode_example(image, b"b", "00", 7, b"dog"),
    ]
    encoded, labels, names = features.parse_labeled(tf.constant(records))
    np.testing.assert_array_equal(labels, [features.NO_LABEL, 7])
    assert names.numpy().tolist() == [b"", b"dog"]
    assert encoded.numpy().tolist() == [image.encoded] * 2
    assert features.parse_encoded(tf.constant(records)).numpy().tolist() == [image.encoded] * 2


def test_a_label_may_have_no_name():
    image = check_image(encode(photo(0)), 10**6)
    record = features.encode_example(image, b"a", "00", 7)
    _, labels, names = features.parse_labeled(tf.constant([record]))
    assert (labels.numpy().tolist(), names.numpy().tolist()) == ([7], [b""])
