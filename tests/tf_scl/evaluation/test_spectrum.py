import json

import numpy as np
import pytest
from scipy import linalg

import tf_scl
from docs.explanation.theory_three_components import make_world
from tests.tf_scl.theory.graphs import random_classes
from tf_scl.dataclass_json import dumps, from_plain
from tf_scl.evaluation.spectrum import SpectrumEstimate, at_best_scale, estimate_spectrum
from tf_scl.theory import bounds
from tf_scl.theory.population_losses import (
    population_minimizer,
    population_minimum,
    population_spectral_loss,
)

_RINGS, _RING_LABELS = make_world()
_SMALL, _SMALL_LABELS = random_classes(np.random.default_rng(0), 8, 12, 3, 0.15)


def _draw(graph, f, images, views, seed):
    """Views [images, views, D] of natural images drawn from the graph, and which these are."""
    rng = np.random.default_rng(seed)
    share = graph.joint.sum(axis=1)
    natural = rng.choice(len(share), images, p=share)
    until = np.cumsum(graph.joint / share[:, None], axis=1)
    until /= until[:, -1:]
    nodes = (rng.random((images, views, 1)) > until[natural, None]).sum(axis=2)
    return f[nodes], natural


def _exact_ritz(graph, f):
    """Ritz values of 1 and f on the whole graph."""
    f = np.column_stack([np.ones(graph.size), f])
    a, b = f.T @ graph.weights @ f, f.T @ (graph.degrees[:, None] * f)
    return linalg.eigvalsh(a, b)[::-1]


def _covers(result, exact):
    low, high = np.array(result.low), np.array(result.high)
    exact = exact[: len(low)]
    return (low <= exact + 1e-9) & (exact <= high + 1e-9)


@pytest.mark.parametrize("graph", [_RINGS, _SMALL], ids=["rings", "small"])
@pytest.mark.parametrize("images,views", [(200, 2), (800, 2), (400, 4)])
def test_intervals_cover_the_exact_eigenvalues_as_often_as_they_say(graph, images, views):
    exact, covered = graph.eigenpairs[0], []
    for seed in range(25):
        drawn, _ = _draw(graph, np.eye(graph.size), images, views, seed)
        covered.append(_covers(estimate_spectrum(drawn, resamples=100, seed=seed), exact))
    covered = np.array(covered)[:, 1:]  # the first is exact by construction
    assert covered.mean() >= 0.94
    assert covered[:, :8].mean(axis=0).min() >= 0.8  # each of them: 20 of 25


def test_intervals_cover_the_eigenvalues_of_a_continuous_world():
    # x = sqrt(r) z + sqrt(1 - r) noise: Hermite polynomials are the eigenfunctions
    # (Mehler), with eigenvalues r^degree; f holds all of the first and second degree.
    r = np.array([0.9, 0.8, 0.6, 0.3])
    first, second = np.triu_indices(4)
    exact = np.sort([1.0, *r, *(r[first] * r[second])])[::-1]
    covered = []
    for seed in range(25):
        rng = np.random.default_rng(seed)
        x = np.sqrt(r) * rng.normal(size=(300, 1, 4))
        x = x + np.sqrt(1 - r) * rng.normal(size=(300, 2, 4))
        f = np.concatenate([x, x[..., first] * x[..., second]], axis=2)
        covered.append(_covers(estimate_spectrum(f, resamples=100, seed=seed), exact))
    assert np.mean(covered) >= 0.94


def test_many_images_give_the_exact_eigenvalues():
    widths = []
    for images in (1000, 16000):
        drawn, _ = _draw(_RINGS, np.eye(24), images, 2, 0)
        result = estimate_spectrum(drawn, resamples=100)
        widths.append(np.mean(np.subtract(result.high, result.low)))
    np.testing.assert_allclose(result.eigenvalues, _RINGS.eigenpairs[0], atol=0.03)
    assert widths[1] < 0.35 * widths[0] and widths[1] < 0.05  # a quarter, for 16 times as many
    assert result.suggested_dimension == 3
    assert result.eigengap == pytest.approx(-np.diff(_RINGS.eigenpairs[0])[2], abs=0.02)
    assert result.mu == pytest.approx(1 - _RINGS.eigenpairs[0][3], abs=0.02)
    assert result.eigenvalues[0] == result.low[0] == result.high[0] == 1.0


