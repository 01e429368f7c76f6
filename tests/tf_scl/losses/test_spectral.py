import pathlib

import numpy as np
import pytest
import tensorflow as tf

import tf_scl
from tests import reference
from tests.conftest import first_fast
from tf_scl.losses import spectral, spectral_forms


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


@pytest.mark.parametrize("form", ["sample", "moment", "auto"])
@pytest.mark.parametrize("mu", [None, 2.0, 4.0])
@pytest.mark.parametrize("dtype,tolerance", [("float32", 1e-5), ("float64", 1e-9)])
def test_gradient_equals_finite_differences(form, mu, dtype, tolerance):
    """Of both views; with mu = 4 some rows are clipped and some are not."""
    z1, z2 = (z.astype(dtype) for z in _pair(6, 4))
    gradients = _gradients(z1, z2, mu=mu, form=form)
    assert gradients[0].dtype == dtype
    norms = np.linalg.norm(z1, axis=1)
    if mu == 4.0:
        assert norms.min() < 2 < norms.max()
    expected = [
        reference.numeric_gradient(lambda z: reference.spectral_contrastive_loss(z, z2, mu), z1),
        reference.numeric_gradient(lambda z: reference.spectral_contrastive_loss(z1, z, mu), z2),
    ]
    np.testing.assert_allclose(gradients[0], expected[0], rtol=10 * tolerance, atol=tolerance)
    np.testing.assert_allclose(gradients[1], expected[1], rtol=10 * tolerance, atol=tolerance)


