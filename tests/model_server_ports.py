"""A served model behind a gRPC and a REST port: TF Serving's, or a stand-in for it.

As a command it is the stand-in, with those of TF Serving's flags that it knows:

    python -m tests.model_server_ports --port=8500 --rest_api_port=8501 \\
        --model_name=encoder --model_base_path=FOLDER
"""

import argparse
import base64
import contextlib
import json
import os
import shutil
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from concurrent import futures
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import grpc
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import classification_pb2, prediction_service_pb2_grpc

from tests.model_server import NAME, LoadedModel, RefusedError, predict_request

BINARY = "tensorflow_model_server"


@contextlib.contextmanager
def real_server(folder, log):
    """(gRPC port, REST port) of tensorflow_model_server, a process of its own.

    Args:
        folder: Folder whose sub-folders are versions.
        log: File for what it prints.
    """
    grpc_port, rest_port = _free_port(), _free_port()
    with open(log, "w") as output:
        process = subprocess.Popen(
            [shutil.which(BINARY), f"--port={grpc_port}", f"--rest_api_port={rest_port}"]
            + [f"--model_name={NAME}", f"--model_base_path={os.path.abspath(folder)}"],
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        _wait_until_it_serves(process, rest_port, log)
        yield grpc_port, rest_port
    finally:
        process.kill()
        process.wait()


@contextlib.contextmanager
def stand_in(path, grpc_port=0, rest_port=0, name=NAME):
    """The same ports, of threads here that ask a `LoadedModel`; 0 is any that is free."""
    model = LoadedModel(path)
    service = grpc.server(futures.ThreadPoolExecutor(2))
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(_Service(model), service)
    grpc_port = service.add_insecure_port(f"localhost:{grpc_port}")
    service.start()
    handler = type("Rest", (_Rest,), {"model": model, "name": name})
    rest = ThreadingHTTPServer(("localhost", rest_port), handler)
    threading.Thread(target=rest.serve_forever, daemon=True).start()
    try:
        yield grpc_port, rest.server_address[1]
    finally:
        rest.shutdown()
        rest.server_close()
        service.stop(None).wait()
        model.stop()


class _Service(prediction_service_pb2_grpc.PredictionServiceServicer):
    def __init__(self, model):
        self._model = model

    def Predict(self, request, context):
        try:
            return self._model.predict(request)
        except RefusedError as error:
            context.abort(grpc.StatusCode[error.code], str(error))

    def Classify(self, request, context):
        try:
            return self._model.classify(request)
        except RefusedError as error:
            context.abort(grpc.StatusCode[error.code], str(error))


class _Rest(BaseHTTPRequestHandler):
    """Of TF Serving's REST interface: status, `instances` of models with one input, `examples`."""

    def do_GET(self):
        self._answer(200, {"model_version_status": [{"state": "AVAILABLE"}]}, "")

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        verb = ":" + self.path.rpartition(":")[2]
        answer = {":predict": self._predict, ":classify": self._classify}.get(verb)
        if answer is None:
            self._answer(404, {"error": f"{verb} is not known"}, verb)
            return
        try:
            self._answer(200, answer(asked), verb)
        except RefusedError as error:
            self._answer(400, {"error": str(error)}, verb)

    def _predict(self, asked):
        (info,) = self.model.signatures[asked["signature_name"]].inputs.items()
        images = asked["instances"]
        if info[0] == "image_bytes":
            images = [base64.b64decode(image["b64"]) for image in images]
        else:
            images = np.array(images, np.uint8 if "uint8" in asked["signature_name"] else "f4")
        response = self.model.predict(predict_request(asked["signature_name"], **{info[0]: images}))
        return {"predictions": _predictions(response)}

    def _classify(self, asked):
        """Of examples whose features are bytes."""
        request = classification_pb2.ClassificationRequest()
        request.model_spec.signature_name = asked["signature_name"]
        for given in asked["examples"]:
            features = request.input.example_list.examples.add().features.feature
            for name, value in given.items():
                features[name].bytes_list.value.append(base64.b64decode(value["b64"]))
        rows = self.model.classify(request).result.classifications
        return {"results": [[[one.label, one.score] for one in row.classes] for row in rows]}

    def _answer(self, status, answer, verb):
        self.send_response(status if self.path == f"/v1/models/{self.name}{verb}" else 404)
        self.end_headers()
        self.wfile.write(json.dumps(answer).encode())

    def log_message(self, *_):
        """Prints nothing."""


def _predictions(response):
    """A row for each instance: the value of the only output, or a dict from output to value."""
    outputs = {name: tf.make_ndarray(value) for name, value in response.outputs.items()}
    plain = {
        name: [one.decode() if isinstance(one, bytes) else one.tolist() for one in value]
        for name, value in outputs.items()
    }
    if len(plain) == 1:
        return next(iter(plain.values()))
    return [dict(zip(plain, row, strict=True)) for row in zip(*plain.values(), strict=True)]


class Client:
    """Asks a server, by gRPC and by REST."""

    def __init__(self, grpc_port, rest_port):
        self._channel = grpc.insecure_channel(f"localhost:{grpc_port}")
        self._stub = prediction_service_pb2_grpc.PredictionServiceStub(self._channel)
        self.grpc_address = f"localhost:{grpc_port}"
        self.rest_url = f"http://localhost:{rest_port}"

    def close(self):
        """Ends the connection."""
        self._channel.close()

    def predict(self, request):
        """PredictResponse, by gRPC."""
        try:
            return self._stub.Predict(request, timeout=60)
        except grpc.RpcError as error:
            raise RefusedError(error.code().name, error.details()) from None

    def predict_by_rest(self, signature, instances):
        """Array of the predictions, by REST."""
        body = json.dumps({"signature_name": signature, "instances": instances}).encode()
        asked = urllib.request.Request(f"{self.rest_url}/v1/models/{NAME}:predict", body)
        try:
            with urllib.request.urlopen(asked, timeout=60) as answer:
                return np.array(json.load(answer)["predictions"], np.float32)
        except urllib.error.HTTPError as error:
            code = {400: "INVALID_ARGUMENT"}.get(error.code, str(error.code))
            raise RefusedError(code, json.load(error)["error"]) from None


def _wait_until_it_serves(process, rest_port, log):
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        try:
            url = f"http://localhost:{rest_port}/v1/models/{NAME}"
            with urllib.request.urlopen(url, timeout=5) as answer:
                if b"AVAILABLE" in answer.read():
                    return
        except OSError:
            pass
        time.sleep(0.2)
    with open(log) as file:
        raise RuntimeError(f"{BINARY} does not serve: {file.read()[-2000:]}")


def _free_port():
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        return probe.getsockname()[1]


def main():
    """Serves the newest version, until it is told to end."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--rest_api_port", type=int, required=True)
    parser.add_argument("--model_name", required=True)
    parser.add_argument("--model_base_path", required=True)
    given = parser.parse_args()
    versions = [name for name in os.listdir(given.model_base_path) if name.isdecimal()]
    newest = os.path.join(given.model_base_path, max(versions, key=int))
    with stand_in(newest, given.port, given.rest_api_port, given.model_name) as ports:
        print(f"TensorFlow's loader, standing in for {BINARY}: {newest} at {ports}", flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()
