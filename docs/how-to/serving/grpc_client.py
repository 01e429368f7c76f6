"""Embeds image files by TF Serving's gRPC interface: quicker than REST, above all for pixels.

    pip install tensorflow-serving-api
    python docs/how-to/serving/grpc_client.py localhost:8500 encoder a.png b.jpg

Prints a line of JSON for each file: its name and its embedding.
"""

import json
import sys

import grpc
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc


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


def embed(stub, message):
    """Embeddings float32 [N, D]; `grpc.RpcError` says which image is bad."""
    return tf.make_ndarray(stub.Predict(message, timeout=60).outputs["embedding"])


def main():
    """Embeds the files of the command line."""
    server, model, *paths = sys.argv[1:]
    contents = []
    for path in paths:
        with open(path, "rb") as file:
            contents.append(file.read())
    with grpc.insecure_channel(server) as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        try:
            found = embed(stub, request(model, "serving_default", {"image_bytes": contents}))
        except grpc.RpcError as error:
            sys.exit(f"{error.code().name}: {error.details()}")
    for path, embedding in zip(paths, found, strict=True):
        print(json.dumps({"file": path, "embedding": embedding.tolist()}))


if __name__ == "__main__":
    main()