@pytest.mark.parametrize("mu", [None, 4.0])
@pytest.mark.parametrize("n", first_fast([13, 12, 17]))
def test_chunks_change_nothing(monkeypatch, mu, n):
    """13 and 17 rows leave a rest behind the chunks."""
    z1, z2 = (z.astype("float64") for z in _pair(n, 4))
    value = tf_scl.spectral_contrastive_loss(z1, z2, mu=mu, form="moment")
    whole = _gradients(z1, z2, mu=mu, form="moment")
    monkeypatch.setattr(spectral_forms, "_CHUNK", 12)
    assert spectral_forms._chunks(tf.constant(z1)) in (4, 5, 6)
    for jit in (False, True):
        loss = tf.function(spectral.spectral_contrastive_loss, jit_compile=jit)
        cut = loss(z1, z2, mu=mu, form="moment")
        np.testing.assert_allclose(cut, value, rtol=1e-12)
        gradients = tf.function(_gradients, jit_compile=jit)(z1, z2, mu=mu, form="moment")
        for one, two in zip(gradients, whole, strict=True):
            np.testing.assert_allclose(one, two, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("mu", [None, 1.0])
def test_the_weight_of_each_term_reaches_its_gradient(mu):
    """Attraction and repulsion can be weighted apart, as autodiff of the sums would."""
    z1, z2 = _pair(7, 3)

    def gradients(form, weight):
        a = tf.constant(z1)
        with tf.GradientTape() as tape:
            tape.watch(a)
            terms = spectral.replica_terms(a, z2, mu=mu, form=form)
            loss = terms["attraction"] + weight * terms["repulsion"]
        return tape.gradient(loss, a)

    np.testing.assert_allclose(
        gradients("moment", 3.0), gradients("sample", 3.0), rtol=1e-4, atol=1e-5
    )
    assert np.abs(gradients("sample", 3.0) - gradients("sample", 1.0)).max() > 1e-3


def _gradients(z1, z2, **options):
    z1, z2 = tf.convert_to_tensor(z1), tf.convert_to_tensor(z2)
    with tf.GradientTape() as tape:
        tape.watch([z1, z2])
        loss = spectral.spectral_contrastive_loss(z1, z2, **options)
    return tape.gradient(loss, [z1, z2])


def test_share_of_clipped_rows():
    z1 = np.array([[3.0, 4.0], [0.3, 0.4], [0.0, 0.0], [0.0, 2.0]], np.float32)
    z2 = np.array([[0.5, 0.0], [0.0, 0.9], [1.1, 0.0], [0.0, 0.0]], np.float32)
    for form in ("moment", "sample"):
        assert float(spectral.replica_terms(z1, z2, mu=1.0, form=form)["clipped"]) == 3 / 8
        assert float(spectral.replica_terms(z1, z2, form=form)["clipped"]) == 0.0


@pytest.mark.parametrize("n,d", [(512, 16), (100, 300)])
def test_forms_agree_with_float64_at_real_sizes(n, d):
    z1, z2 = _pair(n, d, scale=d**-0.5)
    inner = z1.astype(np.float64) @ z2.astype(np.float64).T
    own = np.diag(inner)
    expected = -2 * own.mean() + (np.sum(inner**2) - np.sum(own**2)) / (n * (n - 1))
    for form in ("moment", "sample"):
        loss = tf_scl.spectral_contrastive_loss(z1, z2, form=form)
        np.testing.assert_allclose(loss, expected, rtol=1e-5)


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


def test_zero_rows_have_a_finite_gradient():
    zeros = tf.Variable(tf.zeros([3, 2]))
    with tf.GradientTape() as tape:
        loss = tf_scl.spectral_contrastive_loss(zeros, tf.ones([3, 2]), mu=1.0)
    assert np.isfinite(tape.gradient(loss, zeros)).all()


@pytest.mark.parametrize("form", ["auto", "moment", "sample"])
@pytest.mark.parametrize("mu", [None, 2.0])
def test_shares_of_replicas_add_up_to_the_global_loss(two_replicas, form, mu):
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
            terms = spectral.replica_terms(a, b, mu=mu, form=form, context=context)
            loss = terms["attraction"] + terms["repulsion"]
        return loss, tape.gradient(loss, [a, b])

    losses, gradients = tf.function(lambda: two_replicas.run(share))()
    total = sum(two_replicas.experimental_local_results(losses))
    np.testing.assert_allclose(total, reference.spectral_contrastive_loss(z1, z2, mu), rtol=1e-5)
    expected = [
        reference.numeric_gradient(lambda z: reference.spectral_contrastive_loss(z, z2, mu), z1),
        reference.numeric_gradient(lambda z: reference.spectral_contrastive_loss(z1, z, mu), z2),
    ]
    for whole, parts in zip(expected, gradients, strict=True):
        parts = two_replicas.experimental_local_results(parts)
        for rows, gradient in zip(cut, parts, strict=True):
            np.testing.assert_allclose(gradient, whole[rows], rtol=1e-4, atol=1e-5)


def _exchanged(strategy, n, d, form="auto"):
    """Names of the collectives in a replica's share of the loss, counted."""
    calls = []

    def share():
        context = tf.distribute.get_replica_context()

        class Watched:
            num_replicas_in_sync = context.num_replicas_in_sync

            def all_reduce(self, op, value):
                calls.append(("reduce", sum(int(tf.size(x)) for x in tf.nest.flatten(value))))
                return context.all_reduce(op, value)

            def all_gather(self, value, axis):
                calls.append(("gather", int(tf.size(value))))
                return context.all_gather(value, axis=axis)

        z = tf.ones([n, d])
        return spectral.replica_terms(z, z, form=form, context=Watched())["attraction"]

    strategy.run(share)
    return calls[: len(calls) // strategy.num_replicas_in_sync]


def test_replicas_exchange_whichever_is_fewer_bytes(two_replicas):
    """Moments (2 d^2) below d = N / 2, features (2 n d a replica) above; once."""
    assert _exchanged(two_replicas, n=8, d=4) == [("reduce", 2 * 4 * 4 + 1)]
    assert _exchanged(two_replicas, n=8, d=32) == [("gather", 2 * 8 * 32)]


@pytest.mark.parametrize("form", ["auto", "moment", "sample"])
def test_negatives_of_each_replica_alone(two_replicas, form):
    """The mean of the replicas' own losses, and its gradient; nothing is exchanged."""
    z1, z2 = _pair(8, 3)

    def share():
        context = tf.distribute.get_replica_context()
        start = 4 * context.replica_id_in_sync_group
        a, b = (tf.reshape(tf.constant(z)[start : start + 4], [4, 3]) for z in (z1, z2))
        with tf.GradientTape() as tape:
            tape.watch(a)
            terms = spectral.replica_terms(a, b, 2.0, form, "replica", context)
            loss = terms["attraction"] + terms["repulsion"]
        return loss, tape.gradient(loss, a)

    def expected(z):
        halves = [reference.spectral_contrastive_loss(z[r], z2[r], 2.0) for r in rows]
        return sum(halves) / 2

    rows = [slice(0, 4), slice(4, 8)]
    losses, gradients = tf.function(lambda: two_replicas.run(share))()
    total = sum(two_replicas.experimental_local_results(losses))
    np.testing.assert_allclose(total, expected(z1), rtol=1e-5)
    gradient = np.concatenate(two_replicas.experimental_local_results(gradients))
    np.testing.assert_allclose(
        gradient, reference.numeric_gradient(expected, z1), rtol=1e-4, atol=1e-5
    )


# Norms of rows, and a batch of them all.
_NORMS = {
    "tiny": [1e-20] * 6,
    "1e10": [1e10] * 6,
    "1e19": [1e19] * 6,
    "1e30": [1e30] * 6,
    "all": [1e-20, 1e-8, 0.9, 1e13, 1e19, 1e30],
}


def _rows_of(norms, seed, d=4):
    rows = np.random.default_rng(seed).normal(size=(len(norms), d))
    rows *= np.array(norms)[:, None] / np.linalg.norm(rows, axis=1, keepdims=True)
    return rows.astype(np.float32)


def _in_float64(z1, z2, mu):
    """The loss and its gradients by automatic differentiation of plain formulas."""
    z1, z2 = tf.constant(z1, tf.float64), tf.constant(z2, tf.float64)

    def clipped(z):
        norms = tf.norm(z, axis=1, keepdims=True)
        return tf.where(norms < mu**0.5, z, mu**0.5 * z / norms)

    with tf.GradientTape() as tape:
        tape.watch([z1, z2])
        gram = tf.matmul(clipped(z1), clipped(z2), transpose_b=True)
        own, n = tf.linalg.diag_part(gram), len(gram)
        others = tf.reduce_sum(tf.square(gram - tf.linalg.diag(own)))
        loss = (others / (n * (n - 1)) - 2 * tf.reduce_mean(own)) / mu
    return float(loss), [g.numpy() for g in tape.gradient(loss, [z1, z2])]


def _assert_equals_float64(loss, gradients, z1, z2, mu):
    value, expected = _in_float64(z1, z2, mu)
    np.testing.assert_allclose(loss, value, rtol=1e-5, atol=1e-37)
    for found, truth in zip(gradients, expected, strict=True):
        error = np.linalg.norm(np.float64(found) - truth, axis=1)
        assert (error <= 1e-5 * np.linalg.norm(truth, axis=1)).all()


@pytest.mark.parametrize("form", ["sample", "moment", "chunks"])
@pytest.mark.parametrize("mu", [1.0, 10.0])
@pytest.mark.parametrize("norms", _NORMS)
def test_norms_of_any_size_with_mu(monkeypatch, form, mu, norms):
    z1, z2 = _rows_of(_NORMS[norms], 0), _rows_of(_NORMS[norms][::-1], 1)
    if form == "chunks":
        monkeypatch.setattr(spectral_forms, "_CHUNK", 8)
        form = "moment"
    value = tf_scl.spectral_contrastive_loss(z1, z2, mu=mu, form=form)
    _assert_equals_float64(value, _gradients(z1, z2, mu=mu, form=form), z1, z2, mu)


def test_norms_of_any_size_compiled_by_xla():
    z1, z2 = _rows_of(_NORMS["all"], 0), _rows_of(_NORMS["all"][::-1], 1)
    for form in ("sample", "moment"):

        @tf.function(jit_compile=True)
        def both(z1, z2, form=form):
            loss = spectral.spectral_contrastive_loss(z1, z2, mu=1.0, form=form)
            return loss, _gradients(z1, z2, mu=1.0, form=form)

        _assert_equals_float64(*both(z1, z2), z1, z2, 1.0)


@pytest.mark.parametrize("form", ["moment", "sample"])
def test_norms_of_any_size_on_replicas(two_replicas, form):
    """By moments and by gathered features."""
    z1, z2 = _rows_of(_NORMS["all"], 0), _rows_of(_NORMS["all"][::-1], 1)

    def share():
        context = tf.distribute.get_replica_context()
        start = 3 * context.replica_id_in_sync_group
        a, b = (tf.reshape(tf.constant(z)[start : start + 3], [3, 4]) for z in (z1, z2))
        with tf.GradientTape() as tape:
            tape.watch([a, b])
            terms = spectral.replica_terms(a, b, mu=1.0, form=form, context=context)
            loss = terms["attraction"] + terms["repulsion"]
        return loss, tape.gradient(loss, [a, b])

    losses, gradients = tf.function(lambda: two_replicas.run(share))()
    parts = two_replicas.experimental_local_results
    whole = [np.concatenate(parts(gradient)) for gradient in gradients]
    _assert_equals_float64(sum(parts(losses)), whole, z1, z2, 1.0)


@pytest.mark.parametrize("form", ["sample", "moment", "chunks"])
@pytest.mark.parametrize("norm", [1e10, 1e15, 1e19, 1e25, 1e38])
def test_without_mu_an_overflow_is_told(monkeypatch, form, norm):
    z1, z2 = _rows_of([norm] * 6, 0), _rows_of([norm] * 6, 1)
    if form == "chunks":
        monkeypatch.setattr(spectral_forms, "_CHUNK", 8)
        form = "moment"
    assert not np.isfinite(tf_scl.spectral_contrastive_loss(z1, z2, form=form))


@pytest.mark.parametrize("form", ["sample", "moment"])
@pytest.mark.parametrize("value", [np.inf, np.nan, 3e38])
@pytest.mark.parametrize("mu", [None, 1.0])
def test_one_row_that_diverged_is_told(form, value, mu):
    z1, z2 = _pair(6, 4)
    z1[2, 1] = value
    assert not np.isfinite(tf_scl.spectral_contrastive_loss(z1, z2, mu=mu, form=form))


@pytest.mark.parametrize("form", ["sample", "moment"])
def test_a_row_of_exactly_the_norm_has_pytorchs_gradient(form):
    """It counts as clipped, as in the official code."""
    stored = np.load(pathlib.Path(__file__).parent / "torch_spectral.npz")
    z1, z2, mu = stored["z1"], stored["z2"], float(stored["mu"])
    assert np.linalg.norm(z1[0]) == np.linalg.norm(z2[1]) == mu**0.5
    for dtype, tolerance in (("float64", 1e-12), ("float32", 1e-5)):
        a, b = z1.astype(dtype), z2.astype(dtype)
        loss = tf_scl.spectral_contrastive_loss(a, b, mu=mu, form=form)
        np.testing.assert_allclose(loss, stored["loss"], rtol=tolerance)
        gradients = _gradients(a, b, mu=mu, form=form)
        np.testing.assert_allclose(gradients[0], stored["dz1"], tolerance, tolerance)
        np.testing.assert_allclose(gradients[1], stored["dz2"], tolerance, tolerance)


@pytest.mark.parametrize(
    "z1,z2,options,message",
    [
        ((3, 2), (4, 2), {}, r"\(3, 2\) and \(4, 2\)"),
        ((3,), (3,), {}, r"\[N, d\]"),
        ((1, 2), (1, 2), {}, "at least two pairs"),
        ((3, 2), (3, 2), {"mu": 0}, "mu=0"),
        ((3, 2), (3, 2), {"mu": float("inf")}, 'None, "auto" or a positive number.*mu=inf'),
        ((3, 2), (3, 2), {"mu": float("nan")}, "mu=nan"),
        ((3, 2), (3, 2), {"mu": "1"}, "mu='1'"),
        ((3, 2), (3, 2), {"mu": True}, "mu=True"),
        ((3, 2), (3, 2), {"mu": -2.0}, "mu=-2.0"),
        ((3, 2), (3, 2), {"mu": "automatic"}, "\"auto\" or a positive.*mu='automatic'"),
        ((3, 2), (3, 2), {"mu": np.ones(2)}, "mu=array"),
        ((3, 2), (3, 2), {"form": "gram"}, "form='gram'"),
        ((3, 2), (3, 2), {"negatives": "all"}, "'all'"),
    ],
)
def test_bad_arguments_are_named(z1, z2, options, message):
    with pytest.raises(tf_scl.InputError, match=message):
        spectral.replica_terms(tf.ones(z1), tf.ones(z2), **options)


@pytest.mark.parametrize("n,d", [(5, 16), (7, 3), (64, 3)])
def test_auto_chooses_in_the_step_where_the_batch_size_is_unknown(n, d):
    @tf.function(input_signature=[tf.TensorSpec([None, d])] * 2)
    def loss(z1, z2):
        return spectral.spectral_contrastive_loss(z1, z2), *_gradients(z1, z2)

    z1, z2 = _pair(n, d)
    value, *gradients = loss(z1, z2)
    np.testing.assert_allclose(value, reference.spectral_contrastive_loss(z1, z2), rtol=2e-5)
    for one, two in zip(gradients, _gradients(z1, z2, form="sample"), strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-4, atol=1e-6)


def test_a_last_batch_of_one_image_has_no_repulsion():
    @tf.function(input_signature=[tf.TensorSpec([None, 2])] * 2)
    def loss(z1, z2):
        return spectral.spectral_contrastive_loss(z1, z2)

    assert float(loss(tf.ones([1, 2]), tf.ones([1, 2]))) == -4.0
