"""Keras models, trained on pairs of a finite graph, find what the theory says: or do not.

The encoder is a table, a free vector for each node, so that only the loss decides what
is learned (arXiv 2106.04156, section 3.2). The graph is that of
`docs/explanation/theory_three_components.py`: three classes of 10, 8 and 6 images, nearly apart.
"""

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import linalg

import tf_scl
from docs.explanation.theory_three_components import make_world
from tf_scl.evaluation.spectrum import estimate_spectrum
from tf_scl.theory.augmentation_graph import AugmentationGraph
from tf_scl.theory.bounded_norms import attraction_and_repulsion
from tf_scl.theory.population_losses import (
    population_minimizer,
    population_minimum,
    population_spectral_loss,
    subspace_distance,
    to_factors,
)
from tf_scl.theory.population_probe import probe_error

_GRAPH, _LABELS = make_world()
_DIMENSION = 3
_MINIMUM = population_minimum(_GRAPH, _DIMENSION)
_EIGENSPACE = to_factors(_GRAPH, population_minimizer(_GRAPH, _DIMENSION))


def _all_pairs(count, graph=_GRAPH):
    """(x, x'), int32 [count] each, in which a pair's share is w_xx' to the nearest whole number."""
    shares = count * graph.weights.ravel()
    times = np.floor(shares).astype(int)
    times[np.argsort(times - shares)[: count - times.sum()]] += 1
    pairs = np.repeat(np.arange(graph.size**2), times)
    return tuple(x.astype(np.int32) for x in np.divmod(pairs, graph.size))


def _drawn_pairs(count, rng):
    while True:
        yield tuple(x.astype(np.int32) for x in _GRAPH.sample_pairs(count, rng))


def _table():
    start = keras.initializers.RandomNormal(stddev=0.5, seed=0)
    table = keras.layers.Embedding(_GRAPH.size, _DIMENSION, embeddings_initializer=start)
    return keras.Sequential([keras.Input((), dtype="int32"), table])


def _train(method, data, steps, rate=0.05, **options):
    """f after training, float32 [24, 3], and the loss of the last step."""
    keras.utils.set_random_seed(0)
    model = method(_table(), projector=keras.layers.Identity(), **options)
    model.compile(keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(rate, steps)))
    for _ in range(steps):
        model.reset_metrics()  # Keras reports means since the last reset
        last = model.train_on_batch(next(data), return_dict=True)
    return model.predict(np.arange(_GRAPH.size), verbose=0), float(last["loss"])


def _repeated(pair):
    pair = tuple(tf.constant(x) for x in pair)
    while True:
        yield pair


def _distance(f):
    return subspace_distance(to_factors(_GRAPH, f), _EIGENSPACE)


def _with_constant(f):
    """Sine of the largest angle of the eigenspace to the span of 1 and f: what f misses."""
    span = to_factors(_GRAPH, np.column_stack([np.ones(_GRAPH.size), f]))
    return np.sin(linalg.subspace_angles(span, _EIGENSPACE).max())


def _loss_at_best_scale(f):
    """The smallest L(c f) of any c: of -2 a c^2 + b c^4."""
    once, twice = (population_spectral_loss(_GRAPH, c * f) for c in (1.0, 2.0**0.5))
    b = twice / 2 - once
    return -((b - once) ** 2) / (4 * b)


@pytest.mark.parametrize("mu", [None, 50.0])  # 50 divides the loss and clips nothing
def test_the_spectral_loss_finds_the_minimum_and_the_eigenspace(mu):
    f, last = _train(tf_scl.SpectralContrastive, _repeated(_all_pairs(8000)), 200, mu=mu)
    assert _distance(f) < 1e-2
    loss = population_spectral_loss(_GRAPH, f)
    assert _MINIMUM - 1e-6 <= loss <= _MINIMUM + 1e-3
    assert last * (mu or 1.0) == pytest.approx(_MINIMUM, rel=2e-3)  # what Keras reports
    gram = f.astype(float).T @ (_GRAPH.degrees[:, None] * f)
    np.testing.assert_allclose(  # F^T F has the eigenvalues of the graph
        linalg.eigvalsh(gram)[::-1], _GRAPH.eigenpairs[0][:_DIMENSION], atol=0.005
    )


