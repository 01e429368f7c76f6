"""mu="auto": rows at the squared norm at which a batch has the least loss."""

import numpy as np
import pytest
import tensorflow as tf

import tf_scl
from tests import reference
from tf_scl.losses import spectral


def _pair(n, d, seed=0, noise=0.7):
    """Two views of n images, float64, rows of many norms."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(n, d))
    views = np.stack([z, z + noise * rng.normal(size=(n, d))])
    return views * 10.0 ** rng.uniform(-2, 2, (2, n, 1))


def _unit(z):
    norms = np.linalg.norm(z, axis=1, keepdims=True)
    return z / np.where(norms > 0, norms, 1)


def _cosine_and_squared(z1, z2):
    """a = mean u.u' of pairs, r = mean (u.u')^2 of all others, as loops."""
    gram = _unit(z1) @ _unit(z2).T
    n = len(gram)
    others = [gram[i, j] ** 2 for i in range(n) for j in range(n) if i != j]
    return np.mean(np.diag(gram)), np.mean(others)


def _least_loss(z1, z2):
    """The least loss of the same directions at any common norm, by trying norms."""
    best = 0.0
    for exponent in np.linspace(-8, 8, 3001):
        root = np.exp(exponent / 2)
        loss = reference_loss(root * _unit(z1), root * _unit(z2))
        best = min(best, loss)
    return best


def reference_loss(z1, z2):
    gram = z1 @ z2.T
    n, own = len(gram), np.diag(gram)
    return -2 * own.mean() + (np.sum(gram**2) - np.sum(own**2)) / (n * (n - 1))


def _terms_and_gradients(z1, z2, **options):
    z1, z2 = tf.convert_to_tensor(z1), tf.convert_to_tensor(z2)
    with tf.GradientTape() as tape:
        tape.watch([z1, z2])
        terms = spectral.replica_terms(z1, z2, "auto", **options)
        loss = terms["attraction"] + terms["repulsion"]
    return terms, tape.gradient(loss, [z1, z2])


@pytest.mark.parametrize("form", ["sample", "moment", "auto"])
@pytest.mark.parametrize("n,d", [(7, 3), (6, 16)])
def test_mu_is_the_squared_norm_of_the_least_loss(form, n, d):
    z1, z2 = _pair(n, d)
    cosine, squared = _cosine_and_squared(z1, z2)
    assert 0 < cosine / squared < d
    terms, _ = _terms_and_gradients(z1, z2, form=form)
    np.testing.assert_allclose(terms["mu"], cosine / squared, rtol=1e-10)
    np.testing.assert_allclose(terms["scaled_loss"], -(cosine**2) / squared, rtol=1e-10)
    np.testing.assert_allclose(terms["scaled_loss"], _least_loss(z1, z2), rtol=1e-4)
    loss = tf_scl.spectral_contrastive_loss(z1, z2, "auto", form)
    np.testing.assert_allclose(loss, -cosine, rtol=1e-10)
    # It is the loss with that number as mu, since all rows are longer or brought to it.
    root = np.sqrt(cosine / squared)
    fixed = reference.spectral_contrastive_loss(2 * root * _unit(z1), 2 * root * _unit(z2), root**2)
    np.testing.assert_allclose(loss, fixed, rtol=1e-10)


@pytest.mark.parametrize("form", ["sample", "moment", "auto"])
@pytest.mark.parametrize("n,d", [(7, 3), (6, 16)])
def test_mu_times_the_gradient_is_that_of_the_least_loss(form, n, d):
    """The envelope theorem: mu need not be differentiated."""
    z1, z2 = _pair(n, d)
    rows = np.linalg.norm(z1, axis=1, keepdims=True)
    z1 = z1 / rows  # finite differences want rows of about one norm
    z2 = z2 / np.linalg.norm(z2, axis=1, keepdims=True)

    def least(z1, z2):
        cosine, squared = _cosine_and_squared(z1, z2)
        return -(cosine**2) / squared

    terms, gradients = _terms_and_gradients(z1, z2, form=form)
    expected = [
        reference.numeric_gradient(lambda z: least(z, z2), z1),
        reference.numeric_gradient(lambda z: least(z1, z), z2),
    ]
    for found, truth in zip(gradients, expected, strict=True):
        np.testing.assert_allclose(terms["mu"] * found, truth, rtol=1e-6, atol=1e-8)
    # It has no radial part, and longer rows have shorter gradients.
    np.testing.assert_allclose(np.sum(gradients[0] * z1, axis=1), 0, atol=1e-12)
    _, longer = _terms_and_gradients(5.0 * rows * z1, z2, form=form)
    np.testing.assert_allclose(5.0 * rows * longer[0], gradients[0], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("form", ["sample", "moment"])
@pytest.mark.parametrize("dtype", [tf.float32, tf.bfloat16])
def test_sums_are_taken_in_float32_and_norms_do_not_matter(form, dtype):
    z1, z2 = (tf.cast(z, dtype) for z in _pair(64, 8))
    cosine, squared = _cosine_and_squared(*(tf.cast(z, tf.float64).numpy() for z in (z1, z2)))
    terms, gradients = _terms_and_gradients(z1, z2, form=form)
    assert terms["mu"].dtype == tf.float32 and gradients[0].dtype == dtype
    np.testing.assert_allclose(terms["mu"], cosine / squared, rtol=1e-5)
    np.testing.assert_allclose(terms["attraction"], -2 * cosine, rtol=1e-5)


@pytest.mark.parametrize("form", ["sample", "moment"])
def test_rows_of_zeros_have_no_part_and_no_gradient(form):
    z1, z2 = _pair(6, 4)
    z1[2] = 0
    terms, gradients = _terms_and_gradients(z1, z2, form=form)
    cosine, squared = _cosine_and_squared(z1, z2)
    np.testing.assert_allclose(terms["mu"], cosine / squared, rtol=1e-10)
    assert np.isfinite(gradients[0]).all() and not np.any(gradients[0][2])
    nothing, gradients = _terms_and_gradients(0 * z1, 0 * z2, form=form)
    assert {float(value) for value in nothing.values()} == {0.0}
    assert not np.any(gradients)


@pytest.mark.parametrize("form", ["sample", "moment"])
def test_views_that_point_away_from_each_other_are_drawn_together_only(form):
    z, _ = _pair(6, 4)
    terms, gradients = _terms_and_gradients(z, -z, form=form)
    assert float(terms["mu"]) == float(terms["repulsion"]) == float(terms["scaled_loss"]) == 0
    np.testing.assert_allclose(terms["attraction"], 2.0)
    assert np.isfinite(gradients[0]).all()


@pytest.mark.parametrize("form", ["sample", "moment"])
@pytest.mark.parametrize("seed", range(4))
def test_rows_that_are_all_orthogonal_do_not_make_mu_endless(form, seed):
    """r is then rounding, of either sign: mu is d at most, and no gradient is large."""
    q = np.linalg.qr(np.random.default_rng(seed).normal(size=(64, 64)))[0]
    rows = q[:8].astype(np.float32)
    terms, gradients = _terms_and_gradients(rows, rows, form=form)
    assert float(terms["mu"]) == pytest.approx(64, rel=1e-5)
    assert np.abs(gradients[0]).max() < 1e-3


@pytest.mark.parametrize("form", ["sample", "moment"])
@pytest.mark.parametrize("value", [np.inf, np.nan])
def test_a_row_that_diverged_is_told(form, value):
    z1, z2 = _pair(6, 4)
    z1[2, 1] = value
    assert np.isnan(tf_scl.spectral_contrastive_loss(z1, z2, "auto", form))


@pytest.mark.parametrize("form", ["auto", "moment", "sample"])
@pytest.mark.parametrize("negatives", ["global", "replica"])
def test_replicas_of_unequal_shares(two_replicas, form, negatives):
    """4 and 6 rows: one mu of all, or one of each and its mean; loss and gradient."""
    z1, z2 = _pair(10, 3, noise=0.3)
    cut = [slice(0, 4), slice(4, 10)]

    def share():
        context = tf.distribute.get_replica_context()
        first = context.replica_id_in_sync_group == 0
        rows, size = tf.where(first, 0, 4), tf.where(first, 4, 6)
        a, b = (tf.reshape(tf.constant(z)[rows : rows + size], [-1, 3]) for z in (z1, z2))
        return _terms_and_gradients(a, b, form=form, negatives=negatives, context=context)

    parts = two_replicas.experimental_local_results
    terms, gradients = tf.function(lambda: two_replicas.run(share))()
    found = {name: sum(parts(values)) for name, values in terms.items()}
    whole = [np.concatenate(parts(gradient)) for gradient in gradients]
    if negatives == "global":
        expected, truth = _terms_and_gradients(z1, z2)
    else:
        both = [_terms_and_gradients(z1[rows], z2[rows]) for rows in cut]
        expected = {name: (both[0][0][name] + both[1][0][name]) / 2 for name in found}
        truth = [np.concatenate([one[1][view] for one in both]) / 2 for view in (0, 1)]
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-9)
    for one, two in zip(whole, truth, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-8, atol=1e-12)


def test_a_last_batch_of_one_image_has_no_repulsion():
    @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float64)] * 2)
    def loss(z1, z2):
        return spectral.spectral_contrastive_loss(z1, z2, "auto")

    assert float(loss(np.ones([1, 2]), np.ones([1, 2]))) == pytest.approx(-2.0)
