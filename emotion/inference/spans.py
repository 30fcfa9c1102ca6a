"""Stretches of time in a series that is sampled unevenly and has holes: where a value stays above a level.

A hole is a time without a reading. A short one is bridged by the readings on both sides; a longer one cuts:
nothing is said about what happened in it, and whatever touches it is marked as cut.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Line = NDArray[np.float64]

HOLE = 0.5
"""Seconds without a reading that nothing is carried across: about what a quick nod or a short smile
takes."""
HOLE_SAMPLES = 2.5
"""The same in usual distances between readings, where those are further apart: two readings may be lost."""


@dataclass(frozen=True)
class Span:
    """start and end: seconds, between the readings where the level was crossed. first and last: indices of
    the readings inside. cut: whether it touches a hole or the end of the series, so that it was longer.
    """

    start: float
    end: float
    first: int
    last: int
    cut_start: bool
    cut_end: bool

    @property
    def seconds(self) -> float:
        """How long it was seen."""
        return self.end - self.start

    @property
    def cut(self) -> bool:
        """Whether its start or its end was not seen."""
        return self.cut_start or self.cut_end


def usual_step(times: Line) -> float:
    """The median distance between readings in seconds; 0 for fewer than two."""
    return float(np.median(np.diff(times))) if len(times) > 1 else 0.0


def mean_step(times: Line) -> float:
    """The mean distance between readings in seconds, holes left out; 0 where no two follow one another.

    Of a film whose pictures are taken out of more, some lie twice as far apart as others: their median says
    one or the other.
    """
    pieces = stretches(times)
    steps = len(times) - len(pieces)
    return (
        float(sum(times[last] - times[first] for first, last in pieces) / steps) if steps else 0.0
    )


def hole_of(times: Line) -> float:
    """The seconds between two readings from which they are apart."""
    return max(HOLE, HOLE_SAMPLES * usual_step(times))


def stretches(times: Line) -> list[tuple[int, int]]:
    """The readings (n,) as unbroken stretches: pairs of first and last index."""
    if not len(times):
        return []
    breaks = np.flatnonzero(np.diff(times) > hole_of(times))
    starts, ends = [0, *(breaks + 1).tolist()], [*breaks.tolist(), len(times) - 1]
    return list(zip(starts, ends, strict=True))


def present(times: NDArray[Any], values: NDArray[Any]) -> tuple[Line, Line, NDArray[np.int64]]:
    """The readings that are there: their times, their values, and their indices."""
    at = np.flatnonzero(np.isfinite(values))
    return times[at].astype(np.float64), values[at].astype(np.float64), at


def seconds_of(times: Line) -> Line:
    """The time that each reading stands for (n,): half of the way to both neighbours, never across a
    hole."""
    found = np.zeros(len(times))
    for first, last in stretches(times):
        middles = (times[first:last] + times[first + 1 : last + 1]) / 2
        bounds = np.concatenate([[times[first]], middles, [times[last]]])
        found[first : last + 1] = np.diff(bounds)
    return found


def crossing(times: Line, values: Line, before: int, after: int, level: float) -> float:
    """When a level was crossed between two neighbouring readings, on the straight line between them."""
    share = (level - values[before]) / (values[after] - values[before])
    return float(times[before] + share * (times[after] - times[before]))


def spans_above(times: NDArray[Any], values: NDArray[Any], on: float, off: float) -> list[Span]:
    """Where the values (n,), NaN for none, reach ``on``; each from and to where they cross ``off``.

    Two levels, so that noise around one of them does not cut a span into many.
    """
    t, v, at = present(times, values)
    found = []
    for first, last in stretches(t):
        above = np.concatenate([[False], v[first : last + 1] >= off, [False]])
        edges = np.flatnonzero(np.diff(above.astype(np.int8)))
        for begin, end in zip(edges[::2] + first, edges[1::2] + first - 1, strict=True):
            if v[begin : end + 1].max() < on:
                continue
            cut_start, cut_end = bool(begin == first), bool(end == last)
            start = t[begin] if cut_start else crossing(t, v, begin - 1, begin, off)
            stop = t[end] if cut_end else crossing(t, v, end, end + 1, off)
            found.append(
                Span(float(start), float(stop), int(at[begin]), int(at[end]), cut_start, cut_end)
            )
    return found
