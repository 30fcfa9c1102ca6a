"""Smiles in a film: when the corners of the mouth went up, how fast, how long, how evenly, and the
marker."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from emotion.inference.asymmetry import asymmetry
from emotion.inference.series import Table
from emotion.inference.smile_marker import (
    CANNOT_TELL,
    CHEEK_NOISE,
    EYE_NOISE,
    LEAST_READINGS,
    Marker,
    judge,
)
from emotion.inference.spans import Line, Span, crossing, present, spans_above, usual_step

Chosen = NDArray[np.bool_]

SMILE_ON, SMILE_OFF = 0.3, 0.15
"""Lip corner pull, 0 to 1, above the person's rest. At 0.3 were 4 % of the photographs labelled neutral and
71 % of those labelled happy (1,218 of FER2013); the lower level is half of it."""
SMILE_SECONDS = 0.3
"""Shorter ones are taken for noise or speech: a convention."""
PLATEAU = 0.9
"""Share of the way up from which the smile is at its apex: the usual 10 to 90 % rise."""
BEFORE, LEAD = 1.5, 0.5
"""Seconds before a smile from and to which the face is at rest, as far as the corners of the mouth are
down. Cheeks may lead them by about as long as an onset takes: what is nearer may have begun to move. A
convention."""


@dataclass(frozen=True)
class Smile:
    """Times in seconds of the film; lip corner pull as a blendshape, 0 to 1, the mean of both sides.

    start, end: where it crossed the lower level. apex_start, apex_end: above 90 % of its way up. peak: the
    highest pull. onset_speed, offset_speed: pull per second, None where the start or the end was not
    seen. asymmetry: at the apex, -1 only the person's right side, 1 only the left. cut: whether start or
    end was not seen.
    """

    start: float
    apex_start: float
    apex_end: float
    end: float
    peak: float
    onset_speed: float | None
    offset_speed: float | None
    asymmetry: float
    cut: bool
    marker: Marker


def lip_pull(table: Table) -> Line:
    """The mean of both corners of the mouth (n,)."""
    pull: Line = (table["lip_left"].astype(np.float64) + table["lip_right"]) / 2
    return pull


def find_smiles(table: Table, rest: float = 0.0) -> list[Smile]:
    """The smiles in a "smile-marker" table; ``rest``: the pull of the person's face at rest."""
    times, pull = table["time"].astype(np.float64), lip_pull(table) - rest
    found = spans_above(times, pull, SMILE_ON, SMILE_OFF)
    return [smile_of(table, pull, span, rest) for span in found if span.seconds >= SMILE_SECONDS]


def smile_of(table: Table, pull: Line, span: Span, rest: float) -> Smile:
    """One smile from its span."""
    inside = slice(span.first, span.last + 1)
    t, v, at = present(table["time"][inside], pull[inside])
    at = at + span.first
    peak = float(v.max())
    level = SMILE_OFF + PLATEAU * (peak - SMILE_OFF)
    high = np.flatnonzero(v >= level)
    first, last = int(high[0]), int(high[-1])
    rises, falls = first > 0, last < len(v) - 1
    apex_start = crossing(t, v, first - 1, first, level) if rises else float(t[first])
    apex_end = crossing(t, v, last, last + 1, level) if falls else float(t[last])
    sides = asymmetry(table["lip_left"][at[high]], table["lip_right"][at[high]])
    return Smile(
        start=span.start,
        apex_start=apex_start,
        apex_end=apex_end,
        end=span.end,
        peak=peak + rest,
        onset_speed=None if span.cut_start else speed(level, apex_start - span.start),
        offset_speed=None if span.cut_end else speed(level, span.end - apex_end),
        asymmetry=float(np.nanmean(sides)),
        cut=span.cut,
        marker=marker_of(table, pull, span, apex_start, apex_end),
    )


def speed(level: float, seconds: float) -> float | None:
    """Pull per second between the lower level and the apex; None when that was no time at all."""
    return (level - SMILE_OFF) / seconds if seconds > 0 else None


def marker_of(table: Table, pull: Line, span: Span, apex_start: float, apex_end: float) -> Marker:
    """The marker of one smile, or why it cannot be told. pull: above the person's own rest."""
    if span.cut_start:
        return Marker(CANNOT_TELL, why="The start of the smile was not seen.")
    times = table["time"].astype(np.float64)
    cheek = (table["cheek_left"].astype(np.float64) + table["cheek_right"]) / 2
    eye = (table["eye_left"].astype(np.float64) + table["eye_right"]) / 2
    known = np.isfinite(cheek) & np.isfinite(pull)
    window = known & (times >= span.start - BEFORE) & (times <= apex_end)
    rest = window & (times <= span.start - LEAD) & (pull < SMILE_OFF)
    apex = known & (times >= apex_start) & (times <= apex_end)
    onset = known & (times > span.start) & (times <= apex_start)
    if rest.sum() < LEAST_READINGS or apex.sum() < 1 or onset.sum() < LEAST_READINGS - 1:
        return Marker(CANNOT_TELL, why="Too few readings before the smile or in its onset.")
    rise = difference(cheek[rest], cheek[apex], CHEEK_NOISE)
    narrowing = difference(eye[rest], eye[apex], EYE_NOISE)
    rising = (onset | apex)[window]
    lips, cheeks = (
        half_way(times[window], line[window], float(np.median(line[rest])), rising)
        for line in (pull, cheek)
    )
    lag = None if lips is None or cheeks is None else cheeks - lips
    return judge(rise, narrowing, lag, usual_step(times[known]))


def difference(before: Line, after: Line, noise: float) -> tuple[float, float]:
    """By how much the median rose, and its noise: at least that of single readings, divided by their
    number."""
    spread = [max(float(part.std()), noise) / np.sqrt(len(part)) for part in (before, after)]
    return float(np.median(after) - np.median(before)), float(np.hypot(*spread))


def half_way(times: Line, values: Line, rest: float, rising: Chosen) -> float | None:
    """When values (n,) had gone half of their way up from a rest to their top; None if that was not seen.

    rising: since the smile began, where the top is looked for. The way up may have begun before: it is the
    last one that leads there.
    """
    top = float(values[rising].max())
    if top <= rest:
        return None
    half, level = (rest + share * (top - rest) for share in (0.5, PLATEAU))
    up = np.flatnonzero(rising & (values >= level))[0]
    below = np.flatnonzero(values[:up] < half)
    return crossing(times, values, below[-1], below[-1] + 1, half) if len(below) else None