def test_features_that_are_noise_show_no_eigenvalue():
    for seed in range(5):
        noise = np.random.default_rng(seed).normal(size=(300, 2, 50))
        mean = noise.mean(axis=1)
        naive = linalg.eigvalsh(mean.T @ mean, noise.reshape(-1, 50).T @ noise.reshape(-1, 50))
        assert 2 * (2 * naive[-1]) - 1 > 0.5  # what two views seem to share, in the sample
        result = estimate_spectrum(noise, resamples=50, seed=seed)
        assert result.low[1] < 0.05 and np.mean(_covers(result, np.eye(51)[0])) >= 0.9
        assert any("stands out of noise" in flag for flag in result.flags)


def test_values_are_those_of_the_span_and_lower_bounds_of_the_graphs():
    exact, covered = _RINGS.eigenpairs[0], []
    for seed in range(20):
        f = np.random.default_rng(seed).normal(size=(24, 5))
        ritz = _exact_ritz(_RINGS, f)
        assert (ritz <= exact[:6] + 1e-12).all()
        drawn, _ = _draw(_RINGS, f, 1000, 2, seed)
        result = estimate_spectrum(drawn, resamples=100, seed=seed)
        assert len(result.eigenvalues) == 6
        assert (np.array(result.low) <= exact[:6] + 1e-12).all()
        covered.append(_covers(result, ritz))
    assert np.mean(covered) >= 0.9


def test_a_linear_map_of_the_features_changes_the_loss_only():
    drawn, _ = _draw(_SMALL, population_minimizer(_SMALL, 5), 400, 2, 0)
    rng = np.random.default_rng(1)
    turn = linalg.qr(rng.normal(size=(5, 5)))[0]
    result = estimate_spectrum(drawn, resamples=50)
    maps = {
        "rotation": drawn @ turn,
        "permutation": drawn[..., rng.permutation(5)],
        "scale": 1e-3 * drawn,
        "any": drawn @ rng.normal(size=(5, 5)),
        "shift": drawn + 3.0,
        "views": drawn[:, ::-1],
    }
    for name, mapped in maps.items():
        other = estimate_spectrum(mapped, resamples=50)
        for key in ("eigenvalues", "low", "high"):
            np.testing.assert_allclose(
                getattr(other, key)[:5], getattr(result, key)[:5], atol=1e-6, err_msg=name
            )
        same_loss = name in ("rotation", "permutation", "views")
        assert (abs(other.loss - result.loss) < 1e-9) == same_loss, name
    shuffled = estimate_spectrum(rng.permutation(drawn), resamples=50)  # other folds
    np.testing.assert_allclose(shuffled.eigenvalues, result.eigenvalues, atol=0.02)


def test_the_same_seed_gives_the_same_estimate():
    drawn, _ = _draw(_SMALL, np.eye(12), 200, 3, 0)
    first, again, other = (estimate_spectrum(drawn, resamples=50, seed=s) for s in (0, 0, 1))
    assert first == again != other


def test_the_loss_is_its_double_sum_over_different_images():
    views = np.random.default_rng(0).normal(size=(10, 3, 2))
    attraction = [-2 * v[i] @ v[j] for v in views for i in range(3) for j in range(3) if i != j]
    repulsion = [
        (views[n, i] @ views[m, j]) ** 2
        for n in range(10)
        for m in range(10)
        for i in range(3)
        for j in range(3)
        if n != m
    ]
    expected = np.mean(attraction) + np.mean(repulsion)
    assert estimate_spectrum(views, resamples=20).loss == pytest.approx(expected, rel=1e-12)


def test_the_loss_is_the_populations_without_bias():
    f = np.random.default_rng(1).normal(size=(12, 3))
    losses = []
    for seed in range(200):
        drawn, _ = _draw(_SMALL, f, 20, 2, seed)
        losses.append(estimate_spectrum(drawn, resamples=20).loss)
    error = np.mean(losses) - population_spectral_loss(_SMALL, f)
    assert abs(error) <= 4 * np.std(losses) / np.sqrt(200)


