"""Blinks in a film, from how far the eyes are closed (blendshape ``eyeBlink``, mean of both)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from emotion.inference.series import Table
from emotion.inference.spans import mean_step, present, spans_above

BLINK_ON, BLINK_OFF = 0.3, 0.15
"""Above the person's open eyes, which are at 0.08 in the median photograph and 0.35 in one of ten: a
convention, about half of the way to closed, and half of that."""
OPEN = 10
"""The percentile that is taken for the person's open eyes: they may be closed for most of a film, and are
wide open for little of it. A convention."""
BLINK_MOST = 0.5
"""Seconds; longer is closed eyes. Blinks take 0.1 to 0.4 s (Stern, Walrath and Goldstein 1984)."""
SEES_BLINKS = 0.07
"""Seconds between readings in the mean, at most, to see most blinks: two within a short one. Slower, the
rate is too low."""


@dataclass(frozen=True)
class Closure:
    """start, end: seconds of the film. kind: "blink" or "eyes-closed". cut: start or end was not seen."""

    start: float
    end: float
    kind: str
    cut: bool


def find_closures(table: Table) -> list[Closure]:
    """Blinks and longer closures in a "blendshapes" table.

    Looking down closes the lids too and is told apart only by how long it lasts. One whose start or end was
    not seen, and of which no more than a blink was, may have been either: it is left out.
    """
    closed = (table["eyeBlinkLeft"].astype(np.float64) + table["eyeBlinkRight"]) / 2
    _times, seen, _at = present(table["time"], closed)
    if not len(seen):
        return []
    spans = spans_above(table["time"], closed - np.percentile(seen, OPEN), BLINK_ON, BLINK_OFF)
    return [
        Closure(
            span.start,
            span.end,
            "blink" if span.seconds <= BLINK_MOST else "eyes-closed",
            span.cut,
        )
        for span in spans
        if span.seconds > BLINK_MOST or not span.cut
    ]


def sees_blinks(table: Table) -> bool:
    """Whether the readings are close enough for a rate of blinks; else there were at least so many."""
    return 0 < mean_step(table["time"], table["eyeBlinkLeft"]) <= SEES_BLINKS
