"""A film, moment by moment, in stretches of a minute that follow one another and can be taken up again.

Memory does not grow with the film: a stretch is handed on as soon as it is full. What the next one needs
to know of it (who is followed, and where) is a small state that is handed on with it, so that a reading
that was interrupted goes on as if it had not been.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from emotion.inference.arrays import Array
from emotion.inference.body import find_body
from emotion.inference.expressions import ExpressionPack
from emotion.inference.film_rates import due
from emotion.inference.films import PICTURES_HELD, Frame
from emotion.inference.landmarks import Landmarks
from emotion.inference.moments import Moment, Rest, begin_moment
from emotion.inference.pictures import Picture
from emotion.inference.quality import motion
from emotion.inference.series import Series, to_series
from emotion.inference.tracking import Follower, Memory

Seen = tuple[float, Landmarks]
"""A face and when it was there."""
STRETCH = 60.0
"""Seconds of film in a stretch: what a worker that dies has done in vain, and is sealed at once."""
EXPRESSION_RATE = 5.0
"""Looks at the expression a second: it changes more slowly than a lid, and its models cost most."""
BODY_RATE = 5.0
"""Looks at the body a second."""
ROW = 16
"""Moments whose rest is measured at once."""


@dataclass(frozen=True)
class Stretch:
    """number: counted from 1; the film's seconds from (number - 1) to number times STRETCH.

    state: plain values from which the next stretch goes on.
    """

    number: int
    series: Series
    state: dict[str, Any]


class FilmReader:
    """Reads the frames of one film in the order of their times, measuring only the asked categories.

    rate: moments a second that are measured, None for every frame; in the frames between the person is
    followed.
    """

    def __init__(
        self,
        categories: Collection[str],
        pack: ExpressionPack,
        rate: float | None = None,
        state: dict[str, Any] | None = None,
    ) -> None:
        self.categories = frozenset(categories)
        self.pack = pack
        self.rate = rate
        self.follower = Follower(Memory.from_json(state["memory"]) if state else None)
        self.seen: float | None = state["seen"] if state else None
        self.measured: float | None = state["measured"] if state else None
        # Set where moments are measured, one after the other, and so read only there.
        self.expressed: float | None = state["expressed"] if state else None
        self.last: Seen | None = None

    def state(self) -> dict[str, Any]:
        """From which another reader goes on after the last frame, once all are measured."""
        return {
            "memory": self.follower.memory.to_json(),
            "seen": self.seen,
            "measured": self.measured,
            "expressed": self.expressed,
            "pack": self.pack.digest,
        }

    def begin_stretch(self) -> None:
        """Carry nothing over but the state, as if this were another reader."""
        self.last = None

    def read(self, picture: Picture, time: float) -> Moment | None:
        """One frame; None when no moment is due at it."""
        measured = self.follow(picture, time)
        return measured()() if measured else None

    def follow(self, picture: Picture, time: float) -> Callable[[], Rest] | None:
        """Find the person in one frame; what comes back measures it, if it is due.

        That may be done on another thread, one moment after the other. What it gives measures the rest,
        which needs no picture.
        """
        sighting = self.follower.see(picture, time)
        found, before = sighting.landmarks, self.last
        wanted, self.seen = due(self.seen, time, self.rate), time
        self.last = (time, found) if found is not None else None
        if not wanted:
            return None
        # The model of bodies takes one of those in the picture, and nobody can tell it which.
        body = (
            "body-motion" in self.categories
            and sighting.faces == 1
            and due(self.measured, time, BODY_RATE)
        )
        self.measured = time
        if found is None:
            nobody = Rest(partial(Moment, time, sighting.status, sighting.faces))
            return lambda: nobody

        def measured() -> Rest:
            rest = begin_moment(
                picture,
                found.face,
                self.asked(time),
                time=time,
                faces=sighting.faces,
                landmarks=found,
                motion=moved(before, (time, found)),
                pack=self.pack,
            )
            self.expressed = time if rest.expressed else self.expressed
            if body:
                rest = replace(rest, measure=partial(with_body, rest.measure, find_body(picture)))
            return rest

        return measured

    def asked(self, time: float) -> frozenset[str]:
        """What is measured at this moment; an expression stays due until it could be read."""
        if due(self.expressed, time, EXPRESSION_RATE):
            return self.categories
        return self.categories - {"expression"}


def with_body(measure: Callable[[], Moment], body: Array) -> Moment:
    """A moment whose body was looked at."""
    return replace(measure(), body=body)


def moved(before: Seen | None, now: Seen) -> float | None:
    """How fast the face moves (``quality.motion``), if it was followed from the frame before."""
    if before is None or now[0] <= before[0]:
        return None
    return motion(before[1].points, now[1].points, now[0] - before[0])


def read_film(
    frames: Iterable[Frame],
    categories: Collection[str],
    pack: ExpressionPack,
    rate: float | None = None,
    state: dict[str, Any] | None = None,
) -> Iterator[Stretch]:
    """The stretches of a film from its frames; with a ``state``, of what comes after it.

    pack: who reads the expression. rate: moments a second that are measured, of frames that come at
    ``film_rates.followed_at`` it; None is every frame. A frame is measured on a thread of its own while the
    person is looked for in the next ones: models and decoder compute without Python's lock, so a film takes
    two cores. Not every frame takes as long (expressions are due at some), so more than one may wait to be
    measured. What needs no picture is measured for a row of frames at once, for which the model comes into
    the processor's cache once. The order stays that of the film, and so does what comes out.
    """
    reader = FilmReader(categories, pack, rate, state)
    number = 0
    # One for each frame whose pixels are held; None where it is not measured.
    measuring = deque[Future[Rest] | None]()
    rests, rows = list[Rest](), list[Future[list[Moment]]]()

    def one_measured() -> None:
        oldest = measuring.popleft()
        rests.extend([oldest.result()] if oldest else [])
        if len(rests) == ROW:
            end_row()

    def end_row() -> None:
        rows.append(aside.submit(done, tuple(rests)))
        rests.clear()

    def finished() -> Stretch:
        while measuring:
            one_measured()
        end_row()
        moments = [moment for row in rows for moment in row.result()]
        rows.clear()
        return Stretch(number, to_series(moments, categories), reader.state())

    with ThreadPoolExecutor(1, "measuring") as aside:
        for frame in frames:
            here = int(frame.time // STRETCH) + 1
            if number and here != number:
                yield finished()
                reader.begin_stretch()
            number = here
            measured = reader.follow(frame.picture, frame.time)
            measuring.append(aside.submit(measured) if measured else None)
            # Before another frame is asked for: the oldest one's pixels go then.
            if len(measuring) == PICTURES_HELD:
                one_measured()
        if number:
            yield finished()


def done(rests: Iterable[Rest]) -> list[Moment]:
    """What is left of a row of moments."""
    return [rest() for rest in rests]
