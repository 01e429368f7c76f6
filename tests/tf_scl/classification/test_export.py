"""A classifier as a SavedModel and as an ONNX file."""

import importlib.util
import json
import pathlib
import shutil
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

import tf_scl
from tests.conftest import encode
from tests.tf_scl.classification.test_classifier import _CLASSES, _encoder, _images
from tf_scl.data.features import encode_image
from tf_scl.serving.export import read_metadata
from tf_scl.serving.reference import read_reference

_SURE = 0.97
_SCRIPTS = pathlib.Path(__file__).parents[3] / "docs" / "how-to" / "serving"


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A classifier, and its SavedModel."""
    images, labels = _images()
    classifier = tf_scl.fit_classifier(_encoder(), images, labels, classes=_CLASSES)
    assert classifier.temperature != 1
    path = tmp_path_factory.mktemp("classifier") / "1"
    tf_scl.export_saved_model(classifier, path, abstain_below=_SURE, reference=images)
    return classifier, str(path)


def test_every_signature_classifies_as_keras_does(exported):
    classifier, path = exported
    images, _ = _images()
    expected = classifier.predict(images, verbose=0)
    png = tf.constant([encode(image) for image in images])
    loaded = tf.saved_model.load(path)
    inputs = {
        "serving_default": {"image_bytes": png},
        "classify": {"image_bytes": png},
        "encode_images": {"images": tf.constant(images, tf.float32)},
        "encode_uint8": {"images": tf.constant(images)},
    }
    assert set(loaded.signatures) == {*inputs, "classify_examples"}
    best = [classifier.classes[place] for place in expected.argmax(axis=1)]
    labels = np.where(expected.max(axis=1) >= _SURE, best, "")
    for name, given in inputs.items():
        found = loaded.signatures[name](**given)
        assert set(found) == {"embedding", "label", "score"}
        np.testing.assert_allclose(found["score"], expected, atol=1e-5)
        np.testing.assert_allclose(found["embedding"], classifier.embed(images), atol=1e-5)
        assert [label.decode() for label in found["label"].numpy()] == labels.tolist()
    assert "" in labels and len(set(labels)) > 1


def test_a_classifier_keeps_embeddings_to_compare_new_images_with(exported):
    classifier, path = exported
    images, _ = _images()
    np.testing.assert_allclose(read_reference(path), classifier.embed(images), atol=1e-5)
    assert -1 <= read_metadata(path)["duplicate_cosine"] <= 1


def test_the_contract_of_the_classify_api(exported):
    classifier, path = exported
    images, _ = _images()
    expected = classifier.predict(images, verbose=0)
    examples = tf.constant([encode_image(encode(image)) for image in images])
    function = tf.saved_model.load(path).signatures["classify_examples"]
    found = function(inputs=examples)
    assert found["classes"].numpy()[:, 0].tolist() == [
        classifier.classes[place].encode() for place in expected.argmax(axis=1)
    ]
    np.testing.assert_allclose(found["scores"], -np.sort(-expected, axis=1), atol=1e-5)
    # What TensorFlow Serving reads before it serves.
    saved = saved_model_pb2.SavedModel.FromString(pathlib.Path(path, "saved_model.pb").read_bytes())
    definitions = saved.meta_graphs[0].signature_def
    methods = {name: one.method_name for name, one in definitions.items() if name[0] != "_"}
    assert methods.pop("classify_examples") == "tensorflow/serving/classify"
    assert set(methods.values()) == {"tensorflow/serving/predict"}
    assert set(definitions["classify_examples"].inputs) == {"inputs"}
    assert set(definitions["classify_examples"].outputs) == {"classes", "scores"}


def test_warm_up_asks_each_signature(exported):
    apis = pytest.importorskip("tensorflow_serving.apis.prediction_log_pb2")
    _, path = exported
    records = tf.data.TFRecordDataset(path + "/assets.extra/tf_serving_warmup_requests")
    logs = [apis.PredictionLog.FromString(record.numpy()) for record in records]
    kinds = [log.WhichOneof("log_type") for log in logs]
    assert kinds.count("classify_log") == 2 and kinds.count("predict_log") == 8
    requests = [log.classify_log.request for log in logs if log.HasField("classify_log")]
    assert [one.model_spec.signature_name for one in requests] == ["classify_examples"] * 2
    batches = [one.input.example_list.examples for one in requests]
    assert [len(batch) for batch in batches] == [1, 8]
    serialized = tf.constant([example.SerializeToString() for example in batches[1]])
    assert tf.saved_model.load(path).signatures["classify_examples"](inputs=serialized)


def test_a_bad_image_is_named(exported):
    loaded = tf.saved_model.load(exported[1])
    good = encode(_images()[0][0])
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"image_bytes\[1\] is empty"):
        loaded.signatures["classify_examples"](
            inputs=tf.constant([encode_image(good), tf.train.Example().SerializeToString()])
        )
    empty = loaded.signatures["classify"](image_bytes=tf.constant([], tf.string))
    assert empty["score"].shape == [0, 3] and empty["label"].shape == [0]


def test_the_class_names_are_in_the_metadata_and_in_the_graph_alone(exported):
    """A fresh process with TensorFlow and numpy only."""
    classifier, path = exported
    metadata = read_metadata(path)
    assert (metadata["classes"], metadata["abstain_below"]) == (_CLASSES, _SURE)
    code = f"""
