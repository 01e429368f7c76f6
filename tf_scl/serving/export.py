"""SavedModels that TF Serving loads, with the preprocessing inside."""

import json
import os
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from tf_scl import validation
from tf_scl.errors import InputError
from tf_scl.files import atomic_write, write_file
from tf_scl.serving.agreement import agreeing_export, reported
from tf_scl.serving.class_head import CLASSIFY_METHOD, SCORE
from tf_scl.serving.codes import KINDS, NONE, calibrated
from tf_scl.serving.network import ExportedWeights, inference_model
from tf_scl.serving.reference import (
    REFERENCE_FILE,
    check_reference,
    count_pairs,
    duplicate_cosine,
    reference_bytes,
)
from tf_scl.serving.signatures import CLASSIFY_EXAMPLES, FLOATS, OUTPUT, signatures
from tf_scl.serving.warmup import WARMUP_FILE, write_warmup_requests
from tf_scl.typing import Array, Images, PathLike

METADATA_FILE = os.path.join("assets.extra", "tf_scl.json")
LINEAGE = "lineage"  # in it the key of a `tf_scl.serving.lineage.Lineage`

_PYTHON = ("PyFunc", "PyFuncStateless", "EagerPyFunc")


def export_saved_model(
    model: keras.Model,
    path: PathLike,
    metadata: dict[str, Any] | None = None,
    projector: bool = False,
    weights: str = "float32",
    max_pixels: int = 50_000_000,
    abstain_below: float = 0.0,
    reference: Images | None = None,
    quantize: str = NONE,
) -> None:
    """Writes an encoder or a classifier as a SavedModel.

    Signatures, all with the output `embedding`, float32 [N, D]:

    - `serving_default`: `image_bytes`, string [N], each an encoded PNG or
      JPEG of any size;
    - `encode_images`: `images`, float32 [N, H, W, C], values 0..255, of any
      one size;
    - `encode_uint8`: `images`, uint8 [N, H, W, C], of any one size.

    Those of a `tf_scl.Classifier` also answer with `label`, string [N], and
    `score`, float32 [N, classes] in the order of its classes; and there are

    - `classify`, the same as `serving_default`;
    - `classify_examples`, for TF Serving's Classify API: `tf.train.Example`s
      with the feature `image/encoded`, answered by all classes and their
      scores, the best first.

    Images are brought to the encoder's size: the central square, resized. A
    bad image makes its request fail with InvalidArgument and its index; an
    empty batch gives [0, D]; a huge one goes through the network in parts.
    With `quantize` they answer with a `code` too, which takes a quarter or a 32nd of the
    embedding's bytes: `tf_scl.serving.codes.Quantizer` says of what.

    The model loads with tensorflow alone, and TF Serving warms it up
    (`assets.extra/tf_serving_warmup_requests`). The folder appears complete
    or not at all.

    Args:
        model: Functional or Sequential `keras.Model` with input [N, S, S, C],
            S and C known; a model of tf_scl around one, whose encoder is
            exported; or a `tf_scl.Classifier`.
        path: Folder to write. It must not exist.
        metadata: JSON-able dict for `assets.extra/tf_scl.json`, beside
            "image_size", "channels", "dimension", "weights" and "max_pixels"
            (of a classifier also "classes", "abstain_below"; with `reference`
            also "duplicate_cosine", "reference_images" and how many pairs of these are at
            that cosine or above, "reference_pairs_above"; with `quantize` also that and
            "levels"); or None.
        projector: Whether the model's projector is served too.
        weights: "float32"; or "bfloat16", half the size on disk and in
            memory, computed with in float32 after a conversion at each
            request.
        max_pixels: Int, encoded images with more are refused from their
            header. Four at once are decoded, with up to 12 bytes a pixel.
        abstain_below: Float 0..1, of a classifier: the label is "" where no
            score reaches it.
        reference: Images [N, H, W, C], values 0..255, N >= 20, that the
            encoder was not trained on. The embeddings of the first 1,000 are
            kept in the SavedModel, for `tf-scl drift` and
            `tf-scl duplicates`; or None.
        quantize: "none"; "int8" for a byte of each number; or "binary" for a
            bit. The levels are those that suit the reference.

    Raises:
        InputError: An encoder whose input has no fixed square size or that
            gives no vectors, one whose SavedModel would compute something
            else or only run in this process, or an argument that is not as
            above.
        FileExistsError: `path` exists.
    """
    network = inference_model(model, projector)
    head = model.served_head() if hasattr(model, "served_head") else None
    abstain_below = validation.number("abstain_below", abstain_below, high=1)
    if abstain_below and head is None:
        raise InputError(
            f"`abstain_below={abstain_below}` has no effect on an encoder, which gives no labels; "
            "export a tf_scl.Classifier, or leave it out"
        )
    max_pixels = validation.whole_number("max_pixels", max_pixels)
    path = os.fspath(path).rstrip("/")
    if tf.io.gfile.exists(path):
        raise FileExistsError(f"{path} exists already; export to a new folder")
    _, size, _, channels = network.input_shape
    if channels not in (1, 3):
        raise InputError(
            "to be served an encoder must take images of 1 or 3 channels, which are what PNG and "
            f"JPEG files hold. Received: {channels} channels; tf_scl.export_onnx takes any number"
        )
    dimension = network.output_shape[-1]
    kept = None if reference is None else check_reference(reference, channels)
    if validation.one_of("quantize", quantize, KINDS) != NONE and kept is None:
        raise InputError(
            f"`quantize={quantize!r}` needs `reference`, images that say how large the numbers of "
            "an embedding are. Received: reference=None"
        )

    def make(
        stored: ExportedWeights, encode: Callable[[tf.Tensor], tf.Tensor] | None = None
    ) -> dict[str, Callable[..., dict[str, tf.Tensor]]]:
        score = head and head.stored(stored.module)
        served = signatures(
            stored.bind, size, channels, dimension, max_pixels, score, abstain_below, encode
        )
        _refuse_python(network, served[FLOATS])
        return served

    def run(served: dict[str, Callable[..., dict[str, tf.Tensor]]], images: Array) -> tf.Tensor:
        answer = served[FLOATS](images)
        if head is not None:
            head.refuse_others(answer[OUTPUT], answer[SCORE])
        return answer[OUTPUT]

    stored, served = agreeing_export(network, weights, make, run)
    facts = {
        "image_size": size,
        "channels": channels,
        "dimension": dimension,
        "weights": weights,
        "max_pixels": max_pixels,
    }
    if head is not None:
        facts |= {"classes": list(head.classes), "abstain_below": abstain_below}
    if kept is not None:
        answer = served[FLOATS]

        def embed(images: Any) -> tf.Tensor:
            return answer(tf.constant(images))[OUTPUT]

        embeddings = embed(kept).numpy()
        _require_finite(embeddings)
        cosine = duplicate_cosine(embed, kept, embeddings, size)
        facts |= {
            "duplicate_cosine": cosine,
            "reference_images": len(embeddings),
            "reference_pairs_above": count_pairs(embeddings, cosine),
        }
        if quantize != NONE:
            quantizer = calibrated(quantize, embeddings)
            facts |= {"quantize": quantize, "levels": quantizer.levels.tolist()}
            served = make(stored, quantizer.encode)
    _require_own_keys(metadata or {}, facts)
    with atomic_write(path, overwrite=False) as partial:
        with reported(network):
            tf.saved_model.save(stored.module, partial, served)
        if head is not None:
            _name_classify_method(partial)
        tf.io.gfile.makedirs(os.path.join(partial, os.path.dirname(METADATA_FILE)))
        with tf.io.gfile.GFile(os.path.join(partial, METADATA_FILE), "w") as file:
            file.write(json.dumps({**facts, **(metadata or {})}, indent=2))
        if kept is not None:
            write_file(os.path.join(partial, REFERENCE_FILE), reference_bytes(embeddings))
        write_warmup_requests(os.path.join(partial, WARMUP_FILE), size, channels, served)


