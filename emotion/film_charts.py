"""A film's series as strips for a page: server-made SVG, each with words for those who do not see it.

Every strip has the film's length from left to right. What was not read is a gap with a mark in it, never a
line drawn across.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from emotion.film_wording import EVENTS, VERDICTS, shown
from emotion.inference.calibration import foremost as told_classes
from emotion.inference.labels import LABELS
from emotion.inference.series import Series, Table, rows
from emotion.media_words import length_words
from emotion.set_words import EXPRESSIONS

COLUMNS = 240
"""Columns of a strip: more than a telephone has room for, few enough to be quick."""
HEIGHT = 20.0
JITTER = 1.5
"""How much later than usual a moment may come: films have no steady clock."""
TO = UNREAD = "\u2013"
ROWS = 12
"""Most rows of the table beside the strips."""

LINES: list[tuple[str, str, Any, float, float]] = [
    *(("expression", name, label, 0.0, 1.0) for name, label in EXPRESSIONS.items()),
    ("blendshapes", "mouthSmileLeft", gettext_lazy("left corner of the mouth up"), 0.0, 1.0),
    ("blendshapes", "mouthSmileRight", gettext_lazy("right corner of the mouth up"), 0.0, 1.0),
    ("blendshapes", "eyeBlinkLeft", gettext_lazy("left eye closed"), 0.0, 1.0),
    ("blendshapes", "eyeBlinkRight", gettext_lazy("right eye closed"), 0.0, 1.0),
    ("head-pose", "yaw", gettext_lazy("head to the side (-45° to 45°)"), -45.0, 45.0),
    ("head-pose", "pitch", gettext_lazy("head up and down (-45° to 45°)"), -45.0, 45.0),
    ("gaze", "yaw", gettext_lazy("eyes to the side (-45° to 45°)"), -45.0, 45.0),
    ("gaze", "pitch", gettext_lazy("eyes up and down (-45° to 45°)"), -45.0, 45.0),
    ("smile-marker", "lip_left", gettext_lazy("smile, left"), 0.0, 1.0),
    ("smile-marker", "lip_right", gettext_lazy("smile, right"), 0.0, 1.0),
]
"""What is drawn: category, column, words, and the values at the foot and the top of the strip."""


@dataclass(frozen=True)
class Strip:
    """path: a line in a box of COLUMNS by HEIGHT. gaps: marks (x) where nothing was read."""

    label: str
    path: str
    gaps: list[int]
    mean: str


def strips(series: Series, seconds: float) -> list[Strip]:
    """The strips of the opened categories, for a film of this length."""
    found = []
    for category, name, label, low, high in LINES:
        if category in series:
            values = binned(series[category], name, seconds)
            found.append(strip(str(label), values, low, high))
    return found


def binned(table: Table, name: str, seconds: float) -> np.ndarray:
    """The mean of a column in each part of the film, (COLUMNS,); NaN where nothing was read.

    A part in which no moment lies takes the one before, if that is no longer ago than moments of this
    column lie apart: some are measured less often than there are parts.
    """
    values, times = table[name].astype(np.float64), table["time"]
    there = np.isfinite(values)
    width = max(seconds, 1e-9) / COLUMNS
    at = np.minimum(times[there] / width, COLUMNS - 1).astype(int)
    sums = np.bincount(at, values[there], COLUMNS)
    counts = np.bincount(at, minlength=COLUMNS)
    means = np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
    if not there.any():
        return means
    starts = np.arange(COLUMNS) * width
    last = np.searchsorted(times, starts + width) - 1
    apart = float(np.median(np.diff(times[there]))) if there.sum() > 1 else seconds
    carried = (last >= 0) & (starts - times[last] < JITTER * apart)
    return np.where(np.isnan(means) & carried, values[last], means)


def strip(label: str, values: np.ndarray, low: float, high: float) -> Strip:
    """One strip: a line through the columns, broken where there is no value."""
    heights = HEIGHT - (np.clip(values, low, high) - low) / (high - low) * HEIGHT
    pieces, gaps, drawing = [], [], False
    for x, y in enumerate(heights):
        if np.isnan(y):
            gaps.append(x)
            drawing = False
            continue
        pieces.append(f"{'L' if drawing else 'M'}{x} {y:.1f}h1")
        drawing = True
    seen = values[np.isfinite(values)]
    mean = in_range(float(seen.mean()), high) if len(seen) else _("not read")
    return Strip(label, "".join(pieces), gaps, mean)


def in_range(value: float, most: float) -> str:
    """A mean as people read it: two digits behind the point where everything lies below one."""
    return number_format(round(value, 2), decimal_pos=2) if most <= 1 else shown(value)


def table_rows(
    series: Series, seconds: float, expression: dict[str, Any] | None = None
) -> list[dict[str, Any]]:
    """The same in a table: one row for each so many whole seconds of the film.

    Less than half as many at its end go with the row before.

    expression: the result's part of that name, which says when none is told.
    """
    summary = series["summary"]
    step = max(1, math.ceil(seconds / ROWS))
    after = np.nextafter(seconds, np.inf)  # a row ends before its end; the last moment is in one
    starts = np.arange(0, after, step)
    if len(starts) > 1 and after - starts[-1] < step / 2:
        starts = starts[:-1]
    found = []
    for start, end in pairwise([*starts, after]):
        here = (summary["time"] >= start) & (summary["time"] < end)
        read = summary["status"][here] == "read"
        found.append(
            {
                "span": f"{clock(start)}{TO}{clock(end)}",
                "read": f"{round(100 * read.mean())} %" if len(read) else UNREAD,
                "expression": foremost(series, expression, start, end),
                "smile": mean_of(series, "smile-marker", ("lip_left", "lip_right"), start, end),
                "head": mean_of(series, "head-pose", ("yaw",), start, end),
            }
        )
    return found


def clock(seconds: float) -> str:
    """A time of the film as minutes and seconds."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}"


