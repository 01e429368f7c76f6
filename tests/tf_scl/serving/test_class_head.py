import numpy as np
import tensorflow as tf
from scipy.special import softmax

from tf_scl.data.features import encode_image
from tf_scl.serving.class_head import (
    ClassHead,
    classification,
    images_of_examples,
    label_and_score,
)

_CLASSES = tf.constant(["a", "b", "ü"])
_SCORES = tf.constant([[0.2, 0.5, 0.3], [0.1, 0.1, 0.8]])


def test_scores_are_the_softmax_and_variables_go_with_the_module():
    rng = np.random.default_rng(0)
    kernel, bias, embedding = (rng.normal(size=s).astype("float32") for s in ((4, 3), 3, (5, 4)))
    module = tf.Module()
    classes, scores = ClassHead(kernel, bias, ("a", "b", "ü")).stored(module)(embedding)
    np.testing.assert_allclose(scores, softmax(embedding @ kernel + bias, axis=1), rtol=1e-5)
    assert [name.decode() for name in classes.numpy()] == ["a", "b", "ü"]
    assert len(module.variables) == 2


def test_the_label_is_that_of_the_best_score_or_none():
    found = label_and_score(_CLASSES, _SCORES, 0.0)
    assert [label.decode() for label in found["label"].numpy()] == ["b", "ü"]
    assert found["score"] is _SCORES
    assert label_and_score(_CLASSES, _SCORES, 0.6)["label"].numpy().tolist() == [b"", "ü".encode()]
    assert label_and_score(_CLASSES, _SCORES[:0], 0.6)["label"].shape == [0]


def test_classifications_begin_with_the_best():
    found = classification(_CLASSES, _SCORES)
    assert found["classes"].numpy().tolist() == [
        [b"b", "ü".encode(), b"a"],
        ["ü".encode(), b"a", b"b"],
    ]
    np.testing.assert_allclose(found["scores"], [[0.5, 0.3, 0.2], [0.8, 0.1, 0.1]])


def test_examples_without_an_image_are_empty():
    other = tf.train.Example().SerializeToString()
    assert images_of_examples([encode_image(b"png"), other]).numpy().tolist() == [b"png", b""]
