"""What happened when in a film, from its tables: smiles, blinks, nods, looking away, stretches without a
face, and where it could not be told any more which face is the person's."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from emotion.inference.baseline import Baseline
from emotion.inference.blinks import find_closures
from emotion.inference.look_away import find_look_aways
from emotion.inference.nods import find_nods
from emotion.inference.series import Series, Table
from emotion.inference.smile_marker import PROVES_NO_FEELING
from emotion.inference.smiles import Smile, find_smiles
from emotion.inference.spans import spans_above

NO_FACE_SECONDS = 0.5
"""Shorter stretches without a face are lost readings, not somebody gone: a convention."""


@dataclass(frozen=True)
class Event:
    """kind: "smile", "blink", "eyes-closed", "nod", "shake", "look-away", "no-face" or "person-lost".

    start, end: seconds of the film. categories: the data categories that it was made of; it may be kept and
    shown only with a consent to all of them. values: what else is known, by name; units in ``UNITS``.
    """

    kind: str
    start: float
    end: float
    categories: tuple[str, ...]
    values: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        """As values of JSON."""
        return asdict(self) | {"categories": list(self.categories)}


UNITS = {
    "apex_start": "seconds",
    "apex_end": "seconds",
    "peak": "blendshape, 0 to 1",
    "onset_speed": "blendshape per second",
    "offset_speed": "blendshape per second",
    "asymmetry": "-1 right side only, 1 left side only",
    "likeness": "0 to 1, how sure the marker is; no frequency",
    "uncertainty": "0 to 0.5",
    "cheek_rise": "share of the distance between the eyes",
    "eye_narrowing": "blendshape",
    "lag": "seconds",
    "degrees": "degrees",
    "swings": "number",
}
"""The units of an event's values. Beside them: cut (its start or end was not seen), verdict, why, note."""


def find_events(series: Series, baseline: Baseline | None = None) -> list[Event]:
    """Everything that the tables of a whole film show, by time."""
    found = no_face(series["summary"]) + person_lost(series["summary"])
    if "smile-marker" in series:
        rest = 0.0
        if baseline is not None:
            sides = (baseline.level("smile-marker", name) for name in ("lip_left", "lip_right"))
            rest = sum(sides) / 2
        found += [smile_event(smile) for smile in find_smiles(series["smile-marker"], rest)]
    if "blendshapes" in series:
        found += [
            Event(each.kind, each.start, each.end, ("blendshapes",), {"cut": each.cut})
            for each in find_closures(series["blendshapes"])
        ]
    if "head-pose" in series:
        found += [
            Event(
                each.kind,
                each.start,
                each.end,
                ("head-pose",),
                {"swings": each.swings, "degrees": each.degrees},
            )
            for each in find_nods(series["head-pose"])
        ]
    seen = tuple(name for name in ("head-pose", "gaze") if name in series)
    found += [
        Event("look-away", each.start, each.end, seen, {"degrees": each.degrees, "cut": each.cut})
        for each in find_look_aways(series)
    ]
    return sorted(found, key=lambda event: (event.start, event.kind))


def smile_event(smile: Smile) -> Event:
    """A smile with its marker."""
    values = asdict(smile)
    marker = values.pop("marker")
    start, end = values.pop("start"), values.pop("end")
    values |= marker | {"uncertainty": smile.marker.uncertainty, "note": PROVES_NO_FEELING}
    return Event("smile", start, end, ("smile-marker",), values)


def no_face(summary: Table) -> list[Event]:
    """The stretches in which no face was found, from half-way to the readings on both sides."""
    gone = (summary["status"] == "no-face").astype(np.float64)
    return [
        Event("no-face", span.start, span.end, (), {"cut": span.cut})
        for span in spans_above(summary["time"], gone, 0.5, 0.5)
        if span.seconds >= NO_FACE_SECONDS
    ]


def person_lost(summary: Table) -> list[Event]:
    """From the first moment in which it stays unclear which face is the person's, to the film's end."""
    (lost,) = np.nonzero(summary["status"] == "person-lost")
    if not lost.size:
        return []
    start, end = (float(summary["time"][at]) for at in (lost[0], -1))
    return [Event("person-lost", start, end, (), {})]