def foremost(series: Series, part: dict[str, Any] | None, start: float, end: float) -> str:
    """The expression that was told of most moments in this part of the film, or that none can be."""
    if "expression" not in series or part is None:
        return ""
    table = series["expression"]
    here = (table["time"] >= start) & (table["time"] < end) & np.isfinite(table["neutral"])
    if not here.any():
        return UNREAD
    thresholds = [part["thresholds"][label] for label in LABELS]
    told = told_classes(rows(table, LABELS)[here], thresholds, part["most_in_set"])
    times = np.bincount(told + 1, minlength=len(LABELS) + 1)
    most = int(times[1:].argmax())
    return _("cannot be told") if times[0] > times[1:][most] else str(EXPRESSIONS[LABELS[most]])


def mean_of(
    series: Series, category: str, columns: tuple[str, ...], start: float, end: float
) -> str:
    """The mean of some columns in this part of the film, in words; nothing if not measured."""
    if category not in series:
        return ""
    table = series[category]
    here = (table["time"] >= start) & (table["time"] < end)
    values = np.concatenate([table[name][here] for name in columns])
    values = values[np.isfinite(values)]
    most = 1.0 if category == "smile-marker" else 45.0
    return in_range(float(values.mean()), most) if len(values) else UNREAD


def event_rows(parts: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """What happened when, in words, by time."""
    events = [event for part in parts.values() for event in part.get("events", [])]
    return [
        {
            "start": event["start"],
            "at": clock(event["start"]),
            "what": str(EVENTS.get(event["kind"], event["kind"])),
            "length": length_words(event["end"] - event["start"])
            if event["end"] - event["start"] >= 1
            else _("under a second"),
            "note": note(event),
        }
        for event in sorted(events, key=lambda event: event["start"])
    ]


def note(event: dict[str, Any]) -> str:
    """What else is to be said about an event: of a smile, its marker."""
    verdict = event["values"].get("verdict")
    return str(VERDICTS.get(verdict, "")) if verdict else ""


def mark_rows(marks: list[dict[str, Any]], seconds: float) -> list[dict[str, Any]]:
    """What was shown when, with its column in the strips; none after the last moment of the film."""
    return [
        {
            "at": clock(mark["at"]) + (TO + clock(mark["until"]) if "until" in mark else ""),
            "name": mark["name"],
            "x": min(int(mark["at"] / max(seconds, 1e-9) * COLUMNS), COLUMNS - 1)
            if mark["at"] <= seconds
            else None,
        }
        for mark in marks
    ]
