"""Minimizers of the population loss whose norms are bounded: what mu does, exactly.

With rows u(x) of norm 1 and f = sqrt(mu) u the loss, divided by mu as in training, is

    L(f) / mu = -2 a + mu r    with  a = E u(x).u(x') over pairs,
                                     r = E (u(x).u(x'))^2 over independent x, x'.

As in `population_losses`, F = D^(1/2) f and L(f) = |Ā - F F^T|_F^2 - |Ā|_F^2. Two bounds:

1. On the mean, E|f|^2 <= m. A multiplier tau >= 0 of the trace of F F^T turns Ā into
   Ā - tau I, and Eckart and Young give

       F F^T = sum_i (lambda_i - tau)_+ v_i v_i^T  over the d largest,

   with tau = 0 if they sum to less than m, else such that the trace is m.

2. On every row, |f(x)|^2 = mu, which is what clipping does where all rows are longer.
   Each row has a multiplier t_x of its own. With T = diag(t_x) a stationary point has

       (Ā - F F^T) F = T F,    E t_x = a - mu r

   (the second by taking the trace of F^T times the first), so F F^T is made of
   eigenvectors of Ā - T, not of Ā, unless all t_x are equal. They are where symmetry
   makes the rows of the unbounded minimizer equally long. Their mean is above 0, so that
   rows are held short, for mu < a / r; 0 for mu = a / r; below it rows are stretched.
"""

import numpy as np
from scipy import optimize

from tf_scl import validation
from tf_scl.losses.names import MU_AUTO
from tf_scl.losses.spectral import check_mu
from tf_scl.theory.augmentation_graph import AugmentationGraph
from tf_scl.theory.population_losses import check_embeddings, to_factors
from tf_scl.typing import Array, ArrayLike


def soft_threshold(values: ArrayLike, energy: float) -> tuple[float, Array]:
    """The largest (value - tau)_+ that sum to `energy` at most, with tau >= 0.

    Args:
        values: Float array, eigenvalues; negative ones count as 0.
        energy: Float > 0.

    Returns:
        (tau, kept): float, and float64 of the shape of `values`.

    Raises:
        InputError: An `energy` that is not positive.
    """
    validation.positive("energy", energy)
    values = np.maximum(np.asarray(values, np.float64), 0.0)
    if values.sum() <= energy:
        return 0.0, values
    falling = np.sort(values)[::-1]
    # tau if the k largest are above it; the last k that is true of its own tau.
    taus = (np.cumsum(falling) - energy) / np.arange(1, len(falling) + 1)
    tau = float(taus[np.flatnonzero(falling > taus)[-1]])
    return tau, np.maximum(values - tau, 0.0)


def bounded_minimizer(graph: AugmentationGraph, dimension: int, energy: float) -> Array:
    """An f with the smallest population loss of all with E|f|^2 <= energy.

    Args:
        graph: `AugmentationGraph`.
        dimension: Int 1..N.
        energy: Float > 0.

    Returns:
        float64 [N, dimension], columns in the order of the eigenvalues; 0 for those that
        the threshold takes away.

    Raises:
        InputError: A `dimension` or `energy` out of range.
    """
    validation.whole_number("dimension", dimension, high=graph.size)
    values, vectors = graph.eigenpairs
    _, kept = soft_threshold(values[:dimension], energy)
    return vectors[:, :dimension] * np.sqrt(kept) / np.sqrt(graph.degrees)[:, None]


def attraction_and_repulsion(graph: AugmentationGraph, rows: ArrayLike) -> tuple[float, float]:
    """a = E u(x).u(x') over pairs and r = E (u(x).u(x'))^2 over independent views.

    Args:
        graph: `AugmentationGraph`.
        rows: Float array [N, d], u(x).

    Returns:
        (a, r), floats. Where all rows have norm 1, a / r is the squared norm at which
        they have the least loss, and -a^2 / r that loss.

    Raises:
        InputError: Rows of another shape, or not finite.
    """
    u = check_embeddings(graph, rows)
    moment = u.T @ (graph.degrees[:, None] * u)
    return float(np.sum(u * (graph.weights @ u))), float(np.sum(moment**2))


def unit_minimizer(
    graph: AugmentationGraph,
    dimension: int,
    mu: float | str,
    rng: np.random.Generator,
    starts: int = 3,
) -> Array:
    """Rows of norm 1 with the smallest loss, by descent (L-BFGS) from random rows.

    Args:
        graph: `AugmentationGraph`.
        dimension: Int d, 1..N.
        mu: Float > 0, to minimize -2 a + mu r; or "auto", to minimize -a^2 / r, the
            least loss of the rows at any common norm.
        rng: `numpy.random.Generator`.
        starts: Int >= 1, descents, of which the best counts.

    Returns:
        float64 [N, d].

    Raises:
        InputError: A `dimension`, `mu` or `starts` out of range.
    """
    validation.whole_number("dimension", dimension, high=graph.size)
    validation.whole_number("starts", starts)
    if mu is None:
        raise validation.refused("mu", mu, f'"{MU_AUTO}" or a positive number')
    check_mu(mu)
    shape = (graph.size, dimension)

    def objective(flat: Array) -> tuple[float, Array]:
        z = flat.reshape(shape)
        norms = np.linalg.norm(z, axis=1, keepdims=True)
        u = z / norms
        value, slope = _value_and_slope(graph, u, mu)
        return value, ((slope - np.sum(slope * u, axis=1, keepdims=True) * u) / norms).ravel()

    options = {"maxiter": 5000, "maxfun": 10000, "ftol": 1e-15, "gtol": 1e-9}
    found = [
        optimize.minimize(
            objective, rng.normal(size=shape).ravel(), jac=True, method="L-BFGS-B", options=options
        )
        for _ in range(starts)
    ]
    best = min(found, key=lambda result: result.fun).x.reshape(shape)
    return best / np.linalg.norm(best, axis=1, keepdims=True)


def row_thresholds(graph: AugmentationGraph, rows: ArrayLike, mu: float) -> Array:
    """t_x, what each row's norm is held short by (above 0) or stretched by (below).

    Args:
        graph: `AugmentationGraph`.
        rows: Float array [N, d], u(x) of norm 1, such as `unit_minimizer` finds.
        mu: Float > 0.

    Returns:
        float64 [N]. With T = diag(t_x) and F = D^(1/2) sqrt(mu) u, (Ā - F F^T) F = T F at
        a stationary point.

    Raises:
        InputError: Rows of another shape, or not finite, or `mu` not positive.
    """
    validation.positive("mu", mu)
    factors = np.sqrt(mu) * to_factors(graph, rows)
    residual = graph.normalized_adjacency @ factors - factors @ (factors.T @ factors)
    return np.sum(factors * residual, axis=1) / np.sum(factors**2, axis=1)


def _value_and_slope(graph: AugmentationGraph, u: Array, mu: float | str) -> tuple[float, Array]:
    """The objective of `unit_minimizer` and its derivative by u, not on the sphere yet."""
    pulled, weighted = graph.weights @ u, graph.degrees[:, None] * u
    moment = u.T @ weighted
    a, r = np.sum(u * pulled), np.sum(moment**2)
    found = a / r if isinstance(mu, str) else mu
    slope = -4.0 * pulled + 4.0 * found * (weighted @ moment)
    if isinstance(mu, str):
        return -(a**2) / r, found * slope
    return -2.0 * a + mu * r, slope
