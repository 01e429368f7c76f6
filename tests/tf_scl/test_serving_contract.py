"""What a client may rely on, asked of the real server where it is installed.

Where it is not, TensorFlow's loader and session stand in for it, behind the
same ports: of the server itself nothing is tested then.
"""

import base64
import json
import pathlib
import shutil
import subprocess
import sys

import keras
import numpy as np
import pytest

import tf_scl
from tests.conftest import encode, first_fast, photo

pytest.importorskip("tensorflow_serving", reason="tensorflow-serving-api is not installed")

from tests import model_server_ports as ports  # noqa: E402
from tests.model_server import RefusedError, embedding, predict_request  # noqa: E402

_REAL = shutil.which(ports.BINARY) is not None
_KIND = ports.BINARY if _REAL else "TensorFlow's loader and session, standing in"
_DIMENSION = 32
_SCRIPTS = pathlib.Path(__file__).parents[2] / "docs" / "how-to" / "serving"


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """(encoder, client of what serves it)"""
    keras.utils.set_random_seed(0)
    folder = tmp_path_factory.mktemp("contract")
    encoder = tf_scl.resnet(10, (16, 16, 3), width=4)
    tf_scl.export_saved_model(encoder, folder / "served" / "1")
    if _REAL:
        server = ports.real_server(folder / "served", folder / "server.log")
    else:
        server = ports.stand_in(str(folder / "served" / "1"))
    with server as (grpc_port, rest_port):
        print(f"\nthe contract is asked of {_KIND}")
        client = ports.Client(grpc_port, rest_port)
        yield encoder, client
        client.close()


def _images(count=3):
    return np.stack([photo(number, 16, 16) for number in range(count)])


def _inputs(images):
    return {
        "serving_default": {"image_bytes": np.array([encode(i) for i in images], object)},
        "encode_images": {"images": images.astype(np.float32)},
        "encode_uint8": {"images": images},
    }


_SIGNATURES = ("serving_default", "encode_images", "encode_uint8")


@pytest.mark.parametrize("signature", _SIGNATURES)
def test_it_answers_with_what_the_encoder_gives(served, signature):
    encoder, server = served
    images = _images()
    response = server.predict(predict_request(signature, **_inputs(images)[signature]))
    assert list(response.outputs) == ["embedding"]
    np.testing.assert_allclose(embedding(response), encoder(images, training=False), atol=1e-5)


@pytest.mark.parametrize("signature", _SIGNATURES)
def test_nothing_is_answered_with_nothing(served, signature):
    inputs = _inputs(_images())[signature]
    empty = {name: value[:0] for name, value in inputs.items()}
    if signature == "serving_default":
        empty = {"image_bytes": np.array([], "S1")}
    answer = embedding(served[1].predict(predict_request(signature, **empty)))
    assert answer.shape == (0, _DIMENSION)


def _bad_requests():
    """Name -> (request, what its error says)."""
    images, encoded = _images(), [encode(image) for image in _images()]
    unlike = images.astype(np.float32)
    unlike[2, 3, 4, 1] = np.nan
    return {
        "damaged": (
            predict_request(
                "serving_default", image_bytes=[encoded[0], encoded[1][:200], encoded[2]]
            ),
            "image_bytes[1] is damaged or cut short",
        ),
        "NaN": (predict_request("encode_images", images=unlike), "images[2] holds NaN"),
        "rank of bytes": (predict_request("serving_default", image_bytes=[encoded]), ""),
        "rank of images": (predict_request("encode_images", images=unlike[0]), ""),
        "dtype": (predict_request("encode_images", images=images), ""),
        "no input": (predict_request("encode_images"), ""),
        "another input": (predict_request("encode_images", pixels=unlike), ""),
    }


@pytest.mark.parametrize("name", list(_bad_requests()))
def test_a_bad_request_is_an_error_and_the_next_is_answered(served, name):
    encoder, server = served
    request, message = _bad_requests()[name]
    with pytest.raises(RefusedError) as error:
        server.predict(request)
    assert error.value.code == "INVALID_ARGUMENT"
    assert message in str(error.value)
    images = _images(1)
    response = server.predict(predict_request("encode_uint8", images=images))
    np.testing.assert_allclose(embedding(response), encoder(images, training=False), atol=1e-5)


def test_another_signature_is_an_error(served):
    with pytest.raises(RefusedError):
        served[1].predict(predict_request("encode_everything", images=_images()))


@pytest.mark.parametrize("signature", _SIGNATURES)
def test_by_rest(served, signature):
    encoder, server = served
    images = _images()
    instances = images.tolist()
    if signature == "serving_default":
        instances = [{"b64": base64.b64encode(encode(image)).decode()} for image in images]
    answer = server.predict_by_rest(signature, instances)
    np.testing.assert_allclose(answer, encoder(images, training=False), atol=1e-4)
    with pytest.raises(RefusedError, match=r"image_bytes\[0\] is empty") as error:
        server.predict_by_rest("serving_default", [{"b64": ""}])
    assert error.value.code == "INVALID_ARGUMENT"


@pytest.mark.parametrize("name", first_fast(["rest_client.py", "grpc_client.py"]))
def test_the_scripts_of_the_documentation(served, tmp_path, name):
    encoder, server = served
    address = server.grpc_address if name == "grpc_client.py" else server.rest_url
    for number, image in enumerate(_images()):
        (tmp_path / f"{number}.png").write_bytes(encode(image))
    (tmp_path / "bad.png").write_bytes(b"no image")
    command = [sys.executable, str(_SCRIPTS / name), address, "encoder", "0.png", "1.png"]
    done = subprocess.run([*command, "2.png"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["file"] for line in lines] == ["0.png", "1.png", "2.png"]
    embeddings = [line["embedding"] for line in lines]
    np.testing.assert_allclose(embeddings, encoder(_images(), training=False), atol=1e-4)
    done = subprocess.run([*command, "bad.png"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1
    assert "image_bytes[2] is neither PNG nor JPEG" in done.stderr


def test_the_models_of_the_documentation():
    from google.protobuf import text_format
    from tensorflow_serving.config import model_server_config_pb2

    text = (_SCRIPTS / "models.config").read_text()
    found = text_format.Parse(text, model_server_config_pb2.ModelServerConfig())
    assert [model.name for model in found.model_config_list.config] == ["encoder", "photos"]


@pytest.mark.skipif(
    not _REAL, reason=f"{ports.BINARY} is not on PATH; the contract was asked of {_KIND}"
)
def test_the_real_server_warmed_up(served, tmp_path_factory):
    log = tmp_path_factory.getbasetemp() / "contract0" / "server.log"
    assert "Number of warmup records read: 6" in log.read_text()