def test_a_mu_that_is_found_gives_the_eigenspace_where_all_nodes_are_alike():
    """Eight pairs of nodes that are often each other's views, and on a ring: rows of one norm."""
    ring = sum(p * np.roll(np.eye(8), k, axis=1) for k, p in ((0, 0.6), (1, 0.2), (-1, 0.2)))
    graph = AugmentationGraph.from_kernel(np.kron(ring, np.full((2, 2), 0.5)))
    values, total = graph.eigenpairs[0][:_DIMENSION], graph.eigenpairs[0][:_DIMENSION].sum()
    f, last = _train(tf_scl.SpectralContrastive, _repeated(_all_pairs(8000, graph)), 200, mu="auto")
    f = f[: graph.size] / linalg.norm(f[: graph.size], axis=1, keepdims=True)
    best = to_factors(graph, population_minimizer(graph, _DIMENSION))
    assert subspace_distance(to_factors(graph, f), best) < 1e-2
    a, r = attraction_and_repulsion(graph, f)
    assert a / r == pytest.approx(total, rel=2e-3)
    loss = population_spectral_loss(graph, np.sqrt(a / r) * f)
    assert loss == pytest.approx(-np.sum(values**2), rel=2e-3)
    assert last == pytest.approx(-a, rel=2e-3)


def test_drawn_pairs_find_them_too_and_the_estimate_says_so():
    rng = np.random.default_rng(0)
    f, _ = _train(tf_scl.SpectralContrastive, _drawn_pairs(4096, rng), 200, mu=None)
    assert _distance(f) < 0.05
    assert population_spectral_loss(_GRAPH, f) <= _MINIMUM + 0.01
    # Each pair is the two views of one image that nothing was trained on.
    pairs = np.stack(_GRAPH.sample_pairs(5000, rng), axis=1)
    result = estimate_spectrum(f[pairs], resamples=100)
    exact = _GRAPH.eigenpairs[0][:_DIMENSION]
    assert (np.array(result.low[:3]) <= exact + 1e-12).all()
    assert (exact - 1e-3 <= np.array(result.high[:3])).all()
    assert abs(result.loss_gap) < 0.05 and not result.collapsed


def test_simclr_finds_the_classes_but_not_the_eigenspace():
    f, _ = _train(tf_scl.SimCLR, _repeated(_all_pairs(512)), 150)
    sphere = f / linalg.norm(f, axis=1, keepdims=True)
    # It sees directions only, and sets the classes as far apart as three points can be.
    cosines, same = sphere @ sphere.T, _LABELS[:, None] == _LABELS
    assert cosines[same].mean() > 0.5 and cosines[~same].mean() < -0.2
    perfect = probe_error(_GRAPH, population_minimizer(_GRAPH, 3), _LABELS).per_view
    probe = probe_error(_GRAPH, np.column_stack([np.ones(_GRAPH.size), sphere]), _LABELS).per_view
    assert probe == pytest.approx(perfect)
    # So it lacks the constant, and given that it still lacks more.
    assert _distance(sphere) > 0.9 and _with_constant(sphere) > 0.2
    assert _loss_at_best_scale(sphere) > _MINIMUM + 0.5


def test_simsiam_does_not_find_the_eigenspace():
    predictor = tf_scl.prediction_head(_DIMENSION, 16)
    data = _repeated(_all_pairs(2000))
    f, last = _train(tf_scl.SimSiam, data, 200, rate=0.02, predictor=predictor)
    sphere = f / linalg.norm(f, axis=1, keepdims=True)
    assert last < -0.6  # views of one image do agree
    assert tf_scl.effective_rank(sphere) > 1.5  # and it has not collapsed
    assert _distance(sphere) > 0.5 and _with_constant(sphere) > 0.1
    assert _loss_at_best_scale(sphere) > _MINIMUM + 0.5
