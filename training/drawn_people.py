"""How often somebody else is read as the person, in films that are drawn at random.

    python -m training.drawn_people [FILMS]

The people of the tests, for 18 s, in films of 10 to 30 pictures a second of which ten are taken, as a film
is read: the person sits alone for a while, then one or two others and the person walk about, sit down, turn
away, leave and come back, at random and without regard for one another. Whoever is drawn later stands in
front. A moment is misread where a face was read that is not within half a face width of the person's, or
while somebody stands before them. Printed: films with one, such moments, and how many of the moments in
which the person could be seen were read.
"""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Callable
from multiprocessing import Pool

import numpy as np

from emotion.inference.arrays import Pixels
from emotion.inference.tracking import Follower
from tests.emotion.inference.scenes import (
    FACE,
    HEIGHT,
    MIDDLE,
    WIDTH,
    bystander,
    moments,
    person,
    put,
)

SECONDS, TAKEN = 18.0, 10
FILMED = (10, 12, 15, 24, 25, 30)  # pictures a second
SEATS = (160, 300, 420, 560, 700)
DOORS = (-150, WIDTH + 150)
SPEEDS = (150, 250, 400, 600)  # pixels a second: 1.5 to 6 face widths
HIDES = 0.8  # face widths within which who stands in front hides whom

Way = Callable[[float], float | None]
Leg = tuple[float, float, float, float]
"""From when and where, until when and where."""


def life(chance: random.Random, *, first: bool) -> Way:
    """Where somebody's face is at a time; None while it is turned away or not there."""
    legs: list[Leg] = []
    away: list[tuple[float, float]] = []
    if first:
        time, x = chance.uniform(3, 12), float(chance.choice([420, 420, 300, 560]))
        legs.append((0.0, x, time, x))
    else:
        time, x = chance.uniform(2, 9), float(chance.choice(DOORS))
    while time < SECONDS:
        what = chance.random()
        if what < 0.45 or not legs:
            goal = float(chance.choice(SEATS if chance.random() < 0.7 else DOORS))
            there = time + abs(goal - x) / chance.choice(SPEEDS)
            legs.append((time, x, there, goal))
            time, x = there, goal
            if x in DOORS and chance.random() < 0.5:
                break
            continue
        turned = what >= 0.75
        stays = chance.choice([0.1, 0.3, 1, 3, 5]) if turned else chance.uniform(0.5, 4)
        legs.append((time, x, time + stays, x))
        away += [(time, time + stays)] if turned else []
        time += stays
        if turned and chance.random() < 0.4:
            break  # left with the back to the camera
    return lambda at: on_the_way(legs, away, at)


def on_the_way(legs: list[Leg], away: list[tuple[float, float]], time: float) -> float | None:
    """The place at a time, between where a leg begins and where it ends."""
    if any(begin <= time < end for begin, end in away):
        return None
    for begin, here, end, goal in legs:
        if begin <= time < end:
            return here + (goal - here) * (time - begin) / (end - begin)
    return None


def film(number: int) -> tuple[int, int, int]:
    """Moments misread, moments read rightly, and moments in which the person could be seen."""
    chance = random.Random(number)  # noqa: S311  scenes, no secrets
    heads: list[Pixels] = [person(), bystander()]
    heads.append(np.clip(person()[:, ::-1] * 1.1 + 10, 0, 255).astype(np.uint8))
    mirrored = (bystander().shape[1] - MIDDLE[0], MIDDLE[1])
    people = [life(chance, first=each == 0) for each in range(chance.choice([2, 2, 3]))]
    order = list(range(len(people)))
    chance.shuffle(order)
    before_them = set(order[order.index(0) + 1 :])
    follower, wrong, right, seen = Follower(), 0, 0, 0
    for time in moments(SECONDS, chance.choice(FILMED), TAKEN):
        canvas = np.full((HEIGHT, WIDTH, 3), 110, np.uint8)
        places = [way(time) for way in people]
        for each in order:
            if (x := places[each]) is not None:
                put(canvas, heads[each], x, 250, mirrored if each else MIDDLE)
        sighting, own = follower.see(canvas, time), places[0]
        others = [places[each] for each in before_them]
        hidden = own is None or any(x is not None and abs(x - own) < HIDES * FACE for x in others)
        seen += not hidden and own is not None and 0 < own < WIDTH
        if sighting.landmarks is None:
            continue
        box = sighting.landmarks.face.box
        here = float(box[0] + box[2]) / 2
        if hidden or own is None or abs(here - own) > FACE / 2:
            wrong += 1
        else:
            right += 1
    return wrong, right, seen


def main() -> None:
    """Draw them, and say what was read."""
    films = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    with Pool(os.cpu_count()) as pool:
        found = pool.map(film, range(films), chunksize=4)
    wrong, right, seen = (sum(column) for column in zip(*found, strict=True))
    with_any = sum(1 for each in found if each[0])
    print(
        f"{films} films: {with_any} with a moment of somebody else, {wrong} such moments; ", end=""
    )
    print(f"{right:,} of {seen:,} moments read in which the person could be seen")


if __name__ == "__main__":
    main()
