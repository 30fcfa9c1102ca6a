"""A film, moment by moment, in stretches of a minute that follow one another and can be taken up again.

Memory does not grow with the film: a stretch is handed on as soon as it is full. What the next one needs
to know of it (who is followed, and where) is a small state that is handed on with it, so that a reading
that was interrupted goes on as if it had not been.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from emotion.inference.arrays import Pixels
from emotion.inference.body import find_body
from emotion.inference.expressions import ExpressionPack
from emotion.inference.films import Frame
from emotion.inference.landmarks import Landmarks, face_of
from emotion.inference.moments import Moment, read_moment
from emotion.inference.quality import motion
from emotion.inference.series import Series, to_series
from emotion.inference.tracking import Follower, Memory

STRETCH = 60.0
"""Seconds of film in a stretch: what a worker that dies has done in vain, and is sealed at once."""
EXPRESSION_RATE = 5.0
"""Looks at the expression a second: it changes more slowly than a lid, and its models cost most."""
BODY_RATE = 5.0
"""Looks at the body a second."""


@dataclass(frozen=True)
class Stretch:
    """number: counted from 1; the film's seconds from (number - 1) to number times STRETCH.

    state: plain values from which the next stretch goes on.
    """

    number: int
    series: Series
    state: dict[str, Any]


class FilmReader:
    """Reads the frames of one film in the order of their times, measuring only the asked categories."""

    def __init__(
        self,
        categories: Collection[str],
        pack: ExpressionPack,
        state: dict[str, Any] | None = None,
    ) -> None:
        self.categories = frozenset(categories)
        self.pack = pack
        self.follower = Follower(Memory.from_json(state["memory"]) if state else None)
        self.before: float | None = state["before"] if state else None
        self.last: tuple[float, Landmarks] | None = None

    def state(self) -> dict[str, Any]:
        """From which another reader goes on after the last frame."""
        return {
            "memory": self.follower.memory.to_json(),
            "before": self.before,
            "pack": self.pack.digest,
        }

    def begin_stretch(self) -> None:
        """Carry nothing over but the state, as if this were another reader."""
        self.last = None

    def due(self, time: float, rate: float) -> bool:
        """Whether a moment of the grid of ``rate`` lies between the frame before and this one."""
        return self.before is None or int(time * rate + 1e-6) > int(self.before * rate + 1e-6)

    def read(self, pixels: Pixels, time: float) -> Moment:
        """One frame, RGB (H, W, 3)."""
        sighting = self.follower.see(pixels, time)
        if sighting.landmarks is None:
            moment = Moment(time, sighting.status, sighting.faces)
        else:
            moment = read_moment(
                pixels,
                face_of(sighting.landmarks),
                self.asked(time),
                time=time,
                faces=sighting.faces,
                landmarks=sighting.landmarks,
                motion=self.motion(sighting.landmarks, time),
                pack=self.pack,
            )
            # The model of bodies takes one of those in the picture, and nobody can tell it which.
            alone = sighting.faces == 1
            if "body-motion" in self.categories and alone and self.due(time, BODY_RATE):
                moment = replace(moment, body=find_body(pixels))
        self.before = time
        self.last = (time, sighting.landmarks) if sighting.landmarks is not None else None
        return moment

    def motion(self, landmarks: Landmarks, time: float) -> float | None:
        """How fast the face moves, if it was followed from the frame before."""
        if self.last is None or time <= self.last[0]:
            return None
        return motion(self.last[1].points, landmarks.points, time - self.last[0])

    def asked(self, time: float) -> frozenset[str]:
        """What is measured at this moment."""
        if self.due(time, EXPRESSION_RATE):
            return self.categories
        return self.categories - {"expression"}


def read_film(
    frames: Iterable[Frame],
    categories: Collection[str],
    pack: ExpressionPack,
    state: dict[str, Any] | None = None,
) -> Iterator[Stretch]:
    """The stretches of a film from its frames; with a ``state``, of what comes after it.

    pack: who reads the expression.
    """
    reader = FilmReader(categories, pack, state)
    number, moments = 0, list[Moment]()
    for frame in frames:
        here = int(frame.time // STRETCH) + 1
        if moments and here != number:
            yield Stretch(number, to_series(moments, categories), reader.state())
            reader.begin_stretch()
            moments = []
        number = here
        moments.append(reader.read(frame.pixels, frame.time))
    if moments:
        yield Stretch(number, to_series(moments, categories), reader.state())
