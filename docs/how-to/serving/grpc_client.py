"""Embeds or classifies image files by TF Serving's gRPC interface: quicker than REST.

    pip install tensorflow-serving-api
    python docs/how-to/serving/grpc_client.py localhost:8500 encoder a.png b.jpg

Prints a line of JSON for each file: its name and its embedding; of a classifier also its label
and score.
"""

import json
import sys

import grpc
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import classification_pb2, predict_pb2, prediction_service_pb2_grpc


def request(model, signature, inputs):
    """A PredictRequest.

    Args:
        model: Name of the model in the server.
        signature: "serving_default", "encode_images" or "encode_uint8".
        inputs: "image_bytes": list of bytes; or "images": array [N, H, W, C],
            float32 or uint8 as the signature wants.
    """
    message = predict_pb2.PredictRequest()
    message.model_spec.name, message.model_spec.signature_name = model, signature
    for name, value in inputs.items():
        if isinstance(value, list):
            value = np.array([*value, None], object)[:-1]  # bytes of any length, or none at all
        message.inputs[name].CopyFrom(tf.make_tensor_proto(value))
    return message


def predict(stub, message):
    """Dict from output to an array [N, ...]; `grpc.RpcError` says which image is bad."""
    outputs = stub.Predict(message, timeout=60).outputs
    return {name: tf.make_ndarray(value) for name, value in outputs.items()}


def classify(stub, model, files):
    """TF Serving's Classify API: for each file its classes and their scores, the best first."""
    message = classification_pb2.ClassificationRequest()
    message.model_spec.name, message.model_spec.signature_name = model, "classify_examples"
    for data in files:
        example = message.input.example_list.examples.add()
        example.features.feature["image/encoded"].bytes_list.value.append(data)
    result = stub.Classify(message, timeout=60).result
    return [[(one.label, one.score) for one in row.classes] for row in result.classifications]


def main():
    """Sends the files of the command line."""
    server, model, *paths = sys.argv[1:]
    contents = []
    for path in paths:
        with open(path, "rb") as file:
            contents.append(file.read())
    with grpc.insecure_channel(server) as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        try:
            found = predict(stub, request(model, "serving_default", {"image_bytes": contents}))
        except grpc.RpcError as error:
            sys.exit(f"{error.code().name}: {error.details()}")
    for place, path in enumerate(paths):
        answer = {name: _plain(values[place]) for name, values in sorted(found.items())}
        print(json.dumps({"file": path, **answer}))


def _plain(value):
    return value.decode() if isinstance(value, bytes) else value.tolist()


if __name__ == "__main__":
    main()
