"""Ways to make one vote of several models, each fitted on some rows and used on others."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from emotion.inference.calibration import tempered

Array = np.ndarray
Way = Callable[[Array, Array, Array], Array]
"""(votes (models, n, k), truth (n,), votes of other rows (models, m, k)) -> probabilities (m, k)."""


def softmax(scores: Array) -> Array:
    """Each row as probabilities."""
    risen = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return risen / risen.sum(axis=-1, keepdims=True)


def logs(votes: Array) -> Array:
    """Logarithms, cut off where a vote says never."""
    return np.log(np.clip(votes, 1e-6, 1.0))


def newton(terms: Array, truth: Array, start: Array, ridge: float = 1e-4) -> Array:
    """Least negative log-likelihood of softmax(terms @ theta), by damped Newton steps.

    terms: (n, k, d); ``ridge`` pulls theta to ``start``, (d,), so that rare classes cannot run away.
    """
    rows, theta = np.arange(len(truth)), start.astype(float)

    def loss(at: Array) -> float:
        chances = softmax(terms @ at)[rows, truth]
        return float(-np.log(np.clip(chances, 1e-12, 1)).mean() + ridge * ((at - start) ** 2).sum())

    now, flat = loss(theta), terms.reshape(-1, terms.shape[2])
    for _ in range(50):
        chances = softmax(terms @ theta)
        wrong = chances.copy()
        wrong[rows, truth] -= 1
        slope = np.einsum("nkd,nk->d", terms, wrong) / len(truth) + 2 * ridge * (theta - start)
        mean = np.einsum("nkd,nk->nd", terms, chances)
        curve = (flat * chances.reshape(-1, 1)).T @ flat - mean.T @ mean
        step = np.linalg.solve(curve / len(truth) + 2 * ridge * np.eye(len(start)), slope)
        size = 1.0
        while size > 1e-6 and loss(theta - size * step) > now:
            size /= 2
        theta = theta - size * step
        before, now = now, loss(theta)
        if before - now < 1e-10:
            break
    return theta


def fit_temperature(mean: Array, truth: Array) -> float:
    """The temperature of ``calibration.tempered`` with the least negative log-likelihood."""
    return float(1 / newton(logs(mean)[:, :, None], truth, np.ones(1), ridge=0)[0])


def mixture_weights(votes: Array, truth: Array) -> Array:
    """A weight for each model, summing to 1, by expectation maximisation."""
    weights = np.full(len(votes), 1 / len(votes))
    chances = votes[:, np.arange(len(truth)), truth]
    for _ in range(300):
        shares = weights[:, None] * chances
        weights = (shares / shares.sum(axis=0)).mean(axis=1)
    return weights


def arithmetic(votes: Array, truth: Array, other: Array) -> Array:
    """The mean: nothing is fitted."""
    return other.mean(axis=0)


def geometric(votes: Array, truth: Array, other: Array) -> Array:
    """The geometric mean, made to sum to 1: nothing is fitted."""
    return softmax(logs(other).mean(axis=0))


def weighted(votes: Array, truth: Array, other: Array) -> Array:
    """A weighted mean."""
    return np.einsum("m,mnk->nk", mixture_weights(votes, truth), other)


def weighted_geometric(votes: Array, truth: Array, other: Array) -> Array:
    """A weighted geometric mean; the weights need not sum to 1, so it has a temperature."""
    start = np.full(len(votes), 1 / len(votes))
    theta = newton(logs(votes).transpose(1, 2, 0), truth, start)
    return softmax(logs(other).transpose(1, 2, 0) @ theta)


def with_temperature(pool: Way) -> Way:
    """A pool and then one temperature."""

    def way(votes: Array, truth: Array, other: Array) -> Array:
        temperature = fit_temperature(pool(votes, truth, votes), truth)
        return tempered(pool(votes, truth, other), temperature)

    return way


def with_vector(pool: Way) -> Way:
    """A pool and then vector scaling: a factor and a shift for each class (Guo et al. 2017)."""

    def terms(votes: Array, truth: Array, other: Array) -> Array:
        scores = logs(pool(votes, truth, other))
        each = np.eye(scores.shape[1])
        return np.concatenate(
            [scores[:, :, None] * each, np.broadcast_to(each, (len(scores), *each.shape))], axis=2
        )

    def way(votes: Array, truth: Array, other: Array) -> Array:
        classes = votes.shape[2]
        start = np.concatenate([np.ones(classes), np.zeros(classes)])
        theta = newton(terms(votes, truth, votes), truth, start)
        return softmax(terms(votes, truth, other) @ theta)

    return way


WAYS: dict[str, Way] = {
    "arithmetic mean": arithmetic,
    "geometric mean": geometric,
    "weighted mean": weighted,
    "weighted geometric mean": weighted_geometric,
    "arithmetic mean, temperature": with_temperature(arithmetic),
    "geometric mean, temperature": with_temperature(geometric),
    "arithmetic mean, vector scaling": with_vector(arithmetic),
    "geometric mean, vector scaling": with_vector(geometric),
}
