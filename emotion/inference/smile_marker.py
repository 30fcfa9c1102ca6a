"""Whether a smile had the Duchenne marker: cheeks and eyes that rise together with the corners of the
mouth.

After Ekman, Davidson and Friesen (1990): lip corner pull (AU12) with cheek raise (AU6). Three questions are
asked: have the cheeks risen, have the eyes narrowed, did it happen together? Each against the face's own
state just before the smile, so that only a smile whose start was seen can be judged. The limits are
conventions, not validated against coded smiles; a strong pull of the lips alone raises the cheeks a little.

How sure an answer is: Phi((value - limit) / s), with Phi the normal distribution function and s put
together from the noise of the readings around the value and half of the limit, because the limit itself is
not known better than that. For the timing s is the distance between readings. The marker is as sure as the
least sure of the three. These are not frequencies: nobody counted how often they are right.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

DUCHENNE_LIKE, NOT, CANNOT_TELL = "duchenne-like", "not", "cannot-tell"
PROVES_NO_FEELING = (
    "The marker is a pattern of movements. It proves no feeling: people can pose it, and be glad "
    "without it."
)

CHEEK_RISE = 0.008
"""Share of the distance between the eyes: half of what happy photographs lay above neutral ones (0.016)."""
CHEEK_NOISE = 0.002
"""Its standard deviation for one still face with noise and shifted by a few pixels: measured."""
EYE_NARROWING = 0.1
"""Of the blendshape eyeSquint: as much as happy photographs lay above neutral ones."""
EYE_NOISE = 0.04
"""Its standard deviation, measured in the same way."""
TOGETHER = 0.4
"""Seconds between half of the lips' and half of the cheeks' way: a smile's onset takes about as long."""
SURE = 0.8
"""From here on it is called so; from 1 - 0.8 down it is called not so; between, it cannot be told."""
LEAST_READINGS = 3
"""In the onset, and just before it: with fewer, neither rise nor timing can be seen."""


@dataclass(frozen=True)
class Marker:
    """verdict: one of the three. likeness: 0 to 1, None where nothing could be computed; why: in that case.

    cheek_rise: share of the distance between the eyes; eye_narrowing: blendshape; both since before the
    smile. lag: seconds by which the cheeks came later than the lips, None if they did not rise.
    """

    verdict: str
    likeness: float | None = None
    why: str = ""
    cheek_rise: float | None = None
    eye_narrowing: float | None = None
    lag: float | None = None

    @property
    def uncertainty(self) -> float:
        """0 surely, 0.5 nothing known: how far the likeness is from the nearer of yes and no."""
        return 0.5 if self.likeness is None else min(self.likeness, 1 - self.likeness)


def above(value: float, limit: float, spread: float) -> float:
    """How sure it is that a value that is known to within ``spread`` lies above a limit: 0 to 1."""
    return 0.5 * (1 + math.erf((value - limit) / (max(spread, 1e-9) * math.sqrt(2))))


def judge(
    cheek: tuple[float, float], eye: tuple[float, float], lag: float | None, step: float
) -> Marker:
    """The marker from each rise with its noise, the lag in seconds and the distance between readings."""
    parts = [
        above(cheek[0], CHEEK_RISE, math.hypot(cheek[1], CHEEK_RISE / 2)),
        above(eye[0], EYE_NARROWING, math.hypot(eye[1], EYE_NARROWING / 2)),
    ]
    if lag is not None:
        parts.append(above(TOGETHER, abs(lag), step))
    likeness = min(parts)
    verdict = CANNOT_TELL
    if likeness >= SURE and lag is not None:
        verdict = DUCHENNE_LIKE
    elif likeness <= 1 - SURE:
        verdict = NOT
    why = "" if verdict != CANNOT_TELL else "The movements lie too near to the limits."
    return Marker(verdict, likeness, why, cheek[0], eye[0], lag)
