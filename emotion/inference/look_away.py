"""Whether somebody looks away from the camera: the head's direction and the gaze within it, as far as
known.

A head that is turned too far for its face to be read looks away, wherever its eyes may point: of such a
moment the summary has the head's angle, and nothing else is known.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from emotion.inference.series import Series, rows
from emotion.inference.spans import Line, spans_above

AWAY_ON, AWAY_OFF = 30.0, 20.0
"""Degrees from the camera. A screen 60 cm away with the camera on top reaches to about 20 degrees; gaze
is known to about 10. A convention."""
AWAY_SECONDS = 0.4
"""Shorter is a glance, or a blink that pulled the irises along: a convention."""


@dataclass(frozen=True)
class LookAway:
    """start, end: seconds of the film. degrees: the furthest. cut: start or end was not seen."""

    start: float
    end: float
    degrees: float
    cut: bool


def away_degrees(series: Series) -> tuple[Line, Line]:
    """Times and degrees between where somebody looks and the camera, from "head-pose", "gaze" or both.

    With only one of the two the other is taken as straight ahead. Head and gaze are added angle by angle,
    which is right within a few degrees for a head that is not tilted far. Where the face was turned too far
    to be read ("turned-away" in "summary", if that is there) it is the head's angle alone. Empty without
    either.
    """
    times, degrees = read_degrees(series)
    if "summary" not in series or not len(times):
        return times, degrees
    summary = series["summary"]
    turned = summary["status"] == "turned-away"
    _both, mine, theirs = np.intersect1d(times, summary["time"][turned], return_indices=True)
    degrees[mine] = summary["turn_degrees"][turned][theirs]
    return times, degrees


def read_degrees(series: Series) -> tuple[Line, Line]:
    """The same of the moments at which head or eyes were read, NaN at all others."""
    head, gaze = series.get("head-pose"), series.get("gaze")
    if head is None and gaze is None:
        return np.zeros(0), np.zeros(0)
    if head is None:
        assert gaze is not None  # noqa: S101  # one of the two is there
        return gaze["time"].astype(np.float64), np.linalg.norm(rows(gaze, ("yaw", "pitch")), axis=1)
    times = head["time"].astype(np.float64)
    x, y, z = rows(head, ("x", "y", "z")).T
    to_camera = np.stack([np.arctan2(-x, -z), np.arctan2(-y, np.hypot(x, z))], axis=1)
    looking = rows(head, ("yaw", "pitch")) - np.degrees(to_camera)
    if gaze is not None:
        times, mine, theirs = np.intersect1d(times, gaze["time"], return_indices=True)
        looking = looking[mine] + rows(gaze, ("yaw", "pitch"))[theirs]
    return times, np.linalg.norm(looking, axis=1)


def find_look_aways(series: Series) -> list[LookAway]:
    """The times of looking away, in their order."""
    times, degrees = away_degrees(series)
    return [
        LookAway(
            span.start,
            span.end,
            float(np.nanmax(degrees[span.first : span.last + 1])),
            span.cut,
        )
        for span in spans_above(times, degrees, AWAY_ON, AWAY_OFF)
        if span.seconds >= AWAY_SECONDS
    ]
