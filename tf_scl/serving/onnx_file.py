"""The served network as an ONNX file (`pip install tf_scl[onnx]`)."""

import json
import os
from collections.abc import Iterable
from typing import Any

import keras
import tensorflow as tf

from tf_scl.errors import InputError
from tf_scl.files import atomic_write
from tf_scl.serving.agreement import agreeing_export
from tf_scl.serving.class_head import SCORE
from tf_scl.serving.network import FLOAT32, ExportedWeights, inference_model
from tf_scl.serving.signatures import OUTPUT
from tf_scl.typing import Array, PathLike

OPSET = 17


def export_onnx(model: keras.Model, path: PathLike, projector: bool = False) -> None:
    """Writes an encoder as an ONNX file, for onnxruntime and its like.

    Input `images`: float32 [N, S, S, C], values 0..255, of the encoder's size:
    decoding and resizing are not in the file. Output `embedding`: float32
    [N, D]; of a `tf_scl.Classifier` also `score`: float32 [N, classes], in the
    order of its classes, which the file's metadata "classes" names as JSON.
    onnxruntime must load the file and give what Keras gives before it
    appears, complete or not at all.

    Args:
        model, projector: As in `tf_scl.export_saved_model`.
        path: File to write. It must not exist.

    Raises:
        InputError: Without tf2onnx or onnxruntime, or as
            `tf_scl.export_saved_model`.
        FileExistsError: `path` exists.
    """
    try:
        import onnxruntime
        import tf2onnx
    except ImportError as error:
        raise InputError(
            "an ONNX file is written by tf2onnx and tried by onnxruntime, of which one cannot be "
            f"imported ({error}): pip install tf_scl[onnx]"
        ) from error
    network = inference_model(model, projector)
    head = model.served_head() if hasattr(model, "served_head") else None
    path = os.fspath(path)
    if tf.io.gfile.exists(path):
        raise FileExistsError(f"{path} exists already; export to a new file")
    spec = tf.TensorSpec([None, *network.input_shape[1:]], tf.float32, "images")

    def make(stored: ExportedWeights) -> bytes:
        def embed(images: tf.Tensor) -> dict[str, tf.Tensor]:
            embedding = stored.bind()(images)
            return {OUTPUT: embedding, **({SCORE: score(embedding)[1]} if score else {})}

        score = head and head.stored(stored.module)

        function = tf.function(embed, input_signature=[spec])
        converted, _ = tf2onnx.convert.from_function(function, [spec], opset=OPSET)
        _fill_in(converted.graph, function.get_concrete_function().graph.captures)
        if head is not None:
            converted.metadata_props.add(key="classes", value=json.dumps(head.classes))
        return converted.SerializeToString()

    def run(content: bytes, images: Array) -> Array:
        session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
        if head is None:
            return session.run([OUTPUT], {spec.name: images})[0]
        embedding, scores = session.run([OUTPUT, SCORE], {spec.name: images})
        head.refuse_others(embedding, scores)
        return embedding

    _, content = agreeing_export(network, FLOAT32, make, run)
    with atomic_write(path, overwrite=False) as partial, tf.io.gfile.GFile(partial, "wb") as file:
        file.write(content)


def _fill_in(graph: Any, captures: Iterable[tuple[tf.Tensor, tf.Tensor]]) -> None:
    """Tensors that layers hold beside their weights become constants of an ONNX graph.

    tf2onnx makes inputs of them, such as the mean of `keras.layers.Normalization`.

    Args:
        graph: `onnx.GraphProto`, changed in place.
        captures: Pairs (tensor, tensor in the graph that was converted).
    """
    import onnx

    values = {inside.name: outside for outside, inside in captures}
    for name in [each.name for each in graph.input if each.name in values]:
        (extra,) = (each for each in graph.input if each.name == name)
        graph.input.remove(extra)
        graph.initializer.append(onnx.numpy_helper.from_array(values[name].numpy(), name))
