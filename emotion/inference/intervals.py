"""How sure a measured share is: intervals of 95 %, of faces that are each of another person, or by person.

Several faces of one person are right or wrong together more often than those of several people, so they
tell less. Where it is known who is on which, people are drawn instead of faces.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Z = 1.959964  # of the normal distribution, two-sided 95 %
TAIL = 0.025
DRAWS = 1000
SEED = 20261127

Figure = list[float]
"""[value, low, high]."""
People = NDArray[np.int64] | None
"""Which person each row is of, (n,) from 0 on; None: each is of another, as far as is known."""


def wilson(right: float, of: float, z: float = Z) -> Figure:
    """A share with Wilson's interval (1927), which stays within 0 to 1; of = 0 gives [0, 0, 1]."""
    if of == 0:
        return [0.0, 0.0, 1.0]
    share = right / of
    centre = (share + z**2 / (2 * of)) / (1 + z**2 / of)
    half = z / (1 + z**2 / of) * np.sqrt(share * (1 - share) / of + z**2 / (4 * of**2))
    low, high = max(0.0, float(centre - half)), min(1.0, float(centre + half))
    return [share, min(low, share), max(high, share)]


def share_of(right: NDArray[np.bool_], people: People = None) -> Figure:
    """The share of rows (n,) that are right, with Wilson's interval.

    By person the rows count as the smaller number that would be as uncertain if each were of another one
    (the design effect, Kish 1965), never as more than there are; where all or none are right, as the
    people. One person alone gives [value, 0, 1].
    """
    if people is None or not len(right):
        return wilson(int(right.sum()), len(right))
    value = float(right.mean())
    persons, at = np.unique(people, return_inverse=True)
    if len(persons) < 2:
        return [value, 0.0, 1.0]
    off = np.bincount(at, right - value)
    together = float((off**2).sum()) * len(persons) / (len(persons) - 1)
    alone = len(right) * value * (1 - value)
    effect = max(1.0, together / alone) if alone > 0 else len(right) / len(persons)
    number = len(right) / effect
    return wilson(value * number, number, student(len(persons) - 1))


def student(freedom: int) -> float:
    """The 97.5th percentile of Student's t, right within 0.03 from five degrees of freedom on.

    The expansion of Fisher and Cornish (1960), to the second power.
    """
    first = (Z**3 + Z) / (4 * freedom)
    return Z + first + (5 * Z**5 + 16 * Z**3 + 3 * Z) / (96 * freedom**2)


def bootstrap(
    figure: Callable[[NDArray[np.int64]], float],
    strata: NDArray[np.int64],
    people: People = None,
    draws: int = DRAWS,
) -> Figure:
    """A figure of rows with the 2.5th and 97.5th percentile over seeded draws (Efron 1979).

    ``figure`` gets row numbers; each draw takes as many rows of each stratum as there are, or as many
    people of it with all of their rows in it, so that none is ever missing. ``strata``: the stratum of
    each row, (n,). By person the percentiles lie further out, as far as few people make it (the expanded
    percentiles of Hesterberg 2015); a stratum of one person gives [value, 0, 1].
    """
    value = float(figure(np.arange(len(strata))))
    generator = np.random.default_rng(SEED)
    each = np.arange(len(strata)) if people is None else people
    parts = [Drawn.of(np.flatnonzero(strata == kind), each) for kind in np.unique(strata)]
    tail = TAIL
    if people is not None:
        fewest = min(len(part.counts) for part in parts)
        if fewest < 2:
            return [value, 0.0, 1.0]
        tail = below(-math.sqrt(fewest / (fewest - 1)) * student(fewest - 1))
    found = [figure(np.concatenate([part.draw(generator) for part in parts])) for _ in range(draws)]
    low, high = np.percentile(found, [100 * tail, 100 * (1 - tail)])
    return [value, min(float(low), value), max(float(high), value)]


@dataclass(frozen=True)
class Drawn:
    """Rows that are drawn together: those of one person lie side by side, from a start on, so many."""

    rows: NDArray[np.int64]
    starts: NDArray[np.int64]
    counts: NDArray[np.int64]

    @classmethod
    def of(cls, rows: NDArray[np.int64], people: NDArray[np.int64]) -> Drawn:
        """Some rows, by the person that each of all rows is of."""
        sorted_rows = rows[np.argsort(people[rows], kind="stable")]
        _who, starts, counts = np.unique(people[sorted_rows], return_index=True, return_counts=True)
        return cls(sorted_rows, starts, counts)

    def draw(self, generator: np.random.Generator) -> NDArray[np.int64]:
        """As many people as there are, each as often as chance has it, with all of their rows."""
        chosen = generator.choice(len(self.counts), len(self.counts))
        counts = self.counts[chosen]
        places = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        drawn: NDArray[np.int64] = self.rows[np.repeat(self.starts[chosen], counts) + places]
        return drawn


def below(value: float) -> float:
    """The share of the normal distribution below a value."""
    return 0.5 * (1 + math.erf(value / math.sqrt(2)))
