import numpy as np
import pytest
import tensorflow as tf

from tf_scl.serving import warmup
from tf_scl.serving.signatures import signatures


@pytest.fixture(scope="module")
def served():
    return signatures(lambda: lambda images: images[:, 0, 0], 8, 3, 3, 10**6)


@pytest.fixture(scope="module")
def records(served, tmp_path_factory):
    path = tmp_path_factory.mktemp("warmup") / "requests"
    warmup.write_warmup_requests(str(path), 8, 3, served)
    return [record.numpy() for record in tf.data.TFRecordDataset(str(path))]


def test_they_are_what_tensorflow_serving_reads(served, records):
    logs = pytest.importorskip("tensorflow_serving.apis.prediction_log_pb2")
    requests = []
    for record in records:
        log = logs.PredictionLog.FromString(record)
        assert log.WhichOneof("log_type") == "predict_log"
        assert log.SerializeToString() == record  # nothing in it is unknown
        request = log.predict_log.request
        (spec,) = served[request.model_spec.signature_name].input_signature
        (tensor,) = [tf.make_ndarray(request.inputs[name]) for name in request.inputs]
        assert list(request.inputs) == [spec.name]
        assert spec.shape.is_compatible_with(tensor.shape)
        requests.append((request.model_spec.signature_name, len(tensor)))
        answer = served[requests[-1][0]](tf.constant(tensor, spec.dtype))["embedding"]
        np.testing.assert_array_equal(answer, np.full([len(tensor), 3], 128))
    assert requests == [(name, batch) for name in served for batch in (1, 8)]


def test_a_number_longer_than_seven_bits():
    logs = pytest.importorskip("tensorflow_serving.apis.prediction_log_pb2")
    name = "n" * 40_000
    record = warmup.predict_log(name, name, tf.make_tensor_proto(np.zeros(50_000, np.uint8)))
    request = logs.PredictionLog.FromString(record).predict_log.request
    assert request.model_spec.signature_name == name
    assert tf.make_ndarray(request.inputs[name]).shape == (50_000,)


def test_they_are_small_whatever_the_size_of_the_images(tmp_path):
    served = signatures(lambda: lambda images: images[:, 0, 0], 224, 3, 3, 10**6)
    warmup.write_warmup_requests(str(tmp_path / "requests"), 224, 3, served)
    assert (tmp_path / "requests").stat().st_size < 20_000
