"""Requests that TF Serving runs before a version takes traffic, so that no user waits for it."""

from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf

from tf_scl.data.features import encode_image
from tf_scl.serving.signatures import CLASSIFY_EXAMPLES

# Where TF Serving looks, and what it wants there: TFRecords of tensorflow.serving.PredictionLog.
WARMUP_FILE = "assets.extra/tf_serving_warmup_requests"

_BATCHES = (1, 8)
# The fields on the way from a PredictionLog to its tensors or examples; every one holds bytes.
_CLASSIFY_LOG, _INPUT, _EXAMPLE_LIST, _EXAMPLES = 2, 2, 1, 1
_PREDICT_LOG, _REQUEST, _MODEL_SPEC, _INPUTS, _SIGNATURE_NAME = 6, 1, 1, 2, 3
_KEY, _VALUE = 1, 2


def write_warmup_requests(
    path: str, size: int, channels: int, signatures: Mapping[str, Any]
) -> None:
    """Writes requests with gray images, in batches of 1 and of 8, for each signature.

    The messages are tensorflow-serving-api's. That package is not needed: of
    its protocol only ten fields are, which are written here; the tensors are
    TensorFlow's own.

    Args:
        path: File to write.
        size: Int, side of the images.
        channels: 1 or 3.
        signatures: Dict from name to a `tf.function` with one input, string
            [N] or a number [N, H, W, C].
    """
    png = tf.io.encode_png(tf.fill([size, size, channels], tf.constant(128, tf.uint8))).numpy()
    with tf.io.TFRecordWriter(path) as records:
        for signature, function in signatures.items():
            (spec,) = function.input_signature
            for batch in _BATCHES:
                if signature == CLASSIFY_EXAMPLES:
                    records.write(classification_log(signature, [encode_image(png)] * batch))
                    continue
                tensor = _gray_images(spec.dtype, batch, size, channels, png)
                records.write(predict_log(signature, spec.name, tensor))


def classification_log(signature: str, examples: Sequence[bytes]) -> bytes:
    """A serialized PredictionLog of one request to the Classify API.

    Args:
        signature: Name of the signature.
        examples: List of serialized `tf.train.Example`.

    Returns:
        bytes.
    """
    listed = _field(_EXAMPLE_LIST, b"".join(_field(_EXAMPLES, one) for one in examples))
    model_spec = _field(_SIGNATURE_NAME, signature.encode())
    request = _field(_MODEL_SPEC, model_spec) + _field(_INPUT, listed)
    return _field(_CLASSIFY_LOG, _field(_REQUEST, request))


def predict_log(signature: str, name: str, tensor: Any) -> bytes:
    """A serialized PredictionLog of one request.

    Args:
        signature: Name of the signature.
        name: Name of its input.
        tensor: `TensorProto`.

    Returns:
        bytes.
    """
    entry = _field(_KEY, name.encode()) + _field(_VALUE, tensor.SerializeToString())
    model_spec = _field(_SIGNATURE_NAME, signature.encode())
    request = _field(_MODEL_SPEC, model_spec) + _field(_INPUTS, entry)
    return _field(_PREDICT_LOG, _field(_REQUEST, request))


def _gray_images(dtype: tf.DType, batch: int, size: int, channels: int, png: bytes) -> Any:
    """A TensorProto; of numbers the first alone is written, and stands for all."""
    if dtype == tf.string:
        return tf.make_tensor_proto([png] * batch)
    return tf.make_tensor_proto(128, dtype, [batch, size, size, channels])


def _field(number: int, content: bytes) -> bytes:
    """A length-delimited field of a protocol buffer."""
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(number: int) -> bytes:
    low, high = number & 0x7F, number >> 7
    return bytes([low | 0x80]) + _varint(high) if high else bytes([low])
