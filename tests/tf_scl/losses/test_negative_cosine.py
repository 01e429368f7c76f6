import numpy as np
import pytest
import tensorflow as tf

from tests import reference
from tf_scl.losses import negative_cosine


def _embeddings():
    return [tf.constant(x) for x in np.random.default_rng(0).normal(size=(4, 5, 3))]


def test_equals_the_formula():
    z1, p1, z2, p2 = _embeddings()
    loss = negative_cosine.replica_terms(z1, p1, z2, p2)["negative_cosine"]

    def cosine(a, b):
        return np.sum(a * b, 1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)

    a, b, c, d = (x.numpy() for x in (z1, p1, z2, p2))
    expected = np.mean(-cosine(b, c) / 2 - cosine(d, a) / 2)
    np.testing.assert_allclose(loss, expected, rtol=1e-12)


def test_equal_directions_are_minus_one():
    z = _embeddings()[0]
    loss = negative_cosine.replica_terms(z, 2 * z, 3 * z, 4 * z)["negative_cosine"]
    np.testing.assert_allclose(loss, -1.0, rtol=1e-12)


def test_no_gradient_reaches_the_projections():
    embeddings = _embeddings()
    with tf.GradientTape() as tape:
        tape.watch(embeddings)
        loss = negative_cosine.replica_terms(*embeddings)["negative_cosine"]
    of_z1, of_p1, of_z2, of_p2 = tape.gradient(loss, embeddings)
    assert of_z1 is None and of_z2 is None
    z1, _, z2, p2 = embeddings

    def moved(p):
        return float(negative_cosine.replica_terms(z1, tf.constant(p), z2, p2)["negative_cosine"])

    expected = reference.numeric_gradient(moved, embeddings[1].numpy())
    np.testing.assert_allclose(of_p1, expected, rtol=1e-6, atol=1e-9)
    assert np.abs(of_p2).max() > 0


@pytest.mark.parametrize("norm", [1e-20, 1e-7, 1e5, 1e10, 1e13, 1e19, 1e25, 1e30])
def test_only_directions_count_at_any_norm(norm):
    """In float32, value and gradient beside those of the embeddings in float64."""

    def loss_and_gradient(embeddings):
        embeddings = [tf.constant(z) for z in embeddings]
        with tf.GradientTape() as tape:
            tape.watch(embeddings)
            loss = negative_cosine.replica_terms(*embeddings)["negative_cosine"]
        return float(loss), np.float64(tape.gradient(loss, embeddings[1]))

    embeddings = [z.numpy() for z in _embeddings()]
    truth, expected = loss_and_gradient(embeddings)
    loss, gradient = loss_and_gradient([(norm * z).astype("float32") for z in embeddings])
    np.testing.assert_allclose(loss, truth, rtol=1e-5)
    np.testing.assert_allclose(norm * gradient, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("index", range(4))
@pytest.mark.parametrize("value", [np.inf, np.nan])
def test_a_row_that_diverged_is_told(index, value):
    embeddings = [z.numpy() for z in _embeddings()]
    embeddings[index][2, 1] = value
    assert np.isnan(negative_cosine.replica_terms(*embeddings)["negative_cosine"])
