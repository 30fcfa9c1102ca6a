"""How fast a head and a body move: over a fixed time, so that the sampling rate does not change the
figure."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from emotion.inference.body import POINTS
from emotion.inference.series import Table, rows
from emotion.inference.spans import Line, stretches

OVER = 0.2
"""Seconds that a speed is measured over. From one picture to the next the landmarks' noise, half a
degree, would count as movement, and more of it the more pictures there are."""
SCORE_AT_LEAST = 0.3
"""MoveNet's makers recommend it to leave out points that are guessed."""
UPPER_BODY = tuple(POINTS[:11])
"""Head, shoulders, elbows and wrists: what a seated person shows of herself."""


def speeds(times: Line, values: Line) -> Line:
    """The change of values (n, k) per second over the last ``OVER`` seconds, (n, k); NaN where unknown."""
    found = np.full(values.shape, np.nan)
    at = np.flatnonzero(np.isfinite(values).all(axis=1))
    for first, last in stretches(times, at):
        part = at[first : last + 1]
        t, earlier = times[part], times[part] - OVER
        for column in range(values.shape[1]):
            line = values[part, column]
            found[part, column] = (line - np.interp(earlier, t, line)) / OVER
        found[part[earlier < t[0] - 1e-9]] = np.nan
    return found


def head_speed(table: Table) -> tuple[Line, Line]:
    """Degrees and centimetres per second (n,) each, from a "head-pose" table.

    The degrees are the root of the squares of the three angles' speeds, which is the angle turned for
    turns as small as those within ``OVER``. The centimetres are as rough as the distance.
    """
    times = table["time"].astype(np.float64)
    turned = speeds(times, rows(table, ("yaw", "pitch", "roll")))
    moved = speeds(times, rows(table, ("x", "y", "z")))
    return np.linalg.norm(turned, axis=1), np.linalg.norm(moved, axis=1)


def shoulder_width(table: Table) -> float:
    """The median distance between the shoulders, as a share of the picture's longer side; NaN if unseen."""
    left, right = (
        rows(table, (f"{side}_shoulder_x", f"{side}_shoulder_y")) for side in ("left", "right")
    )
    scores = rows(table, ("left_shoulder_score", "right_shoulder_score"))
    sure = (scores >= SCORE_AT_LEAST).all(axis=1)
    if not sure.any():
        return float("nan")
    return float(np.median(np.linalg.norm((left - right)[sure], axis=1)))


def body_speed(table: Table) -> Line:
    """Shoulder widths per second (n,): the mean of the upper body's points, from a "body-motion" table.

    NaN where no point was seen surely, and everywhere if the shoulders never were.
    """
    times, width = table["time"].astype(np.float64), shoulder_width(table)
    each: list[NDArray[np.float64]] = []
    for point in UPPER_BODY:
        where = rows(table, (f"{point}_x", f"{point}_y"))
        where[~(table[f"{point}_score"] >= SCORE_AT_LEAST)] = np.nan
        each.append(np.linalg.norm(speeds(times, where), axis=1) / width)
    stacked = np.stack(each)
    seen = np.isfinite(stacked)
    total: Line = np.where(seen, stacked, 0).sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean: Line = np.where(seen.any(axis=0), total / seen.sum(axis=0), np.nan)
    return mean