def _require_finite(embeddings: Array) -> None:
    wrong = np.flatnonzero(~np.isfinite(embeddings).all(axis=1))
    if len(wrong):
        raise InputError(
            f"the embedding of `reference[{wrong[0]}]` is not finite (so are {len(wrong)} of "
            f"{len(embeddings)}): leave these images out, or train an encoder that can embed them"
        )


def _require_own_keys(metadata: dict[str, Any], facts: dict[str, Any]) -> None:
    taken = sorted(metadata.keys() & facts.keys())
    if taken:
        raise InputError(
            f"`metadata` cannot say {', '.join(taken)}: the export notes that itself. Leave it "
            "out, or give it another name"
        )


def _name_classify_method(path: str) -> None:
    """Tells TF Serving which signature its Classify API asks; TensorFlow 2 calls all "predict"."""
    file = os.path.join(path, "saved_model.pb")
    saved = saved_model_pb2.SavedModel()
    with tf.io.gfile.GFile(file, "rb") as found:
        saved.ParseFromString(found.read())
    for graph in saved.meta_graphs:
        graph.signature_def[CLASSIFY_EXAMPLES].method_name = CLASSIFY_METHOD
    with tf.io.gfile.GFile(file, "wb") as changed:
        changed.write(saved.SerializeToString(deterministic=True))


def _refuse_python(network: keras.Model, function: Any) -> None:
    """A graph that calls Python runs in this process alone."""
    graph = function.get_concrete_function().graph.as_graph_def()
    nodes = [*graph.node, *(node for made in graph.library.function for node in made.node_def)]
    calls = sorted({node.op for node in nodes if node.op in _PYTHON})
    if calls:
        raise InputError(
            f"the encoder {network.name!r} cannot be exported: it calls Python ({calls[0]}: "
            "tf.py_function or tf.numpy_function), which a SavedModel cannot hold; write it with "
            "TensorFlow or Keras operations"
        )


def read_metadata(path: str) -> dict[str, Any]:
    """What `export_saved_model` noted of a SavedModel, a dict."""
    with tf.io.gfile.GFile(os.path.join(path, METADATA_FILE)) as file:
        return json.load(file)
