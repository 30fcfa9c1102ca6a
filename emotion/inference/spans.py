"""Stretches of time in a series that is sampled unevenly and has holes: where a value stays above a level.

A hole is a time without a reading. A short one is bridged by the readings on both sides; a longer one cuts:
nothing is said about what happened in it, and whatever touches it is marked as cut.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Line = NDArray[np.float64]

HOLE = 0.5
"""Seconds without a reading that nothing is carried across: about what a quick nod or a short smile
takes."""
HOLE_SAMPLES = 2.5
"""The same in usual distances between moments, where those are further apart: two readings may be lost."""
AROUND = 5
"""Moments before and after that say what is usual: a camera that becomes slower in the dark is no hole."""


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


def mean_step(times: NDArray[Any], values: NDArray[Any]) -> float:
    """The mean distance between readings in seconds, holes left out; 0 where no two follow one another.

    Of a film whose pictures are taken out of more, some lie twice as far apart as others: their median says
    one or the other.
    """
    t, _v, at = present(times, values)
    pieces = stretches(times, at)
    steps = len(t) - len(pieces)
    return float(sum(t[last] - t[first] for first, last in pieces) / steps) if steps else 0.0


def steps_around(times: NDArray[Any], after: NDArray[np.int64]) -> Line:
    """The median distance between moments around each of some, in seconds."""
    steps = np.diff(times)
    near = after[:, None] + np.arange(-AROUND, AROUND + 1)
    there = (near >= 0) & (near < len(steps))
    around = np.where(there, steps[np.clip(near, 0, len(steps) - 1)], np.nan)
    return np.asarray(np.nanmedian(around, axis=1), dtype=np.float64)


def stretches(times: NDArray[Any], at: NDArray[np.int64] | None = None) -> list[tuple[int, int]]:
    """The readings as unbroken stretches: pairs of first and last, counted among the readings.

    times: of all moments. at: those with a reading, by index; None is all.
    """
    at = np.arange(len(times)) if at is None else at
    if not len(at):
        return []
    apart = np.diff(times[at])
    breaks = np.flatnonzero(apart > HOLE)
    if len(breaks):
        breaks = breaks[apart[breaks] > HOLE_SAMPLES * steps_around(times, at[breaks])]
    starts, ends = [0, *(breaks + 1).tolist()], [*breaks.tolist(), len(at) - 1]
    return list(zip(starts, ends, strict=True))


def present(times: NDArray[Any], values: NDArray[Any]) -> tuple[Line, Line, NDArray[np.int64]]:
    """The readings that are there: their times, their values, and their indices."""
    at = np.flatnonzero(np.isfinite(values))
    return times[at].astype(np.float64), values[at].astype(np.float64), at


def extents(times: NDArray[Any], values: NDArray[Any] | None = None) -> tuple[Line, Line]:
    """From when to when each moment's reading stands, (n,) each: half of the way to both neighbours, never
    across a hole; no time where there is none. values: the readings, NaN for none; None is one at each
    moment.

    The neighbours are moments, whether or not they were read: events may be followed across those that were
    not, but time in which nothing was read counts as such.
    """
    starts, ends = times.astype(np.float64), times.astype(np.float64)
    for first, last in stretches(times):
        middles = (times[first:last] + times[first + 1 : last + 1]) / 2
        starts[first + 1 : last + 1] = ends[first:last] = middles
    return starts, ends if values is None else np.where(np.isfinite(values), ends, starts)


def seconds_of(times: NDArray[Any], values: NDArray[Any] | None = None) -> Line:
    """The time that each moment's reading stands for (n,); the arguments are those of ``extents``."""
    starts, ends = extents(times, values)
    return ends - starts


def seconds_within(
    times: NDArray[Any], values: NDArray[Any], spans: Sequence[tuple[float, float]]
) -> float:
    """How much of some stretches of time was read; the arguments are those of ``extents``."""
    if not len(times):
        return 0.0
    starts, ends = extents(times, values)
    read = np.stack([np.zeros(len(times)), ends - starts], axis=1).cumsum()
    knots = np.stack([starts, ends], axis=1).ravel()
    edges = np.reshape(spans, (-1, 2))
    return float(np.diff(np.interp(edges, knots, read), axis=1).sum())


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
    for first, last in stretches(times, at):
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
