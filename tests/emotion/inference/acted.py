"""Films that nobody made: series of known truth, sampled at any times, with holes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from emotion.inference.columns import COLUMNS
from emotion.inference.series import Series, Table
from emotion.inference.spans import Line

Curve = Callable[[Line], Line]


def ramp(start: float, up: float, hold: float, down: float, height: float = 1.0) -> Curve:
    """From 0 up to a height, held, and down again; lengths in seconds."""
    knots = np.cumsum([start, up, hold, down])
    return lambda t: height * np.interp(t, knots, [0, 1, 1, 0])


def waves(start: float, seconds: float, each: float, height: float) -> Curve:
    """Whole waves to and fro between two times, nothing before and after."""
    return lambda t: np.where(
        (t >= start) & (t <= start + seconds), height * np.sin(2 * np.pi * (t - start) / each), 0
    )


def sampled(seconds: float, rate: float, *, jitter: float = 0.0, seed: int = 1) -> Line:
    """Times at a rate, each moved by up to a share of the step."""
    steps = np.arange(round(seconds * rate) + 1) / rate
    moved = steps + np.random.default_rng(seed).uniform(-jitter, jitter, len(steps)) / rate
    return np.clip(moved, 0, None)


def table(category: str, times: Line, noise: float = 0.0, **curves: Curve | float) -> Table:
    """A category's table; columns that are not named stay at 0, each with the same kind of noise."""
    chance = np.random.default_rng(7)
    found: Table = {"time": times}
    for column in COLUMNS[category]:
        curve = curves.get(column.name, 0.0)
        values = curve(times) if callable(curve) else np.full(len(times), curve)
        noisy = values + chance.normal(0, noise, len(times)) if noise else values
        found[column.name] = noisy.astype(np.float32)
    return found


def happy_or_even(times: Line, happy: Callable[[Line], NDArray[np.bool_]]) -> Table:
    """An "expression" table: plainly happy at some times, at all others shares of which nearly all fit."""
    even = {"angry": 0.13, "disgust": 0.14, "fear": 0.14, "happy": 0.14, "sad": 0.16}
    even |= {"surprise": 0.14, "neutral": 0.15}
    plain = dict.fromkeys(even, 0.01) | {"happy": 0.94}
    found = table("expression", times, **even)
    for name, share in plain.items():
        found[name] = np.where(happy(times), share, found[name]).astype(np.float32)
    return found


def summary(times: Line, absent: tuple[float, float] | None = None) -> Table:
    """The summary table of a film that was read throughout but for one stretch without a face."""
    status = np.full(len(times), "read", "<U16")
    if absent:
        status[(times >= absent[0]) & (times <= absent[1])] = "no-face"
    return {
        "time": times,
        "status": status,
        "faces": (status == "read").astype(np.int32),
        "turn_degrees": np.zeros(len(times), np.float32),
    }


def unread(times: Line, status: str = "too-dark") -> Series:
    """A film of which nothing was read, with a table for each category."""
    found = film(times) | {
        category: with_hole(table(category, times), -1, np.inf)
        for category in COLUMNS
        if category != "summary"
    }
    found["summary"]["status"][:] = status
    return found


def turned(series: Series, degrees: Line, most: float = 45.0) -> Series:
    """The series of a head that is turned by so much: nothing is read of its face beyond the most."""
    away = degrees > most
    found = {
        category: {
            name: np.where(away, np.nan, values).astype(np.float32) if name != "time" else values
            for name, values in each.items()
        }
        for category, each in series.items()
        if category != "summary"
    }
    told = dict(series["summary"])
    told["status"] = np.where(away, "turned-away", told["status"])
    return {"summary": told | {"turn_degrees": degrees.astype(np.float32)}} | found


def with_hole(found: Table, start: float, end: float) -> Table:
    """The table with nothing read between two times."""
    inside = (found["time"] >= start) & (found["time"] <= end)
    return {
        name: values if name == "time" else np.where(inside, np.nan, values).astype(np.float32)
        for name, values in found.items()
    }


def smile_table(
    times: Line,
    *,
    cheek: float = 0.02,
    eye: float = 0.3,
    late: float = 0.0,
    up: float = 0.5,
    hold: float = 2.0,
    noise: float = 0.0,
    peak: float = 0.8,
    seed: int = 3,
) -> Table:
    """One smile at 3 s: lips up to a peak, cheeks and eyes with them or later by so many seconds."""
    shape = ramp(3.0, up, hold, 0.7)
    after = ramp(3.0 + late, up, hold, 0.7)

    def lips(t: Line) -> Line:
        return peak * shape(t)

    def cheeks(t: Line) -> Line:
        return -0.2 + cheek * after(t)

    def eyes(t: Line) -> Line:
        return 0.2 + eye * after(t)

    found = table(
        "smile-marker",
        times,
        lip_left=lips,
        lip_right=lips,
        cheek_left=cheeks,
        cheek_right=cheeks,
        eye_left=eyes,
        eye_right=eyes,
    )
    if noise:
        chance = np.random.default_rng(seed)
        for name in list(found)[1:]:
            spread = 0.002 if name.startswith("cheek") else 0.02
            found[name] += chance.normal(0, noise * spread, len(times)).astype(np.float32)
    return found


def film(times: Line, **tables: Table) -> Series:
    """A series; categories with an underscore for their hyphen."""
    return {"summary": summary(times)} | {
        name.replace("_", "-"): each for name, each in tables.items()
    }
