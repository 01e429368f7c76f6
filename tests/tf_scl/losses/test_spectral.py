import numpy as np
import pytest
import tensorflow as tf

import tf_scl
from tests import reference
from tf_scl.losses import spectral


def _pair(n, d, seed=0, scale=1.0):
    rng = np.random.default_rng(seed)
    return (scale * rng.normal(size=(2, n, d))).astype(np.float32)


@pytest.mark.parametrize("form", ["sample", "moment", "auto"])
@pytest.mark.parametrize("mu", [None, 0.5, 1.0, 10.0])
@pytest.mark.parametrize("n,d", [(2, 3), (7, 3), (5, 16), (16, 16)])
def test_equals_the_double_loop(form, mu, n, d):
    z1, z2 = _pair(n, d)
    loss = tf_scl.spectral_contrastive_loss(z1, z2, mu=mu, form=form)
    assert loss.dtype == tf.float32
    np.testing.assert_allclose(loss, reference.spectral_contrastive_loss(z1, z2, mu), rtol=2e-5)


@pytest.mark.parametrize("form", ["sample", "moment"])
@pytest.mark.parametrize("mu", [None, 2.0])
def test_gradient_equals_finite_differences(form, mu):
    z1, z2 = _pair(6, 4)
    variable = tf.Variable(z1)
    with tf.GradientTape() as tape:
        loss = tf_scl.spectral_contrastive_loss(variable, z2, mu=mu, form=form)
    expected = reference.numeric_gradient(
        lambda z: reference.spectral_contrastive_loss(z, z2, mu), z1
    )
    np.testing.assert_allclose(tape.gradient(loss, variable), expected, rtol=1e-4, atol=1e-5)


def test_hand_numbers():
    identity = np.eye(4, dtype=np.float32)
    # Every pair aligned, all others orthogonal: -2 * 1 + 0.
    assert float(tf_scl.spectral_contrastive_loss(identity, identity)) == pytest.approx(-2.0)
    # All embeddings equal, of norm 1: -2 * 1 + 1.
    same = np.tile(np.eye(1, 4, dtype=np.float32), (5, 1))
    assert float(tf_scl.spectral_contrastive_loss(same, same)) == pytest.approx(-1.0)


def test_minimum_over_a_one_dimensional_embedding():
    # With z_i = c for all i the loss is -2 c^2 + c^4, least at c = 1.
    losses = {
        c: float(tf_scl.spectral_contrastive_loss(*[tf.fill([3, 1], c)] * 2))
        for c in (0.9, 1.0, 1.1)
    }
    assert min(losses, key=losses.get) == 1.0


def test_bfloat16_embeddings_are_summed_in_float32():
    z1, z2 = (tf.cast(z, tf.bfloat16) for z in _pair(512, 8))
    expected = reference.spectral_contrastive_loss(
        *(tf.cast(z[:64], tf.float32).numpy() for z in (z1, z2))
    )
    loss = tf_scl.spectral_contrastive_loss(z1[:64], z2[:64])
    np.testing.assert_allclose(loss, expected, rtol=1e-5)


def test_clip_norm_leaves_short_and_zero_rows_alone():
    z = np.array([[0.0, 0.0], [0.3, 0.4], [3.0, 4.0]], np.float32)
    np.testing.assert_allclose(
        spectral.clip_norm(z, 1.0), [[0, 0], [0.3, 0.4], [0.6, 0.8]], rtol=1e-6
    )


def test_zero_rows_have_a_finite_gradient():
    zeros = tf.Variable(tf.zeros([3, 2]))
    with tf.GradientTape() as tape:
        loss = tf_scl.spectral_contrastive_loss(zeros, tf.ones([3, 2]), mu=1.0)
    assert np.isfinite(tape.gradient(loss, zeros)).all()


def test_shares_of_replicas_add_up_to_the_global_loss(two_replicas):
    """Different data, and different counts, on each replica; loss and gradient."""
    z1, z2 = _pair(10, 3)
    cut = [slice(0, 4), slice(4, 10)]

    def share():
        context = tf.distribute.get_replica_context()
        rows = tf.where(context.replica_id_in_sync_group == 0, 0, 4)
        size = tf.where(context.replica_id_in_sync_group == 0, 4, 6)
        a, b = (tf.reshape(tf.constant(z)[rows : rows + size], [-1, 3]) for z in (z1, z2))
        with tf.GradientTape() as tape:
            tape.watch([a, b])
            terms = spectral.replica_terms(a, b, mu=2.0, context=context)
            loss = terms["attraction"] + terms["repulsion"]
        return loss, tape.gradient(loss, [a, b])

    losses, gradients = tf.function(lambda: two_replicas.run(share))()
    total = sum(two_replicas.experimental_local_results(losses))
    np.testing.assert_allclose(total, reference.spectral_contrastive_loss(z1, z2, 2.0), rtol=1e-5)
    expected = reference.numeric_gradient(
        lambda z: reference.spectral_contrastive_loss(z, z2, 2.0), z1
    )
    for rows, gradient in zip(
        cut, two_replicas.experimental_local_results(gradients[0]), strict=True
    ):
        np.testing.assert_allclose(gradient, expected[rows], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "z1,z2,options,message",
    [
        ((3, 2), (4, 2), {}, r"\(3, 2\) and \(4, 2\)"),
        ((3,), (3,), {}, r"\[N, d\]"),
        ((1, 2), (1, 2), {}, "at least two pairs"),
        ((3, 2), (3, 2), {"mu": 0}, "mu=0"),
        ((3, 2), (3, 2), {"form": "gram"}, "form='gram'"),
    ],
)
def test_bad_arguments_are_named(z1, z2, options, message):
    with pytest.raises(tf_scl.InputError, match=message):
        tf_scl.spectral_contrastive_loss(tf.ones(z1), tf.ones(z2), **options)


@pytest.mark.parametrize("n,d", [(5, 16), (7, 3), (64, 3)])
def test_auto_chooses_in_the_step_where_the_batch_size_is_unknown(n, d):
    @tf.function(input_signature=[tf.TensorSpec([None, d])] * 2)
    def loss(z1, z2):
        return spectral.spectral_contrastive_loss(z1, z2)

    z1, z2 = _pair(n, d)
    np.testing.assert_allclose(loss(z1, z2), reference.spectral_contrastive_loss(z1, z2), rtol=2e-5)


def test_a_last_batch_of_one_image_has_no_repulsion():
    @tf.function(input_signature=[tf.TensorSpec([None, 2])] * 2)
    def loss(z1, z2):
        return spectral.spectral_contrastive_loss(z1, z2)

    assert float(loss(tf.ones([1, 2]), tf.ones([1, 2]))) == -4.0
