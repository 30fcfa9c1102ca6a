"""Nods and shakes of the head: quick turns to and fro of pitch or yaw."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from emotion.inference.series import Table
from emotion.inference.spans import Line, mean_step, present, stretches

NOD_DEGREES, SHAKE_DEGREES = 4.0, 6.0
"""The least turn of one swing: a convention, six times and more the noise of pitch and yaw (0.6 and 0.4
degrees, measured on one still face), so that talking heads are mostly left out."""
NOD_SWINGS, SHAKE_SWINGS = 2, 3
"""Down and up; left, right and left, because looking aside and back is no shake."""
SWING_SECONDS = 0.7
"""The most that one swing, or the rest between two, may take: slower is looking somewhere. A convention."""
SEES_NODS = SWING_SECONDS / 4
"""Seconds between readings in the mean, at most, to see nods: four in the slowest swing, two in one that is
twice as quick. Further apart, readings make slow turns of quick ones, and quick ones of slow."""


@dataclass(frozen=True)
class Swing:
    """One turn between two extremes: when it began and ended, and by how many degrees (signed)."""

    start: float
    end: float
    degrees: float


@dataclass(frozen=True)
class Nod:
    """kind: "nod" or "shake". start, end: seconds of the film. swings: how many; degrees: the largest."""

    kind: str
    start: float
    end: float
    swings: int
    degrees: float


def extremes(values: Line, least: float) -> list[int]:
    """Indices of the turning points of values (n,) that lie ``least`` or more apart, first and last
    included."""
    low = high = 0
    going, found = 0, []
    for at in range(1, len(values)):
        low = at if values[at] < values[low] else low
        high = at if values[at] > values[high] else high
        if going >= 0 and values[high] - values[at] >= least:
            found.append(high)
            going, low = -1, at
            high = at
        elif going <= 0 and values[at] - values[low] >= least:
            found.append(low)
            going, high = 1, at
            low = at
    if going:
        found.append(low if going < 0 else high)
    return found


def swing_between(times: Line, values: Line, first: int, last: int) -> Swing:
    """The turn from one extreme to the next, without the rest at its ends.

    It begins where a fifth of the way was last not yet gone, and ends where a fifth is left.
    """
    degrees = values[last] - values[first]
    gone = (values[first : last + 1] - values[first]) / degrees
    end = first + int(np.flatnonzero(gone >= 0.8)[0])
    start = first + int(np.flatnonzero(gone[: end - first] <= 0.2)[-1])
    begin = float(
        np.interp(0.2, gone[[start - first, start - first + 1]], times[[start, start + 1]])
    )
    stop = float(np.interp(0.8, gone[[end - first - 1, end - first]], times[[end - 1, end]]))
    lead = (stop - begin) / 3  # 0.6 of the way took so long: a fifth more on each side
    return Swing(begin - lead, stop + lead, float(degrees))


def swings(times: Line, values: Line, least: float) -> list[list[Swing]]:
    """All quick turns of ``least`` degrees or more, in their order, for each unbroken stretch."""
    t, v, at = present(times, values)
    found = []
    for first, last in stretches(times, at):
        part, line = t[first : last + 1], v[first : last + 1]
        turns = [swing_between(part, line, *pair) for pair in pairwise(extremes(line, least))]
        found.append([turn for turn in turns if turn.end - turn.start <= SWING_SECONDS])
    return found


def runs(found: list[Swing], least: int) -> list[list[Swing]]:
    """Swings that follow one another to and fro without a long rest, where there are ``least`` or more."""
    groups: list[list[Swing]] = []
    for swing in found:
        before = groups[-1][-1] if groups else None
        if (
            before is not None
            and swing.start - before.end <= SWING_SECONDS
            and swing.degrees * before.degrees < 0
        ):
            groups[-1].append(swing)
        else:
            groups.append([swing])
    return [group for group in groups if len(group) >= least]


def find_nods(table: Table) -> list[Nod]:
    """Nods and shakes in a "head-pose" table, by time; where both overlap, the one that turned further.

    None where the readings are too far apart to see them.
    """
    if not sees_nods(table):
        return []
    times = table["time"].astype(np.float64)
    found = [
        Nod(kind, group[0].start, group[-1].end, len(group), max(abs(s.degrees) for s in group))
        for kind, column, degrees, least in (
            ("nod", "pitch", NOD_DEGREES, NOD_SWINGS),
            ("shake", "yaw", SHAKE_DEGREES, SHAKE_SWINGS),
        )
        for stretch in swings(times, table[column].astype(np.float64), degrees)
        for group in runs(stretch, least)
    ]
    kept: list[Nod] = []
    for nod in sorted(found, key=lambda nod: -nod.degrees):
        if all(nod.end < other.start or nod.start > other.end for other in kept):
            kept.append(nod)
    return sorted(kept, key=lambda nod: nod.start)


def sees_nods(table: Table) -> bool:
    """Whether the readings are close enough to see nods and shakes at all."""
    return 0 < mean_step(table["time"], table["pitch"]) <= SEES_NODS
