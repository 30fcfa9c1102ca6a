"""What turns votes into probabilities, sets at a stated coverage, and "cannot tell".

The probabilities are the models' mean, to the power of 1 / temperature and made to sum to 1 again (Guo et
al. 2017). The set holds every class whose probability reaches that class's own threshold: split-conformal
prediction with the score 1 - p (LAC, Sadinle et al. 2019), a threshold for each class (Vovk 2012), so
that each class is covered and not only the frequent ones.

The coverage is a promise about photographs that come as those did on which the thresholds were set
(exchangeable with them). About other photographs, cameras and people it promises nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Wide = NDArray[np.float64]


@dataclass(frozen=True)
class Calibration:
    """A pack's calibration.

    Fields:
        temperature: 1 leaves the votes as they are; above 1 evens them out.
        thresholds: the least probability with which a class is in the set, (classes,).
        coverage: how often the set holds the right class, on data like ``data``.
        most_in_set: a larger set means "cannot tell".
        named, right: how often something is said, and how often its first word is right then; each
            value, low, high (95 %), measured on held-out parts of ``data``.
        data: the photographs on which all of this was set.
        date: when, ISO 8601.
    """

    temperature: float
    thresholds: tuple[float, ...]
    coverage: float
    most_in_set: int
    named: tuple[float, float, float]
    right: tuple[float, float, float]
    data: str
    date: str

    @classmethod
    def of(cls, stated: Mapping[str, Any], labels: Sequence[str]) -> Calibration:
        """As ``calibration.json`` states it. Raises ValueError, KeyError or TypeError for anything else."""
        sets, abstain = stated["sets"], stated["abstain"]
        if set(sets["thresholds"]) != set(labels):
            raise ValueError("sets.thresholds: a value for each class was expected")
        found = cls(
            temperature=float(stated["temperature"]),
            thresholds=tuple(float(sets["thresholds"][label]) for label in labels),
            coverage=float(sets["coverage"]),
            most_in_set=int(abstain["most_in_set"]),
            named=three(abstain["named"]),
            right=three(abstain["right"]),
            data=str(stated["data"]),
            date=str(stated["date"]),
        )
        if not (found.temperature > 0 and 0.5 <= found.coverage < 1 and found.data and found.date):
            raise ValueError("temperature above 0, coverage 0.5 to 1, data and date were expected")
        if not all(0 <= threshold <= 1 for threshold in found.thresholds):
            raise ValueError("sets.thresholds: 0 to 1 was expected")
        if not 1 <= found.most_in_set < len(labels):
            raise ValueError("abstain.most_in_set: 1 to one less than the classes was expected")
        return found

    def probabilities(self, votes: Wide) -> Wide:
        """Votes (n, classes) that sum to 1 as probabilities that do."""
        return tempered(votes, self.temperature)

    def sets(self, probabilities: Wide) -> NDArray[np.bool_]:
        """Which classes are in the set, (n, classes); the likeliest one always is."""
        return prediction_sets(probabilities, np.array(self.thresholds))

    def foremost(self, probabilities: Wide) -> NDArray[np.int64]:
        """The class that is told of each row of probabilities (n, classes), -1 where none can be, (n,)."""
        return foremost(probabilities, self.thresholds, self.most_in_set)


def three(stated: Sequence[float]) -> tuple[float, float, float]:
    """A share with its interval."""
    value, low, high = (float(number) for number in stated)
    if not 0 <= low <= value <= high <= 1:
        raise ValueError(f"low <= value <= high within 0 to 1 was expected, got {stated}")
    return value, low, high


def tempered(votes: Wide, temperature: float) -> Wide:
    """softmax(log(votes) / temperature), (n, classes)."""
    logs = np.log(np.clip(votes, 1e-6, 1.0)) / temperature
    risen = np.exp(logs - logs.max(axis=-1, keepdims=True))
    return np.asarray(risen / risen.sum(axis=-1, keepdims=True), dtype=np.float64)


def class_thresholds(probabilities: Wide, truth: NDArray[np.int64], coverage: float) -> Wide:
    """The least probability of each class that lets in its share ``coverage`` of it, (classes,).

    Of n photographs of the class the k-th largest probability, k = ceil((n + 1) · coverage); 0 (the class
    is always in the set) when that is more than n.
    """
    found = np.zeros(probabilities.shape[1])
    for label in range(probabilities.shape[1]):
        seen = np.sort(probabilities[truth == label, label])[::-1]
        rank = int(np.ceil((len(seen) + 1) * coverage))
        if rank <= len(seen):
            found[label] = seen[rank - 1]
    return found


def prediction_sets(probabilities: Wide, thresholds: Wide) -> NDArray[np.bool_]:
    """Classes that reach their threshold, and the likeliest one, (n, classes)."""
    held = probabilities >= thresholds
    held[np.arange(len(held)), probabilities.argmax(axis=1)] = True
    return held


def foremost(
    probabilities: Wide, thresholds: Sequence[float], most_in_set: int
) -> NDArray[np.int64]:
    """The likeliest class of each row of probabilities (n, classes), -1 where the set is larger, (n,)."""
    sizes = prediction_sets(probabilities, np.array(thresholds)).sum(axis=1)
    return np.where(sizes <= most_in_set, probabilities.argmax(axis=1), -1)
