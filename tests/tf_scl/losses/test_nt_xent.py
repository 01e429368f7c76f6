import numpy as np
import pytest
import tensorflow as tf

import tf_scl
from tests import reference
from tf_scl.losses import nt_xent


def _pair(n, d, seed=0):
    return np.random.default_rng(seed).normal(size=(2, n, d))


def _loss(z1, z2, **options):
    terms = nt_xent.replica_terms(z1, z2, **options)
    return terms["attraction"] + terms["repulsion"]


@pytest.mark.parametrize("temperature", [0.1, 0.5, 2.0])
@pytest.mark.parametrize("n,d", [(1, 3), (2, 3), (7, 4)])
def test_equals_equation_1(n, d, temperature):
    z1, z2 = _pair(n, d)
    expected = reference.nt_xent(z1, z2, temperature)
    np.testing.assert_allclose(
        _loss(z1, z2, temperature=temperature), expected, rtol=1e-10, atol=1e-12
    )
    single = _loss(z1.astype("float32"), z2.astype("float32"), temperature=temperature)
    assert single.dtype == tf.float32
    np.testing.assert_allclose(single, expected, rtol=1e-5, atol=1e-6)


def test_equal_embeddings_are_a_guess_among_all_others():
    ones = tf.ones([8, 3])
    np.testing.assert_allclose(_loss(ones, ones), np.log(15.0), rtol=1e-6)


def test_gradient_equals_finite_differences():
    z1, z2 = (tf.constant(z) for z in _pair(5, 3))
    with tf.GradientTape() as tape:
        tape.watch([z1, z2])
        loss = _loss(z1, z2, temperature=0.3)
    for index, gradient in enumerate(tape.gradient(loss, [z1, z2])):

        def moved(z, index=index):
            return reference.nt_xent(*((z, z2) if index == 0 else (z1, z)), 0.3)

        expected = reference.numeric_gradient(moved, (z1, z2)[index].numpy())
        np.testing.assert_allclose(gradient, expected, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("norm", [1e-20, 1e-7, 1e5, 1e10, 1e13, 1e19, 1e25, 1e30])
def test_only_directions_count_at_any_norm(norm):
    """In float32, value and gradient beside those of unit rows in float64."""
    z1, z2 = (z / np.linalg.norm(z, axis=1, keepdims=True) for z in _pair(5, 3))
    truth, expected = _loss_and_gradients(z1, z2)
    scaled = [(norm * z).astype("float32") for z in (z1, z2)]
    loss, gradients = _loss_and_gradients(*scaled)
    np.testing.assert_allclose(loss, truth, rtol=1e-5)
    for found, gradient in zip(gradients, expected, strict=True):
        found = norm * np.float64(found)
        np.testing.assert_allclose(found, gradient, rtol=1e-4, atol=1e-5 * np.abs(gradient).max())


def _loss_and_gradients(z1, z2):
    z1, z2 = tf.constant(z1), tf.constant(z2)
    with tf.GradientTape() as tape:
        tape.watch([z1, z2])
        loss = _loss(z1, z2, temperature=0.3)
    return float(loss), tape.gradient(loss, [z1, z2])


def test_rows_of_zeros_have_a_finite_loss_and_gradient():
    zeros = np.zeros((4, 3), np.float32)
    loss, gradients = _loss_and_gradients(zeros, zeros)
    np.testing.assert_allclose(loss, np.log(7.0), rtol=1e-6)
    np.testing.assert_array_equal(gradients[0], zeros)


@pytest.mark.parametrize("value", [np.inf, np.nan])
def test_a_row_that_diverged_is_told(value):
    z1, z2 = _pair(5, 3)
    z1[2, 1] = value
    assert np.isnan(_loss(z1, z2))


@pytest.mark.parametrize("negatives", ["global", "replica"])
def test_shares_of_replicas_add_up(two_replicas, negatives):
    """Different data, and different counts, on each replica; loss and gradient."""
    z1, z2 = _pair(10, 3)
    cut = [slice(0, 4), slice(4, 10)]

    def share():
        context = tf.distribute.get_replica_context()
        first = context.replica_id_in_sync_group == 0
        start, size = tf.where(first, 0, 4), tf.where(first, 4, 6)
        a, b = (tf.reshape(tf.constant(z)[start : start + size], [-1, 3]) for z in (z1, z2))
        with tf.GradientTape() as tape:
            tape.watch([a, b])
            loss = _loss(a, b, temperature=0.3, negatives=negatives, context=context)
        return loss, tape.gradient(loss, [a, b])

    def expected(z1, z2):
        if negatives == "global":
            return reference.nt_xent(z1, z2, 0.3)
        return sum(reference.nt_xent(z1[rows], z2[rows], 0.3) for rows in cut) / 2

    losses, gradients = tf.function(lambda: two_replicas.run(share))()
    total = sum(two_replicas.experimental_local_results(losses))
    np.testing.assert_allclose(total, expected(z1, z2), rtol=1e-9)
    whole = [
        reference.numeric_gradient(lambda z: expected(z, z2), z1),
        reference.numeric_gradient(lambda z: expected(z1, z), z2),
    ]
    for truth, parts in zip(whole, gradients, strict=True):
        found = np.concatenate(two_replicas.experimental_local_results(parts))
        np.testing.assert_allclose(found, truth, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize(
    "shape,options,message",
    [
        ((3, 2), {"temperature": 0}, "temperature=0"),
        ((3, 2), {"temperature": float("inf")}, "a positive number.*temperature=inf"),
        ((3, 2), {"temperature": "1"}, "temperature='1'"),
        ((3, 2), {"negatives": "all"}, "'all'"),
        ((3, 4), {}, r"\(3, 2\) and \(3, 4\)"),
    ],
)
def test_bad_arguments_are_named(shape, options, message):
    with pytest.raises(tf_scl.InputError, match=message):
        nt_xent.replica_terms(tf.ones([3, 2]), tf.ones(shape), **options)