def test_the_minimizer_has_no_gap_and_a_scaled_one_has():
    f = population_minimizer(_RINGS, 6)
    drawn, _ = _draw(_RINGS, f, 8000, 2, 0)
    best = estimate_spectrum(drawn, resamples=50)
    assert best.loss == pytest.approx(population_minimum(_RINGS, 6), rel=0.01)
    assert best.optimum == pytest.approx(best.loss, rel=0.01)
    assert best.loss_gap == pytest.approx(best.loss - best.optimum, abs=1e-12)
    scaled = estimate_spectrum(1.3 * drawn, resamples=50)
    assert scaled.optimum == pytest.approx(best.optimum)
    exact = population_spectral_loss(_RINGS, 1.3 * f) - population_minimum(_RINGS, 6)
    assert scaled.loss_gap == pytest.approx(exact, rel=0.05)


def test_collapsed_features_are_flagged():
    drawn, natural = _draw(_SMALL, np.eye(12), 100, 2, 0)
    constant = estimate_spectrum(np.full((100, 2, 4), 3.7), _SMALL_LABELS[natural])
    assert constant.collapsed and constant.eigenvalues == (1.0,) and "constant" in constant.flags[0]
    assert constant.label_disagreement == 0.0 and constant.bound is None
    line = estimate_spectrum(drawn[..., :1] * np.arange(1.0, 5.0) + 2.0)
    assert line.collapsed and len(line.eigenvalues) == 2
    assert "collapsed to one direction" in line.flags[0]
    assert not estimate_spectrum(drawn[..., :1]).collapsed  # all that one dimension can do
    assert not estimate_spectrum(drawn).collapsed


def test_images_that_are_too_few_and_views_that_are_equal_are_flagged():
    few = estimate_spectrum(np.random.default_rng(0).normal(size=(40, 2, 64)), resamples=20)
    assert len(few.eigenvalues) == 9
    assert any("the 8 widest; give 320 images" in flag for flag in few.flags)
    equal = np.repeat(np.random.default_rng(0).normal(size=(100, 1, 3)), 2, axis=1)
    result = estimate_spectrum(equal, resamples=20)
    assert any("nothing was augmented" in flag for flag in result.flags)
    np.testing.assert_allclose(result.eigenvalues, 1.0)


def _exact_labeling(graph, f, labels):
    """The probe on the whole graph: alpha and phi of its labels of nodes."""
    f = np.column_stack([np.ones(graph.size), f])
    wanted = graph.joint.T @ np.eye(labels.max() + 1)[labels]
    given = np.argmax(f @ np.linalg.lstsq(f.T * graph.degrees @ f, f.T @ wanted, rcond=None)[0], 1)
    return bounds.label_error(graph, labels, given), bounds.edge_disagreement(graph, given)


@pytest.mark.parametrize("graph,labels", [(_RINGS, _RING_LABELS), (_SMALL, _SMALL_LABELS)])
def test_the_bound_is_that_of_the_graph(graph, labels):
    f = population_minimizer(graph, 6)
    drawn, natural = _draw(graph, f, 6000, 2, 0)
    result = estimate_spectrum(drawn, labels[natural], dimension=3, resamples=50)
    alpha, phi = _exact_labeling(graph, f, labels)
    mu = 1 - graph.eigenpairs[0][3]
    assert result.bound_dimension == 3 and result.mu == pytest.approx(mu, abs=0.03)
    assert result.probe_error == pytest.approx(alpha, abs=0.015)
    assert result.label_disagreement == pytest.approx(phi, abs=0.015)
    assert result.bound == pytest.approx(bounds.ProbeBound(alpha, phi, mu).per_view, rel=0.15)
    assert result.label_disagreement / 2 <= result.probe_error <= result.bound
    assert result.label_disagreement > 0


def test_the_probe_is_measured_on_images_that_it_has_not_seen():
    rng = np.random.default_rng(0)
    noise, labels = rng.normal(size=(150, 2, 30)), np.arange(150) % 2
    assert estimate_spectrum(noise, labels, resamples=20).probe_error == pytest.approx(0.5, abs=0.1)


