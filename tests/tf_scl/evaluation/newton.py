"""Multinomial logistic regression by Newton's method with the whole Hessian, in float64."""

import numpy as np


def logits(weights, features):
    """[N, classes] of weights [D + 1, classes], the bias in the last row."""
    return features @ weights[:-1] + weights[-1]


def loss(weights, features, targets, l2):
    """Mean cross-entropy + l2/2 |W|^2, one image at a time; the bias is not penalized."""
    total = 0.0
    for row, target in zip(logits(weights, features), targets, strict=True):
        total += np.log(np.sum(np.exp(row - row.max()))) + row.max() - row[target]
    return total / len(targets) + 0.5 * l2 * np.sum(weights[:-1] ** 2)


def gradient(weights, features, targets, l2):
    """Of `loss`, [D + 1, classes]."""
    p = _probabilities(weights, features)
    p[np.arange(len(targets)), targets] -= 1
    with_bias = np.hstack([features, np.ones((len(features), 1))])
    found = with_bias.T @ p / len(targets)
    found[:-1] += l2 * weights[:-1]
    return found


def newton(features, targets, classes, l2):
    """The minimum of `loss`, [D + 1, classes]: the gradient there is rounding."""
    n, width = len(features), features.shape[1] + 1
    with_bias = np.hstack([features, np.ones((n, 1))])
    weights = np.zeros((width, classes))
    for _ in range(100):
        slope = gradient(weights, features, targets, l2)
        if np.abs(slope).max() < 1e-13:
            break
        p = _probabilities(weights, features)
        blocks = np.einsum("nk,kl->nkl", p, np.eye(classes)) - np.einsum("nk,nl->nkl", p, p)
        hessian = np.einsum("ni,nkl,nj->ikjl", with_bias, blocks, with_bias, optimize=True) / n
        hessian = hessian.reshape(width * classes, -1)
        penalty = np.full((width, classes), l2)
        penalty[-1] = 1e-9  # biases are known up to a constant
        step = np.linalg.solve(hessian + np.diag(penalty.ravel()), slope.ravel())
        size, before = 1.0, loss(weights, features, targets, l2)
        step = step.reshape(weights.shape)
        while loss(weights - size * step, features, targets, l2) > before + 1e-12:
            size /= 2
        weights = weights - size * step
    return weights


def _probabilities(weights, features):
    found = logits(weights, features)
    found = np.exp(found - found.max(axis=1, keepdims=True))
    return found / found.sum(axis=1, keepdims=True)
