"""The signatures of a served encoder, in TensorFlow operations alone."""

from collections.abc import Callable

import tensorflow as tf

from tf_scl.images import pixel_range
from tf_scl.images.decode import fit_to_square
from tf_scl.serving.class_head import (
    CLASSIFY_INPUTS,
    classification,
    images_of_examples,
    label_and_score,
)
from tf_scl.serving.codes import CODE
from tf_scl.serving.decoding import decode_or_raise

BYTES, FLOATS, INTEGERS = "serving_default", "encode_images", "encode_uint8"
CLASSIFY, CLASSIFY_EXAMPLES = "classify", "classify_examples"
OUTPUT = "embedding"

# A request goes through the network in parts of so many images, so that one of 10,000
# takes no more memory than one of 256, but for its inputs and outputs.
_MOST_AT_ONCE, _FEWEST_AT_ONCE, _PIXELS_AT_ONCE = 256, 32, 2**20


def signatures(
    bind: Callable[[], Callable[[tf.Tensor], tf.Tensor]],
    size: int,
    channels: int,
    dimension: int,
    max_pixels: int,
    score: Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]] | None = None,
    abstain_below: float = 0.0,
    encode: Callable[[tf.Tensor], tf.Tensor] | None = None,
) -> dict[str, Callable[..., dict[str, tf.Tensor]]]:
    """The functions that `tf.saved_model.save` takes as `signatures`.

    Every one answers with {"embedding": float32 [N, D]}; with [0, D] where N
    is 0. One bad image makes its request fail, by an InvalidArgument error
    with its index in the request. A classifier's answer with a "label" and a
    "score" too, and there are two more: "classify", which is the default one,
    and "classify_examples" for TF Serving's Classify API.

    Args:
        bind: Called once by each signature as it is traced, outside its loop;
            gives a function from float32 [n, S, S, C] to float32 [n, D].
        size: Int S.
        channels: Int C, 1 or 3.
        dimension: Int D.
        max_pixels: Int, encoded images with more are refused.
        score: Of a classifier, function from embeddings [N, D] to (classes, scores), string
            [C] and float32 [N, C]; or None.
        abstain_below: Float, the label is "" where no score reaches it.
        encode: Function from embeddings [N, D] to codes [N, ...], which are answered as
            "code"; or None.

    Returns:
        Dict from the name of a signature to a `tf.function`.
    """
    pixels_at_once = _PIXELS_AT_ONCE // size**2
    at_once = min(_MOST_AT_ONCE, max(_FEWEST_AT_ONCE, pixels_at_once))

    def embedding(
        rows: tf.Tensor, prepare: Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
    ) -> tf.Tensor:
        network = bind()

        def embed(part: tf.Tensor, first: tf.Tensor) -> tf.Tensor:
            return network(prepare(part, first))

        return _in_parts(rows, at_once, dimension, embed)

    def served(
        spec: tf.TensorSpec, prepare: Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
    ) -> Callable[..., dict[str, tf.Tensor]]:
        def serve(rows: tf.Tensor) -> dict[str, tf.Tensor]:
            embedded = embedding(tf.ensure_shape(rows, spec.shape), prepare)
            scored = {} if score is None else label_and_score(*score(embedded), abstain_below)
            coded = {} if encode is None else {CODE: encode(embedded)}
            return {OUTPUT: embedded, **coded, **scored}

        return tf.function(serve, input_signature=[spec])

    def from_bytes(part: tf.Tensor, first: tf.Tensor) -> tf.Tensor:
        return decode_or_raise(part, first, size, channels, max_pixels)

    def from_floats(part: tf.Tensor, first: tf.Tensor) -> tf.Tensor:
        checks = [_some_pixels(part), _values_in_range(part, first), _not_scaled(part)]
        with tf.control_dependencies(checks):
            return fit_to_square(part, size)

    def from_integers(part: tf.Tensor, first: tf.Tensor) -> tf.Tensor:
        with tf.control_dependencies([_some_pixels(part)]):
            return tf.round(fit_to_square(part, size))

    shape = [None, None, None, channels]
    made = {
        BYTES: served(tf.TensorSpec([None], tf.string, "image_bytes"), from_bytes),
        FLOATS: served(tf.TensorSpec(shape, tf.float32, "images"), from_floats),
        INTEGERS: served(tf.TensorSpec(shape, tf.uint8, "images"), from_integers),
    }
    if score is None:
        return made

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, CLASSIFY_INPUTS)])
    def classify_examples(serialized: tf.Tensor) -> dict[str, tf.Tensor]:
        return classification(*score(embedding(images_of_examples(serialized), from_bytes)))

    return {**made, CLASSIFY: made[BYTES], CLASSIFY_EXAMPLES: classify_examples}


def _in_parts(
    rows: tf.Tensor,
    at_once: int,
    dimension: int,
    embed: Callable[[tf.Tensor, tf.Tensor], tf.Tensor],
) -> tf.Tensor:
    """`embed(rows[first : first + at_once], first)` for all rows, one after the other."""

    def next_part(first: tf.Tensor, embedded: tf.TensorArray) -> tuple[tf.Tensor, tf.TensorArray]:
        part = embed(rows[first : first + at_once], first)
        return first + at_once, embedded.write(embedded.size(), part)

    embedded = tf.TensorArray(
        tf.float32, 0, dynamic_size=True, infer_shape=False, element_shape=[None, dimension]
    )
    count = tf.shape(rows)[0]
    _, embedded = tf.while_loop(
        lambda first, _: first < count, next_part, (0, embedded), parallel_iterations=1
    )
    return tf.ensure_shape(embedded.concat(), [None, dimension])


def _some_pixels(images: tf.Tensor) -> tf.Operation:
    height, width = tf.shape(images)[1], tf.shape(images)[2]
    message = tf.strings.format("images of {} x {} pixels hold nothing", (width, height))
    return tf.debugging.Assert((height > 0) & (width > 0), [message])


def _not_scaled(images: tf.Tensor) -> tf.Operation:
    scaled = pixel_range.are_scaled_bytes(images)
    message = f"images were scaled: {pixel_range.ALLOWED}; {pixel_range.REMEDIES}"
    return tf.debugging.Assert(~scaled, [message])


def _values_in_range(images: tf.Tensor, first: tf.Tensor) -> tf.Operation:
    """Room is left for what resizing overshoots, not for 16-bit values."""
    right = tf.reduce_all(tf.abs(images - 127.5) <= 3 * 127.5, axis=[1, 2, 3])
    message = tf.strings.format(
        "images[{}] holds NaN, infinity or values far from 0..255",
        first + tf.argmin(tf.cast(right, tf.int32), output_type=tf.int32),
    )
    return tf.debugging.Assert(tf.reduce_all(right), [message])