def test_images_without_labels_are_left_out_and_vacuous_bounds_flagged():
    drawn, natural = _draw(_SMALL, population_minimizer(_SMALL, 6), 500, 2, 0)
    labels = _SMALL_LABELS[natural]
    some = np.where(np.arange(500) < 400, labels, -1)
    result = estimate_spectrum(drawn, some, dimension=3, resamples=20)
    assert 0 < result.probe_error < 0.5
    shuffled = np.random.default_rng(0).permutation(labels)
    assert any("vacuous" in f for f in estimate_spectrum(drawn, shuffled, dimension=3).flags)
    for none in (None, np.full(500, -1), np.where(some < 0, -1, 2)):
        result = estimate_spectrum(drawn, none, dimension=3, resamples=20)
        assert result.probe_error is result.label_disagreement is result.bound is None
        assert result.mu > 0
    column = estimate_spectrum(drawn, some[:, None].astype(np.float32), dimension=3, resamples=20)
    assert column.bound == estimate_spectrum(drawn, some, dimension=3, resamples=20).bound
    unseen = estimate_spectrum(drawn[..., :3], labels, dimension=3, resamples=20)
    assert unseen.mu is None and any("shows 3 values" in flag for flag in unseen.flags)


def test_components_beyond_the_dimension_leave_no_bound():
    graph, labels = random_classes(np.random.default_rng(2), 9, 12, 3, 0.0)
    assert len(np.unique(graph.components)) == 3
    drawn, natural = _draw(graph, np.eye(12), 400, 2, 0)
    result = estimate_spectrum(drawn, labels[natural], dimension=2, resamples=50)
    assert result.eigenvalues[:3] == pytest.approx([1.0, 1.0, 1.0], abs=1e-9)
    assert result.mu == 0.0 and result.bound is None
    assert any("more components" in flag for flag in result.flags)
    enough = estimate_spectrum(drawn, labels[natural], dimension=3, resamples=50)
    assert enough.label_disagreement == enough.probe_error == enough.bound == 0.0


def test_an_estimate_is_written_as_json_and_read_again():
    drawn, natural = _draw(_SMALL, np.eye(12), 100, 2, 0)
    for labels in (None, _SMALL_LABELS[natural]):
        result = estimate_spectrum(drawn, labels, resamples=20)
        values = json.loads(dumps(result))
        assert from_plain(SpectrumEstimate, values, "spectrum.json") == result
        assert values["eigenvalues"] == list(result.eigenvalues) and values["level"] == 0.95
        assert (values["images"], values["views"], values["dimension"]) == (100, 2, 12)
        assert values["flags"] == list(result.flags) and "independent" in values["assumes"]


@pytest.mark.parametrize("shape", [(20, 4), (9, 2, 3), (20, 1, 3), (20, 2, 0)])
def test_other_shapes_are_named(shape):
    with pytest.raises(tf_scl.InputError, match=r"\[N, V, D\].*N >= 10.*Received: \(\d"):
        estimate_spectrum(np.ones(shape))


def test_bad_arguments_are_named():
    views = np.random.default_rng(0).normal(size=(20, 2, 3))
    spoiled = views.copy()
    spoiled[3, 1] = np.nan
    with pytest.raises(tf_scl.InputError, match="3 of the 120 features.*smaller learning rate"):
        estimate_spectrum(spoiled)
    for labels in (np.zeros(19, int), ["cat", "dog"] * 10):
        with pytest.raises(tf_scl.InputError, match=r"numbers \[20\], one for each image"):
            estimate_spectrum(views, labels)
    with pytest.raises(tf_scl.InputError, match=r"numpy.argmax.*\(20, 2\)"):
        estimate_spectrum(views, np.zeros((20, 2), int))
    for dimension in (0, 4, 1.5):
        with pytest.raises(
            tf_scl.InputError, match=f"between 1 and 3. Received: dimension={dimension}"
        ):
            estimate_spectrum(views, dimension=dimension)
    for resamples in (19, 30.5):
        with pytest.raises(
            tf_scl.InputError, match=f"at least 20. Received: resamples={resamples}"
        ):
            estimate_spectrum(views, resamples=resamples)


def test_views_at_their_best_scale_have_the_least_loss():
    rng = np.random.default_rng(0)
    images = rng.normal(size=(60, 1, 3))
    views = images + 0.5 * rng.normal(size=(60, 4, 3))
    scaled = at_best_scale(views)
    losses = [
        estimate_spectrum(factor * scaled, resamples=20).loss for factor in (0.9, 0.99, 1, 1.01, 2)
    ]
    assert np.argmin(losses) == 2
    opposed = images * np.array([1.0, -1.0])[:, None]
    np.testing.assert_array_equal(at_best_scale(opposed), opposed)
