"""Kinds of prediction sets: (known probabilities, their truth, other probabilities, coverage) -> sets."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from emotion.inference.calibration import class_thresholds, prediction_sets
from training.fitting import Array

Rule = Callable[[Array, Array, Array, float], Array]


def bound(scores: Array, coverage: float) -> float:
    """The k-th smallest score, k = ceil((n + 1) · coverage)."""
    return float(np.sort(scores)[int(np.ceil((len(scores) + 1) * coverage)) - 1])


def lac(known: Array, truth: Array, other: Array, coverage: float) -> Array:
    """Score 1 - p, one bound for all classes (Sadinle et al. 2019)."""
    highest = bound(1 - known[np.arange(len(truth)), truth], coverage)
    return prediction_sets(other, np.full(other.shape[1], 1 - highest))


def lac_per_class(known: Array, truth: Array, other: Array, coverage: float) -> Array:
    """The same with a bound for each class."""
    return prediction_sets(other, class_thresholds(known, truth, coverage))


def reach(probabilities: Array, penalty: float) -> Array:
    """The probability of all classes as likely as each or likelier, and a penalty by rank over two."""
    order = np.argsort(-probabilities, axis=1)
    sums = np.cumsum(np.take_along_axis(probabilities, order, 1), axis=1)
    sums += penalty * np.maximum(0, np.arange(probabilities.shape[1]) - 1)
    found = np.empty_like(probabilities)
    np.put_along_axis(found, order, sums, 1)
    return found


def aps(known: Array, truth: Array, other: Array, coverage: float, penalty: float = 0.0) -> Array:
    """Adaptive sets without randomisation (Romano et al. 2020)."""
    highest = bound(reach(known, penalty)[np.arange(len(truth)), truth], coverage)
    held = reach(other, penalty) <= highest
    held[np.arange(len(held)), other.argmax(axis=1)] = True
    return held


def raps(known: Array, truth: Array, other: Array, coverage: float) -> Array:
    """Regularised adaptive sets: 0.02 for each rank over two (Angelopoulos et al. 2021)."""
    return aps(known, truth, other, coverage, penalty=0.02)


SETS: dict[str, Rule] = {"LAC": lac, "LAC, per class": lac_per_class, "APS": aps, "RAPS": raps}
