import numpy as np
import pytest
import tensorflow as tf

from tests.conftest import encode, photo
from tf_scl.config import TrainConfig
from tf_scl.data import features, input_pipeline
from tf_scl.data.check_image import check_image
from tf_scl.errors import InputError


@pytest.fixture
def records(tmp_path):
    """Two files with 5 + 5 images, 16 x 16; the image of number n is photo(n)."""
    paths = []
    for file in range(2):
        paths.append(str(tmp_path / f"{file}.tfrecord"))
        with tf.io.TFRecordWriter(paths[-1]) as writer:
            for number in range(5 * file, 5 * file + 5):
                image = check_image(encode(photo(number, 16, 16)), 10**6)
                label = (number, b"class") if number % 2 else (None, None)
                writer.write(features.encode_example(image, b"", "", *label))
    return paths


def _train(batch_size, seed=0):
    return TrainConfig(batch_size=batch_size, seed=seed)


def _numbers(images):
    known = {photo(number, 16, 16).tobytes(): number for number in range(10)}
    return [known[image.tobytes()] for image in images]


def test_every_image_is_seen_once_an_epoch(records):
    batches = input_pipeline.training_batches(records, _train(5), 16, 3)
    assert len(batches) == 2
    epochs = [_numbers(np.concatenate(list(batches.as_numpy_iterator()))) for _ in range(3)]
    for epoch in epochs:
        assert sorted(epoch) == list(range(10))
    assert len({tuple(epoch) for epoch in epochs}) == 3


@pytest.mark.parametrize("seed", [0, 1])
def test_what_does_not_fit_in_memory_is_seen_once_an_epoch_too(records, monkeypatch, seed):
    monkeypatch.setattr(input_pipeline, "_CACHE_BYTES", 0)
    batches = input_pipeline.training_batches(records, _train(5, seed), 16, 3)
    epochs = [_numbers(np.concatenate(list(batches.as_numpy_iterator()))) for _ in range(2)]
    assert all(sorted(epoch) == list(range(10)) for epoch in epochs)
    assert epochs[0] != epochs[1]


def test_order_depends_on_the_seed_alone(records):
    def order(seed):
        batches = input_pipeline.training_batches(records, _train(5, seed), 16, 3)
        return _numbers(np.concatenate(list(batches.as_numpy_iterator())))

    assert order(1) == order(1)
    assert order(1) != order(2)


def test_the_rest_of_a_batch_is_dropped(records):
    batches = input_pipeline.training_batches(records, _train(4), 16, 3)
    assert [len(batch) for batch in batches] == [4, 4]
    assert batches.element_spec == tf.TensorSpec([4, 16, 16, 3], tf.uint8)


def test_fewer_images_than_a_batch_is_an_error(records):
    with pytest.raises(
        InputError, match="batch_size is 11 but there are only 10 images.*batch_size 2"
    ):
        input_pipeline.training_batches(records, _train(11), 16, 3)


def test_labelled_batches_are_complete_and_in_order(records):
    batches = list(input_pipeline.labelled_batches(records, 4, 16, 3).as_numpy_iterator())
    images, labels, names = (np.concatenate(parts) for parts in zip(*batches, strict=True))
    assert _numbers(images) == list(range(10))
    np.testing.assert_array_equal(labels, [n if n % 2 else -1 for n in range(10)])
    assert names.tolist() == [b"class" if n % 2 else b"" for n in range(10)]
