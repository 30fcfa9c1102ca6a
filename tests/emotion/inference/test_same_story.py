"""One film told in other ways (coded, sampled, lit, cut down, turned, mirrored) shows the same story.

The person tilts the head to and fro and is out of the picture for a second, so that there is a story.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import cache

import cv2
import numpy as np
import pytest

from emotion.inference.arrays import Array, Pixels
from emotion.inference.events import find_events
from emotion.inference.expressions import expression_pack
from emotion.inference.film_reading import read_film
from emotion.inference.films import open_film
from emotion.inference.series import Series, joined
from tests.emotion.inference.film_making import Recipe, write
from tests.emotion.inference.photographs import pixels

SIZE = (480, 360)
SECONDS = 4.0
TILT = 14.0  # degrees to either side, once in two seconds
GONE = (2.4, 3.4)  # seconds without anybody
QUARTER_TURN = (0, 65536, 0, -65536, 0, 0, 0, 0, 1073741824)
PLAIN = Recipe(size=SIZE)
CATEGORIES = ("head-pose", "expression")


def scene(time: float) -> Pixels:
    """The picture at a time in seconds."""
    width, height = SIZE
    face = cv2.resize(pixels()[:360, 30:510], SIZE, interpolation=cv2.INTER_AREA)
    if GONE[0] <= time < GONE[1]:
        return np.full_like(face, 90)
    turn = cv2.getRotationMatrix2D((width / 2, height / 3), TILT * np.sin(np.pi * time), 1.0)
    return cv2.warpAffine(face, turn, SIZE, borderMode=cv2.BORDER_REPLICATE)


@dataclass(frozen=True)
class Telling:
    """How the film is made: its recipe, the pictures a second, and what is done to each picture."""

    recipe: Recipe = PLAIN
    rate: int = 25
    change: Callable[[Pixels], Pixels] = np.asarray


TELLINGS = {
    "VP9 in WebM, live": Telling(
        Recipe("webm", "vp9", size=SIZE, live=True, encoder=(("b", "800k"),))
    ),
    "H.264 as poor as a call": Telling(Recipe(size=SIZE, encoder=(("crf", "33"),))),
    "half the pictures": Telling(Recipe(size=SIZE, base=Fraction(1, 12)), rate=12),
    "six tenths of the light": Telling(change=lambda p: (p * 0.6).astype(np.uint8)),
    "three quarters of the size": Telling(
        Recipe(size=(360, 270)),
        change=lambda p: cv2.resize(p, (360, 270), interpolation=cv2.INTER_AREA),
    ),
    "turned by the camera's flag": Telling(
        Recipe(size=(360, 480), matrix=QUARTER_TURN), change=lambda p: np.rot90(p)
    ),
}


@cache
def told(telling: Telling) -> Series:
    """The film's tables, at 10 moments a second."""
    held = io.BytesIO()
    count = round(SECONDS * telling.rate)
    frames = (telling.change(scene(number / telling.rate)) for number in range(count))
    write(held, telling.recipe, enumerate(map(np.ascontiguousarray, frames)))
    with open_film(io.BytesIO(held.getvalue()), rate=10.0) as frames_of_it:
        stretches = list(read_film(frames_of_it, CATEGORIES, expression_pack()))
    return joined([each.series for each in stretches])


def tilt(series: Series) -> Array:
    """The head's roll in degrees, every tenth of a second while the person is there; NaN where not read."""
    table, at = series["head-pose"], np.arange(0.2, 2.2, 0.1)
    seen = np.isfinite(table["roll"])
    times = table["time"][seen]
    near = np.abs(times[None] - at[:, None]).min(axis=1) < 0.11
    return np.where(near, np.interp(at, times, table["roll"][seen]), np.nan)


def compare(one: Array, other: Array) -> float:
    """The largest difference in degrees where both were read, which is half of the time at least."""
    apart = np.abs(one - other)
    assert np.isfinite(apart).mean() >= 0.5
    return float(np.nanmax(apart))


def happy(series: Series) -> float:
    """The mean probability of a happy expression."""
    return float(np.nanmean(series["expression"]["happy"]))


def absences(series: Series) -> list[tuple[float, float]]:
    return [(e.start, e.end) for e in find_events(series) if e.kind == "no-face"]


def test_the_story_is_told() -> None:
    """What the others are compared with is the truth that was drawn."""
    series = told(Telling())
    drawn = TILT * np.sin(np.pi * np.arange(0.2, 2.2, 0.1))
    assert abs(np.ptp(tilt(series)) - np.ptp(drawn)) < 2
    assert abs(np.corrcoef(tilt(series), drawn)[0, 1]) > 0.99
    [(start, end)] = absences(series)
    assert start == pytest.approx(GONE[0], abs=0.15)
    assert end == pytest.approx(GONE[1], abs=0.15)
    assert happy(series) > 0.8


@pytest.mark.parametrize("name", TELLINGS)
def test_the_same_story_however_it_is_told(name: str) -> None:
    first, other = told(Telling()), told(TELLINGS[name])
    assert compare(tilt(first), tilt(other)) < 1.5
    assert happy(other) == pytest.approx(happy(first), abs=0.03)
    [(start, end)] = absences(other)
    assert start == pytest.approx(GONE[0], abs=0.15)
    assert end == pytest.approx(GONE[1], abs=0.15)


def test_in_the_mirror_it_is_the_same_story_turned_round() -> None:
    first = told(Telling())
    other = told(Telling(change=lambda p: p[:, ::-1]))
    assert compare(tilt(first), -tilt(other)) < 1.5
    assert happy(other) == pytest.approx(happy(first), abs=0.03)
