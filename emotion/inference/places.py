"""Where faces are in a picture, how far from one another, and which is which from one look to the next.

Lengths are face widths, so that nothing depends on how near the camera is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from emotion.inference.faces import Face
from emotion.inference.pictures import Picture

LOOK_EVERY = 0.1
"""Seconds between two looks around the person for other faces; every other one is at the whole picture.

Somebody who walks goes a face width in that time (``WALK``), and so is seen before they stand in front.
"""
NEAR = 1.5
"""Face widths between two centres within which another face disturbs what is measured on the person's."""
OVER = 1.0
"""Face widths within which one face may hide the other: from then on it is not clear who is who."""
WALK = 10.0
"""Face widths a second by which somebody else may move: 1.5 m."""
SAME_SIZE = 1.4
"""Ratio of two sizes that are still one person at one distance."""
SAME_ONE = 0.5
"""Face widths, besides the way that it may have gone, within which a face is the one of before."""


@dataclass(frozen=True)
class Place:
    """Where a face was. x, y, size: pixels (centre, longer side); time: seconds of the film."""

    x: float
    y: float
    size: float
    time: float

    @classmethod
    def of(cls, face: Face, time: float) -> Place:
        """The place of a face at a time."""
        return cls.of_box(face.box.tolist(), time)

    @classmethod
    def of_box(cls, box: list[float], time: float) -> Place:
        """The place of a face of which only the box is known."""
        left, top, right, bottom = box
        return cls((left + right) / 2, (top + bottom) / 2, max(right - left, bottom - top), time)

    @property
    def face(self) -> Face:
        """A face of that size there, as far as is known of it."""
        half = self.size / 2
        return Face.of_box(np.array([self.x - half, self.y - half, self.x + half, self.y + half]))

    def distance(self, other: Place) -> float:
        """Between the centres, in widths of the larger face."""
        return float(np.hypot(self.x - other.x, self.y - other.y) / max(self.size, other.size))


def margin(picture: Picture, place: Place) -> float:
    """Face widths between a face and the nearest side of the picture; negative where it is cut off."""
    height, width = picture.shape[:2]
    middle = min(place.x, place.y, width - place.x, height - place.y)
    return float(middle / place.size) - 0.5


def way_between(before: Place, now: Place) -> float:
    """Face widths that anybody may have gone between two looks, at least of one look."""
    return WALK * min(max(now.time - before.time, LOOK_EVERY), 2 * LOOK_EVERY)


def beside(before: Place, now: Place) -> bool:
    """Whether one may have been behind the other, or is now."""
    return before.distance(now) <= OVER + way_between(before, now)


def went_on(now: list[Place], before: list[Place]) -> dict[int, int]:
    """Which of those now is which of those before: who was seen last first, then who is nearest."""
    found: dict[int, int] = {}
    pairs = sorted(
        (-was.time, at.distance(was), i, j)
        for i, at in enumerate(now)
        for j, was in enumerate(before)
        if at.distance(was) <= SAME_ONE + way_between(was, at)
    )
    for _time, _distance, i, j in pairs:
        if i not in found and j not in found.values():
            found[i] = j
    return found


def nearest(place: Place, faces: list[Face]) -> float:
    """How many face widths away the nearest of these is; without any, infinitely many."""
    return min((place.distance(Place.of(face, place.time)) for face in faces), default=math.inf)


def same_size(one: float, other: float, ratio: float = SAME_SIZE) -> bool:
    """Whether two sizes are those of one face at one distance."""
    return max(one, other) <= ratio * min(one, other)


def apart(places: list[Place]) -> bool:
    """Whether no two faces disturb each other."""
    return all(
        one.distance(other) >= NEAR for at, one in enumerate(places) for other in places[at + 1 :]
    )
