"""A film in numbers: from its tables and events to a handful of figures, each with its unit.

Shares are of the time that was read, never of the film: what was not read is not known, and stands beside
them with its reason.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from emotion.inference.asymmetry import PAIRS, blendshape_asymmetry
from emotion.inference.baseline import UNREAD, Baseline
from emotion.inference.blendshapes import NAMES
from emotion.inference.blinks import sees_blinks
from emotion.inference.calibration import Calibration
from emotion.inference.events import Event
from emotion.inference.labels import LABELS
from emotion.inference.look_away import away_degrees
from emotion.inference.motion import body_speed, head_speed
from emotion.inference.nods import sees_nods
from emotion.inference.series import Series, Table, rows
from emotion.inference.spans import HOLE, Line, present, seconds_of, seconds_within

Figure = dict[str, Any]
Figures = dict[str, Figure]


def figure(value: float | int | str | None, unit: str, **more: Any) -> Figure:
    """One number with its unit; what cannot be said is None."""
    if isinstance(value, float) and not np.isfinite(value):
        value = None
    return {"value": value, "unit": unit, **more}


NOT_READ, TOO_SELDOM = "not-read", "too-seldom"
"""Why a figure cannot be said: nothing was read of what it is about, or too seldom to see it."""
NO_PICTURE = "no-picture"
"""Why a stretch has no moments at all: the film has no picture there, or none that could be decoded."""


def unless(reason: str | None, value: float | int, unit: str, **more: Any) -> Figure:
    """A figure that can be said unless there is a reason against it."""
    return figure(None, unit, reason=reason) if reason else figure(value, unit, **more)


def unread(seconds: float) -> str | None:
    """The reason against figures of what was read for so long."""
    return None if seconds > 0 else NOT_READ


def summarise(
    series: Series,
    events: Sequence[Event],
    baseline: Baseline | None = None,
    calibration: Calibration | None = None,
) -> dict[str, Figures]:
    """The figures by data category, "summary" among them, for the tables that there are.

    calibration: that of the pack that read the expression; without it no expression is told.
    """
    found = {"summary": reading_figures(series["summary"], events)}
    if "expression" in series:
        found["expression"] = expression_figures(series["expression"], calibration)
    makers = {
        "blendshapes": blendshape_figures,
        "head-pose": head_figures,
        "gaze": gaze_figures,
        "smile-marker": smile_figures,
        "body-motion": body_figures,
    }
    for category, make in makers.items():
        if category in series:
            found[category] = make(series, events)
    if baseline is not None:
        found["summary"]["baseline"] = figure(
            None if baseline.how == UNREAD else baseline.end - baseline.start,
            "seconds",
            start=baseline.start,
            end=baseline.end,
            how=baseline.how,
        )
    return found


def reading_figures(table: Table, events: Sequence[Event]) -> Figures:
    """How long the film was, how much of it was read, and why the rest was not.

    From the first moment to the last: what lies between two moments that are further apart than
    ``spans.stretches`` allows is told as not read, whichever way its pictures were lost.
    """
    times = table["time"]
    seconds = seconds_of(times)
    total = float(times[-1] - times[0]) if len(times) else 0.0
    by_status = {
        str(status): float(seconds[table["status"] == status].sum())
        for status in np.unique(table["status"])
    }
    lost = total - float(seconds.sum())
    if lost > HOLE:  # else it is what rounding left
        by_status[NO_PICTURE] = lost
    read = by_status.pop("read", 0.0)
    return {
        "watched": figure(total, "seconds"),
        "read": figure(read, "seconds"),
        "moments": figure(len(table["time"]), "readings"),
        "abstained": figure(total - read, "seconds", why=by_status),
        "no_face": figure(number_of(events, "no-face"), "times"),
        "person_lost_at": figure(
            next((event.start for event in events if event.kind == "person-lost"), None),
            "seconds of the film",
        ),
    }


def number_of(events: Sequence[Event], kind: str) -> int:
    """How many events of a kind there are."""
    return sum(event.kind == kind for event in events)


def lasted(events: Sequence[Event], kind: str, times: Line, values: Line) -> float:
    """For how long the events of a kind were seen together: of what they were made of, what was read."""
    spans = [(event.start, event.end) for event in events if event.kind == kind]
    return seconds_within(times, values, spans)


def read_seconds(table: Table, column: str) -> float:
    """How long a column was read."""
    return float(seconds_of(table["time"], table[column]).sum())


def mean_over_time(times: Line, values: Line) -> float:
    """The mean of values by the time that each stands for; NaN without any."""
    weights = seconds_of(times, values)
    sums = np.where(weights > 0, values, 0) * weights
    return float(sums.sum() / weights.sum()) if weights.sum() > 0 else float("nan")


def per_minute(number: int, seconds: float) -> float:
    """A rate; NaN when nothing was read."""
    return 60 * number / seconds if seconds > 0 else float("nan")


def expression_figures(table: Table, calibration: Calibration | None) -> Figures:
    """How long each expression was told, how long none could be, and the means of the indices.

    A moment is told of by the rule for a photograph: where too many expressions fit, none is.
    """
    _times, _values, at = present(table["time"], table[LABELS[0]])
    told = np.full(len(at), -1)
    if calibration is not None:
        told = calibration.foremost(rows(table, LABELS)[at])
    seconds = seconds_of(table["time"], table[LABELS[0]])[at]
    read = float(seconds.sum())
    found = {"read": figure(read, "seconds")}
    names = [*(f"{label}_foremost" for label in LABELS), "untold"]
    for number, name in zip([*range(len(LABELS)), -1], names, strict=True):
        found[name] = unless(unread(read), float(seconds[told == number].sum()), "seconds")
    for name in ("valence_index", "activation_index"):
        found[f"{name}_mean"] = figure(mean_over_time(table["time"], table[name]), "index")
    return found


def blendshape_figures(series: Series, events: Sequence[Event]) -> Figures:
    """Blinks, and how unevenly the sides moved where they moved."""
    table = series["blendshapes"]
    seconds, blinks = read_seconds(table, "eyeBlinkLeft"), number_of(events, "blink")
    uneven = blendshape_asymmetry(rows(table, NAMES).astype(np.float32))
    seen = np.isfinite(uneven)
    counts = seen.sum(axis=0)
    sums = np.where(seen, uneven, 0).sum(axis=0)
    lengths = [event.end - event.start for event in events if event.kind == "blink"]
    reason = unread(seconds)
    return {
        "read": figure(seconds, "seconds"),
        "blinks": unless(reason, blinks, "times", at_least=not sees_blinks(table)),
        "blink_rate": figure(
            per_minute(blinks, seconds) if sees_blinks(table) else None, "per minute read"
        ),
        "blink_length": figure(float(np.median(lengths)) if lengths else None, "seconds, median"),
        "eyes_closed": unless(
            reason, lasted(events, "eyes-closed", table["time"], table["eyeBlinkLeft"]), "seconds"
        ),
        "asymmetry": figure(
            None,
            "-1 right side only, 1 left side only; mean where the sides moved",
            by_movement={
                stem: float(total / count)
                for stem, total, count in zip(PAIRS, sums, counts, strict=True)
                if count
            },
        ),
    }


def head_figures(series: Series, events: Sequence[Event]) -> Figures:
    """Nods, shakes and how much the head moved."""
    table = series["head-pose"]
    turned, moved = head_speed(table)
    read = read_seconds(table, "yaw")
    reason = unread(read) or (None if sees_nods(table) else TOO_SELDOM)
    return {
        "read": figure(read, "seconds"),
        "nods": unless(reason, number_of(events, "nod"), "times"),
        "shakes": unless(reason, number_of(events, "shake"), "times"),
        "turning": figure(mean_over_time(table["time"], turned), "degrees per second, mean"),
        "moving": figure(mean_over_time(table["time"], moved), "centimetres per second, mean"),
        **({} if "gaze" in series else away_figures(series, events)),
    }


def away_figures(series: Series, events: Sequence[Event]) -> Figures:
    """Looking away, from whatever of head and gaze is there."""
    times, degrees = away_degrees(series)
    seen = float(seconds_of(times, degrees).sum())
    away = lasted(events, "look-away", times, degrees)
    made_of = {"made_of": [name for name in ("head-pose", "gaze") if name in series]}
    return {
        "look_aways": unless(unread(seen), number_of(events, "look-away"), "times") | made_of,
        "looked_away": unless(unread(seen), away, "seconds") | {"of": seen} | made_of,
    }


def gaze_figures(series: Series, events: Sequence[Event]) -> Figures:
    """Looking away. It uses the head's direction, too, where that is measured."""
    return {"read": figure(read_seconds(series["gaze"], "yaw"), "seconds")} | away_figures(
        series, events
    )


def smile_figures(series: Series, events: Sequence[Event]) -> Figures:
    """Smiles, and how their markers came out."""
    smiles = [event for event in events if event.kind == "smile"]
    verdicts = [event.values["verdict"] for event in smiles]
    table = series["smile-marker"]
    read = read_seconds(table, "lip_left")
    smiled = lasted(events, "smile", table["time"], table["lip_left"])
    return {
        "read": figure(read, "seconds"),
        "smiles": unless(unread(read), len(smiles), "times"),
        "smiled": unless(unread(read), smiled, "seconds"),
        "markers": figure(
            None,
            "smiles",
            by_verdict={each: verdicts.count(each) for each in sorted(set(verdicts))},
        ),
    }


def body_figures(series: Series, events: Sequence[Event]) -> Figures:
    """How much the upper body moved."""
    table = series["body-motion"]
    speed = body_speed(table)
    return {
        "read": figure(float(seconds_of(table["time"], speed).sum()), "seconds"),
        "moving": figure(mean_over_time(table["time"], speed), "shoulder widths per second, mean"),
    }