import sys
sys.modules.update(keras=None, tf_scl=None, tfx=None, scipy=None)
import numpy as np, tensorflow as tf
model = tf.saved_model.load({path!r})
answer = model.signatures["encode_uint8"](images=tf.constant(np.full((1, 9, 9, 3), 200, "uint8")))
print(answer["label"].numpy()[0].decode())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() in (*classifier.classes, "") and done.returncode == 0, done.stderr


def test_an_onnx_file_scores_too(exported, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("tf2onnx")
    classifier, _ = exported
    tf_scl.export_onnx(classifier, tmp_path / "classifier.onnx")
    session = onnxruntime.InferenceSession(str(tmp_path / "classifier.onnx"))
    assert json.loads(session.get_modelmeta().custom_metadata_map["classes"]) == _CLASSES
    images, _ = _images()
    (score,) = session.run(["score"], {"images": images.astype(np.float32)})
    np.testing.assert_allclose(score, classifier.predict(images, verbose=0), atol=1e-5)


def test_what_has_no_effect_is_refused(tmp_path):
    with pytest.raises(tf_scl.InputError, match="abstain_below=0.5.*no effect on an encoder"):
        tf_scl.export_saved_model(_encoder(), tmp_path / "model", abstain_below=0.5)
    with pytest.raises(tf_scl.InputError, match="abstain_below"):
        tf_scl.export_saved_model(_encoder(), tmp_path / "model", abstain_below=1.5)


@pytest.mark.slow
def test_clients_are_answered_by_rest_and_by_grpc(exported, tmp_path):
    """The scripts of the documentation, and the Classify API."""
    pytest.importorskip("tensorflow_serving", reason="tensorflow-serving-api is not installed")
    import grpc
    from tensorflow_serving.apis import prediction_service_pb2_grpc

    from tests import model_server_ports as ports

    classifier, path = exported
    images, _ = _images()
    files = [encode(image) for image in images[:3]]
    for number, data in enumerate(files):
        (tmp_path / f"{number}.png").write_bytes(data)
    expected = classifier.predict(images[:3], verbose=0)
    real = shutil.which(ports.BINARY) is not None
    folder = pathlib.Path(path).parent
    server = ports.real_server(folder, tmp_path / "log") if real else ports.stand_in(path)
    with server as (grpc_port, rest_port):
        addresses = {"grpc": f"localhost:{grpc_port}", "rest": f"http://localhost:{rest_port}"}
        for kind, address in addresses.items():
            command = [sys.executable, str(_SCRIPTS / f"{kind}_client.py"), address, ports.NAME]
            command += [str(tmp_path / f"{number}.png") for number in range(3)]
            done = subprocess.run(command, capture_output=True, text=True)
            assert done.returncode == 0, done.stderr
            answers = [json.loads(line) for line in done.stdout.splitlines()]
            assert set(answers[0]) == {"file", "embedding", "label", "score"}
            np.testing.assert_allclose([one["score"] for one in answers], expected, atol=1e-5)
            for answer, row in zip(answers, expected, strict=True):
                sure = row.max() >= _SURE
                assert answer["label"] == (_CLASSES[row.argmax()] if sure else "")
        spec = importlib.util.spec_from_file_location("client", _SCRIPTS / "grpc_client.py")
        client = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(client)
        with grpc.insecure_channel(addresses["grpc"]) as channel:
            stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
            found = client.classify(stub, ports.NAME, files)
    for row, scores in zip(found, expected, strict=True):
        assert [label for label, _ in row] == [_CLASSES[place] for place in np.argsort(-scores)]
        np.testing.assert_allclose([score for _, score in row], -np.sort(-scores), atol=1e-5)
