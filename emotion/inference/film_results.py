"""A film's result: figures and events by data category, from its series.

Looking away is made of the head and the eyes together, and each category is erased alone: so it is kept
with neither, and ``looking_away`` finds it anew in whatever of the two is there when somebody reads.
"""

from __future__ import annotations

from typing import Any

from emotion.inference.baseline import find_baseline
from emotion.inference.columns import SERIES_SCHEMA
from emotion.inference.events import UNITS, Event, find_events
from emotion.inference.expressions import CAVEAT, ExpressionPack
from emotion.inference.labels import LABELS
from emotion.inference.markers import Markers
from emotion.inference.readings import (
    BLENDSHAPES,
    BODY,
    FINDING,
    Part,
    model_versions,
)
from emotion.inference.series import SUMMARY, Series
from emotion.inference.sessions import engine
from emotion.inference.summaries import Figures, away_figures, summarise

LOOK_AWAY = "look-away"
MODELS_OF = {
    SUMMARY: FINDING,
    "blendshapes": BLENDSHAPES,
    "head-pose": FINDING,
    "gaze": FINDING,
    "smile-marker": (*FINDING, *BLENDSHAPES),
    "body-motion": BODY,
}


def film_parts(
    series: Series, film: dict[str, Any], pack: ExpressionPack, markers: Markers
) -> dict[str, Part]:
    """The JSON parts by data category, for each table that there is.

    film: what is known of the film itself (seconds, width, height, moments a second). pack: who read the
    expression. markers: what came with it.
    """
    baseline = find_baseline(series, markers.baseline)
    events = find_events(series, baseline)
    figures = summarise(series, events, baseline, pack.calibration)
    found = {category: part(category, figures[category], events) for category in series}
    found[SUMMARY] |= {"kind": "film", "film": film, "marks": markers.marks, "engine": engine()}
    if "expression" in found:
        found["expression"] |= told_of(pack)
        found[SUMMARY]["packs"] = {"expression": pack.title}
    return found


def told_of(pack: ExpressionPack) -> Part:
    """What must be known about expressions that this pack read, and when it tells none."""
    calibration = pack.calibration
    data = calibration.data
    return {
        "model": pack.what,
        "pack": pack.title,
        "models": pack.files,
        "coverage": calibration.coverage,
        "most_in_set": calibration.most_in_set,
        "thresholds": dict(zip(LABELS, calibration.thresholds, strict=True)),
        "calibrated_on": data,
        "calibrated_at": calibration.date,
        "caveat": CAVEAT.format(data=data),
    }


def part(category: str, figures: Figures, events: list[Event]) -> Part:
    """One category's figures and events."""
    home = () if category == SUMMARY else (category,)
    mine = [event for event in events if event.categories == home and event.kind != LOOK_AWAY]
    return {
        "schema": SERIES_SCHEMA,
        "figures": {name: figure for name, figure in figures.items() if "made_of" not in figure},
        "events": [event.to_json() for event in mine],
        "event_units": units_of(mine),
        "models": model_versions(MODELS_OF.get(category, ())),
    }


def units_of(events: list[Event]) -> dict[str, str]:
    """The units of the values that these events have."""
    return {
        name: unit for name, unit in UNITS.items() if any(name in each.values for each in events)
    }


def looking_away(series: Series) -> dict[str, Part]:
    """Figures and events of looking away, under the category in whose part they are shown; else empty."""
    seen = [name for name in ("gaze", "head-pose") if name in series]
    if not seen:
        return {}
    events = [event for event in find_events(series) if event.kind == LOOK_AWAY]
    figures = away_figures(series, events)
    return {seen[0]: {"figures": figures, "events": [event.to_json() for event in events]}}
