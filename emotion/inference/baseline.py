"""A person's own neutral stretch, which everything later in the film can be read against.

Marked by whoever made the recording, or found: the longest stretch in which the head is still and the
expression, where it is measured, neutral. It says how this face looks at rest, not that anybody was calm.
A marked stretch in which the face was not read says nothing of it, so another one is looked for.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from emotion.inference.columns import TIME
from emotion.inference.motion import head_speed
from emotion.inference.series import SUMMARY, Series, Table
from emotion.inference.smiles import SMILE_ON, lip_pull
from emotion.inference.spans import Line, spans_above

Levels = dict[str, dict[str, float]]
"""By data category and column."""
STILL = 15.0
"""Degrees per second: a few times what the noise of a still head makes of it over 0.2 s (4). A
convention."""
NEUTRAL = 0.5
"""Of the expression's share: more than all others together."""
LEAST_SECONDS = 2.0
"""Shorter, a found stretch says little about a face at rest: a convention."""
NO_LEVELS = {TIME.name, "status", "faces"}
MARKED, FOUND = "marked", "found"
FOUND_INSTEAD, UNREAD = "found-instead", "unread"
"""A stretch was marked, but not read: another one was found, or none."""


@dataclass(frozen=True)
class Baseline:
    """start, end: seconds of the film. how: one of the four above. levels: the median of each column in it
    by data category; a column that was not measured in it is left out, so without a stretch there are none.
    """

    start: float
    end: float
    how: str
    levels: Levels

    def level(self, category: str, column: str, otherwise: float = 0.0) -> float:
        """The median of a column at rest."""
        return self.levels.get(category, {}).get(column, otherwise)


def find_baseline(series: Series, marked: tuple[float, float] | None = None) -> Baseline | None:
    """The marked stretch (start, end) if each category was read in it, else the longest neutral one.

    None if nothing was marked and none is found. It is found only with "head-pose", "expression" or
    "smile-marker" among the tables: without any, nothing says that a stretch was neutral.
    """
    if marked is not None and read_in(series, levels := levels_in(series, *marked)):
        return Baseline(*marked, MARKED, levels)
    times, calm = calmness(series)
    spans = [span for span in spans_above(times, calm, 0.5, 0.5) if span.seconds >= LEAST_SECONDS]
    if not spans:
        return None if marked is None else Baseline(*marked, UNREAD, {})
    longest = max(spans, key=lambda span: span.seconds)
    levels = levels_in(series, longest.start, longest.end)
    how = FOUND if marked is None else FOUND_INSTEAD
    return Baseline(longest.start, longest.end, how, levels)


def read_in(series: Series, levels: Levels) -> bool:
    """Whether these are levels of every category that is measured on the face."""
    return set(series) - {SUMMARY, "body-motion"} <= set(levels)


def calmness(series: Series) -> tuple[Line, Line]:
    """Times, and 1 where everything that is measured says still and neutral, 0 where not, NaN where
    unread."""
    marks: list[tuple[Line, Line]] = []
    if "head-pose" in series:
        turned, _moved = head_speed(series["head-pose"])
        marks.append(held(series["head-pose"], turned, turned <= STILL))
    if "expression" in series:
        neutral = series["expression"]["neutral"].astype(np.float64)
        marks.append(held(series["expression"], neutral, neutral >= NEUTRAL))
    if "smile-marker" in series:
        pull = lip_pull(series["smile-marker"])
        marks.append(held(series["smile-marker"], pull, pull < SMILE_ON))
    if not marks:
        return np.zeros(0), np.zeros(0)
    times = max((mark[0] for mark in marks), key=len)
    together = np.ones(len(times))
    for mine, calm in marks:
        together = np.minimum(together, latest(mine, calm, times))
    return times, together


def held(table: Table, values: Line, good: np.ndarray) -> tuple[Line, Line]:
    """Times, and 1 or 0 where there is a value, NaN where not."""
    return table["time"].astype(np.float64), np.where(np.isfinite(values), good, np.nan)


def latest(times: Line, values: Line, at: Line) -> Line:
    """The last value up to each time, for what is measured at a rate of its own; NaN before the first."""
    index = np.searchsorted(times, at, side="right") - 1
    return np.where(index >= 0, values[np.maximum(index, 0)], np.nan) if len(times) else at * np.nan


def levels_in(series: Series, start: float, end: float) -> Levels:
    """The median of every column between two times, by data category."""
    found: Levels = {}
    for category, table in series.items():
        inside = (table["time"] >= start) & (table["time"] <= end)
        for name, values in table.items():
            part = values[inside] if name not in NO_LEVELS else np.zeros(0)
            part = part[np.isfinite(part)] if len(part) else part
            if len(part):
                found.setdefault(category, {})[name] = float(np.median(part))
    return found


def against(table: Table, category: str, baseline: Baseline) -> Table:
    """A table as differences from the person's own rest; columns without a level there are left out."""
    levels = baseline.levels.get(category, {})
    return {"time": table["time"]} | {
        name: (values - np.float32(levels[name])).astype(np.float32)
        for name, values in table.items()
        if name in levels
    }
