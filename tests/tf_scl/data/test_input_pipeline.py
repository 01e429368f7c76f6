import numpy as np
import pytest
import tensorflow as tf

from tests.conftest import encode, first_fast, photo
from tf_scl.config import TrainConfig
from tf_scl.data import features, input_pipeline
from tf_scl.errors import InputError
from tf_scl.images.check_image import check_image


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
                name = f"{number}.png".encode()
                writer.write(features.encode_example(image, name, "", *label))
    return paths


@pytest.fixture(params=["in memory", "from files"])
def storage(request, monkeypatch):
    """Both ways to deliver images: decoded at once, and read again in every epoch."""
    if request.param == "from files":
        monkeypatch.setattr(input_pipeline, "_CACHE_BYTES", 0)


def _train(batch_size, seed=0, epochs=3):
    return TrainConfig(batch_size=batch_size, seed=seed, epochs=epochs)


_KNOWN = {photo(number, 16, 16).tobytes(): number for number in range(10)}


def _numbers(images):
    return [_KNOWN[image.tobytes()] for image in images]


def _batches(records, train, **kwargs):
    """Numbers of the images of each batch."""
    batches = input_pipeline.training_batches(records, train, 16, 3, **kwargs)
    return [_numbers(batch) for batch in batches.as_numpy_iterator()]


def test_every_image_is_seen_once_an_epoch(records, storage):
    batches = _batches(records, _train(5))
    assert len(batches) == 6
    epochs = [batches[start] + batches[start + 1] for start in (0, 2, 4)]
    assert all(sorted(epoch) == list(range(10)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 3


def test_images_left_out_differ_from_epoch_to_epoch(records, storage):
    batches = _batches(records, _train(8, epochs=6))
    assert len(batches) == 6
    left_out = [frozenset(range(10)) - set(batch) for batch in batches]
    assert all(len(numbers) == 2 for numbers in left_out)
    assert len(set(left_out)) > 1


def test_order_depends_on_the_seed_and_the_epoch_alone(records, storage):
    whole = _batches(records, _train(5, seed=1))
    tf.random.set_seed(7)  # TensorFlow's global seed plays no part
    assert _batches(records, _train(5, seed=1)) == whole
    assert _batches(records, _train(5, seed=2)) != whole
    assert _batches(records, _train(5, seed=1, epochs=5))[:6] == whole


@pytest.mark.parametrize("batch_size", first_fast([3, 2]))
def test_batches_from_a_step_on_are_the_tail(records, storage, batch_size):
    train = _train(batch_size)
    whole = _batches(records, train)
    assert len(whole) == 3 * (10 // batch_size)
    for first_step in range(len(whole) + 1):
        assert _batches(records, train, first_step=first_step, count=10) == whole[first_step:]


def _count_decoded(monkeypatch):
    """A list that grows by one with every image that is decoded."""
    decoded = []

    def decode_batch(encoded, size, channels):
        tf.py_function(lambda: decoded.append(1), [], [])
        return original(encoded, size, channels)

    original = input_pipeline.decode.decode_batch
    monkeypatch.setattr(input_pipeline.decode, "decode_batch", decode_batch)
    return decoded


def test_what_lies_before_the_first_step_is_not_decoded(records, monkeypatch):
    monkeypatch.setattr(input_pipeline, "_CACHE_BYTES", 0)
    decoded = _count_decoded(monkeypatch)
    assert len(_batches(records, _train(5), first_step=5)) == 1
    assert len(decoded) == 5


@pytest.mark.parametrize("workers,replicas", [(1, 2), (2, 2), (2, 4)])
def test_workers_and_replicas_share_each_batch(records, storage, workers, replicas):
    train = _train(8, epochs=4)
    whole = _batches(records, train, first_step=1)
    found = {}
    for worker in range(workers):
        share = input_pipeline.WorkerShard(worker, workers, replicas)
        for element, rows in enumerate(_batches(records, train, first_step=1, share=share)):
            found[share.place(element)] = rows
    joined = [
        sum((found[step, replica] for replica in range(replicas)), []) for step in range(len(whole))
    ]
    assert joined == whole
    assert len(found) == len(whole) * replicas


def test_a_worker_decodes_its_own_rows_only(records, monkeypatch):
    monkeypatch.setattr(input_pipeline, "_CACHE_BYTES", 0)
    decoded = _count_decoded(monkeypatch)
    share = input_pipeline.WorkerShard(1, 2, 2)
    assert len(_batches(records, _train(4, epochs=2), share=share)) == 4
    assert len(decoded) == 8


def test_the_rest_of_a_batch_is_dropped(records, storage):
    batches = input_pipeline.training_batches(records, _train(4, epochs=1), 16, 3)
    assert [len(batch) for batch in batches] == [4, 4]
    assert batches.element_spec == tf.TensorSpec([4, 16, 16, 3], tf.uint8)


def test_fewer_images_than_a_batch_is_an_error(records):
    with pytest.raises(
        InputError, match="batch_size is 11 but there are only 10 images.*batch_size 2"
    ):
        input_pipeline.training_batches(records, _train(11), 16, 3)


def test_labeled_batches_are_complete_and_in_order(records):
    batches = list(input_pipeline.labeled_batches(records, 4, 16, 3).as_numpy_iterator())
    images, labels, names = (np.concatenate(parts) for parts in zip(*batches, strict=True))
    assert _numbers(images) == list(range(10))
    np.testing.assert_array_equal(labels, [n if n % 2 else -1 for n in range(10)])
    assert names.tolist() == [f"{n}.png".encode() for n in range(10)]
