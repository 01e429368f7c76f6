"""Independent truths in float64 numpy, as plain as they can be."""

import numpy as np


def clip_norm(z, mu):
    rows = []
    for row in np.asarray(z, np.float64):
        norm = np.sqrt(np.sum(row**2))
        rows.append(row * np.sqrt(mu) / norm if norm > np.sqrt(mu) else row)
    return np.array(rows)


def spectral_contrastive_loss(z1, z2, mu=None):
    """The loss of arXiv 2106.04156 as two loops; with mu as in the official code."""
    z1, z2 = np.asarray(z1, np.float64), np.asarray(z2, np.float64)
    if mu is not None:
        z1, z2 = clip_norm(z1, mu), clip_norm(z2, mu)
    n = len(z1)
    attraction = repulsion = 0.0
    for i in range(n):
        for j in range(n):
            inner = sum(z1[i] * z2[j])
            if i == j:
                attraction += -2 * inner / n
            else:
                repulsion += inner**2 / (n * (n - 1))
    return (attraction + repulsion) / (mu or 1.0)


def nt_xent(z1, z2, temperature):
    """Equation 1 of arXiv 2002.05709, averaged over both views of every image."""
    z = np.concatenate([np.asarray(z1, np.float64), np.asarray(z2, np.float64)])
    n = len(z1)
    loss = 0.0
    for i in range(2 * n):
        similarity = []
        for k in range(2 * n):
            norms = np.sqrt(np.sum(z[i] ** 2)) * np.sqrt(np.sum(z[k] ** 2))
            similarity.append(np.sum(z[i] * z[k]) / norms / temperature)
        others = [np.exp(similarity[k]) for k in range(2 * n) if k != i]
        loss += np.log(np.sum(others)) - similarity[(i + n) % (2 * n)]
    return loss / (2 * n)


def numeric_gradient(function, x, step=1e-5):
    """Central differences of a scalar function at x, float64."""
    x = np.asarray(x, np.float64)
    gradient = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        high, low = x.copy(), x.copy()
        high[index] += step
        low[index] -= step
        gradient[index] = (function(high) - function(low)) / (2 * step)
    return gradient
