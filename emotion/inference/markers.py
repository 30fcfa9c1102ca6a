"""Marks that come with a film: what was shown or asked when, and a stretch with the face at rest.

As JSON: ``{"marks": [{"at": 12.5, "name": "clip 1"}], "baseline": [0, 5]}``, times in seconds of the film.
A mark may have an ``until``. They are carried through to the result as they came; only the baseline changes
what is measured.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

MARKS_MAX = 500
NAME_MAX = 80
SECONDS_MAX = 1e9
"""No film is as long; larger ones need not be numbers that can be computed with."""


@dataclass(frozen=True)
class Markers:
    """marks: ``at``, ``name`` and perhaps ``until`` each, by time. baseline: start and end in seconds."""

    marks: list[dict[str, Any]]
    baseline: tuple[float, float] | None = None

    def to_json(self) -> dict[str, Any]:
        """As they came."""
        return {"marks": self.marks, "baseline": self.baseline and list(self.baseline)}


def read_markers(text: str) -> Markers:
    """What was sent with a film. Raises ValueError, which says what was expected and quotes nothing."""
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError("markers must be JSON") from None
    if not isinstance(body, dict) or set(body) - {"marks", "baseline"}:
        raise ValueError("markers must be an object with 'marks' and perhaps 'baseline'")
    marks = body.get("marks") or []
    if not isinstance(marks, list) or len(marks) > MARKS_MAX:
        raise ValueError(f"'marks' must be a list of at most {MARKS_MAX}")
    found = sorted((read_mark(mark) for mark in marks), key=lambda mark: float(mark["at"]))
    baseline = body.get("baseline")
    return Markers(found, None if baseline is None else read_stretch(baseline))


def read_mark(mark: Any) -> dict[str, Any]:
    """One mark, checked."""
    if not isinstance(mark, dict) or set(mark) - {"at", "name", "until"}:
        raise ValueError("a mark must be an object with 'at', 'name' and perhaps 'until'")
    name = mark.get("name")
    if not isinstance(name, str) or not 1 <= len(name) <= NAME_MAX or not name.isprintable():
        raise ValueError(f"a mark's 'name' must be a text of 1 to {NAME_MAX} characters")
    found = {"at": seconds(mark.get("at")), "name": name}
    if "until" in mark:
        _start, found["until"] = read_stretch([mark["at"], mark["until"]])
    return found


def read_stretch(value: Any) -> tuple[float, float]:
    """A start and an end after it."""
    if not isinstance(value, list) or len(value) != 2 or seconds(value[0]) >= seconds(value[1]):
        raise ValueError("a stretch must be two times in seconds, the end after the start")
    return seconds(value[0]), seconds(value[1])


def seconds(value: Any) -> float:
    """A time of the film."""
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or not 0 <= value < SECONDS_MAX
    ):
        raise ValueError("a time must be a number of seconds from 0")
    return float(value)
