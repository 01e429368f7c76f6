"""What TF Serving is made of, without its server: TensorFlow's loader and session, and messages.

A model is loaded into TensorFlow's C++ session and run by the names of its
tensors, as TF Serving does: the shapes of what is fed are not checked against
those of the signature there, nor here.
"""

import numpy as np
import tensorflow as tf

NAME = "encoder"


class RefusedError(Exception):
    """A request that failed; `code` as gRPC names it, such as "INVALID_ARGUMENT"."""

    def __init__(self, code, message):
        super().__init__(message)
        self.code = code


def predict_request(signature, **inputs):
    """PredictRequest with arrays as inputs."""
    from tensorflow_serving.apis import predict_pb2

    request = predict_pb2.PredictRequest()
    request.model_spec.name = NAME
    request.model_spec.signature_name = signature
    for name, value in inputs.items():
        request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
    return request


def embedding(response):
    """The answer in a PredictResponse, an array."""
    return tf.make_ndarray(response.outputs["embedding"])


class LoadedModel:
    """TensorFlow's loader and session, warmed up with the requests that are in the model."""

    def __init__(self, path):
        from tensorflow_serving.apis import prediction_log_pb2

        self._session = tf.compat.v1.Session(graph=tf.Graph())
        with self._session.graph.as_default():
            loaded = tf.compat.v1.saved_model.load(self._session, ["serve"], path)
        signatures = loaded.signature_def.items()  # one of them starts the model, without inputs
        self.signatures = {name: signature for name, signature in signatures if signature.inputs}
        self._functions = {}
        for name, signature in self.signatures.items():
            self._functions[name] = self._callable(signature)
        self.warmed_up = 0
        for record in tf.data.TFRecordDataset(f"{path}/assets.extra/tf_serving_warmup_requests"):
            log = prediction_log_pb2.PredictionLog.FromString(record.numpy())
            if log.HasField("classify_log"):
                self.classify(log.classify_log.request)
            else:
                self.predict(log.predict_log.request)
            self.warmed_up += 1

    def predict(self, request):
        """PredictResponse."""
        from tensorflow_serving.apis import predict_pb2

        name = request.model_spec.signature_name or "serving_default"
        if name not in self.signatures:
            raise RefusedError("FAILED_PRECONDITION", f"no signature {name}")
        signature = self.signatures[name]
        if set(request.inputs) != set(signature.inputs):
            raise RefusedError("INVALID_ARGUMENT", f"inputs are {sorted(signature.inputs)}")
        arrays = [tf.make_ndarray(request.inputs[key]) for key in signature.inputs]
        results = self._run(name, *arrays)
        response = predict_pb2.PredictResponse()
        for key, value in zip(signature.outputs, results, strict=True):
            response.outputs[key].CopyFrom(tf.make_tensor_proto(value))
        return response

    def classify(self, request):
        """ClassificationResponse; what TF Serving asks of such a signature is asked here too."""
        from tensorflow_serving.apis import classification_pb2

        name = request.model_spec.signature_name or "serving_default"
        signature = self.signatures.get(name)
        if signature is None or signature.method_name != "tensorflow/serving/classify":
            raise RefusedError("INVALID_ARGUMENT", f"{name} is no signature to classify by")
        assert set(signature.inputs) == {"inputs"}
        assert set(signature.outputs) == {"classes", "scores"}
        examples = [one.SerializeToString() for one in request.input.example_list.examples]
        found = dict(
            zip(signature.outputs, self._run(name, np.array(examples, object)), strict=True)
        )
        response = classification_pb2.ClassificationResponse()
        for labels, scores in zip(found["classes"], found["scores"], strict=True):
            row = response.result.classifications.add()
            for label, score in zip(labels, scores, strict=True):
                row.classes.add(label=label, score=score)
        return response

    def _run(self, name, *arrays):
        try:
            return self._functions[name](*arrays)
        except tf.errors.OpError as error:
            raise RefusedError(_CODES.get(type(error), "UNKNOWN"), error.message) from None

    def _callable(self, signature):
        from tensorflow.core.protobuf import config_pb2

        options = config_pb2.CallableOptions()
        options.feed.extend(info.name for info in signature.inputs.values())
        options.fetch.extend(info.name for info in signature.outputs.values())
        return self._session._make_callable_from_options(options)

    def stop(self):
        """Frees the model."""
        self._functions = {}
        self._session.close()


_CODES = {
    tf.errors.InvalidArgumentError: "INVALID_ARGUMENT",
    tf.errors.InternalError: "INTERNAL",
    tf.errors.ResourceExhaustedError: "RESOURCE_EXHAUSTED",
    tf.errors.UnimplementedError: "UNIMPLEMENTED",
}
