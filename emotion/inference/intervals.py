"""How sure a measured share is: intervals of 95 %."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Z = 1.959964  # of the normal distribution, two-sided 95 %
DRAWS = 1000
SEED = 20261127

Figure = list[float]
"""[value, low, high]."""


def wilson(right: int, of: int) -> Figure:
    """A share with Wilson's interval (1927), which stays within 0 to 1; of = 0 gives [0, 0, 1]."""
    if of == 0:
        return [0.0, 0.0, 1.0]
    share = right / of
    centre = (share + Z**2 / (2 * of)) / (1 + Z**2 / of)
    half = Z / (1 + Z**2 / of) * np.sqrt(share * (1 - share) / of + Z**2 / (4 * of**2))
    low, high = max(0.0, float(centre - half)), min(1.0, float(centre + half))
    return [share, min(low, share), max(high, share)]


def bootstrap(
    figure: Callable[[NDArray[np.int64]], float],
    strata: NDArray[np.int64],
    draws: int = DRAWS,
) -> Figure:
    """A figure of rows with the 2.5th and 97.5th percentile over seeded draws (Efron 1979).

    ``figure`` gets row numbers; each draw takes as many rows of each stratum as there are, so that none
    is ever missing. ``strata``: the stratum of each row, (n,).
    """
    generator = np.random.default_rng(SEED)
    members = [np.flatnonzero(strata == stratum) for stratum in np.unique(strata)]
    found = [
        figure(np.concatenate([generator.choice(rows, len(rows)) for rows in members]))
        for _ in range(draws)
    ]
    value = float(figure(np.arange(len(strata))))
    low, high = np.percentile(found, [2.5, 97.5])
    return [value, min(float(low), value), max(float(high), value)]
