"""Films in: decoded in a process of its own, picture by picture, in bounded memory.

The wall around the decoder is that of photographs (``media``); what differs is that a film is never
whole anywhere. The child asks for pieces of it through its pipes, which are read from the caller's
``source`` (a view of a sealed blob), and hands pictures back through memory that both share, which takes
less than half the processor time of a pipe. That memory is an unnamed file that cannot change its
size. The child's answers are believed no further than their form can be checked: a decoder that was
taken over can only lie about the film it was given.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from emotion.inference import film_messages as messages
from emotion.inference.arrays import Pixels
from emotion.inference.children import whole
from emotion.inference.film_formats import (
    CODECS,
    FILM_SIDE,
    SIDE_MAX,
    FilmFacts,
    FilmLimits,
)
from emotion.inference.film_probe import FilmProbe, Source, check_structure
from emotion.inference.film_process import FilmChild
from emotion.inference.media_codes import MediaCode, MediaRefused
from emotion.inference.pictures import Planes, in_rgb, planes_in
from emotion.inference.planes import CODES, TURNS, Colours, Turn

__all__ = ["Film", "FilmFacts", "FilmLimits", "FilmProbe", "Frame", "open_film"]

# Wall clock for one answer of the child; it gives a sign of life every second.
SECONDS = 30.0
# Of clock and processor for the whole film: a slow codec at full size on a slow machine needs about three
# seconds for each. Reading, which skipping to a later start is, is counted apart.
SECONDS_PER_SECOND = 5.0
BYTES_PER_SECOND = 10_000_000
# How often over a film may be read: three passes for a later start, and tracks that lie apart.
PASSES_MAX = 8
# Of the slots: two pictures can be measured, or wait for it, while the next one is looked at.
PICTURES_HELD = 3


@dataclass(frozen=True)
class Frame:
    """One picture.

    index: its number among the film's decoded pictures. time: seconds after the first picture. picture: as
    shown, the longer side at most FILM_SIDE; one shape in the whole film. Its planes lie where the child
    writes the pictures, cannot be written to, and are there until the next but two is asked for: copy
    what is needed longer. A child that was taken over could change them meanwhile, which is no more than
    lying about the film.
    """

    index: int
    time: float
    picture: Planes

    @property
    def pixels(self) -> Pixels:
        """All of it in RGB (H, W, 3), made anew whenever it is asked for."""
        return in_rgb(self.picture)


class Film:
    """A film that is being decoded: ``facts`` first, then iterated once.

    damaged: how many of its pictures so far could not be decoded, or not whole; they are left out.
    """

    def __init__(
        self, source: Source, size: int, media_type: str, child: FilmChild, limits: FilmLimits
    ) -> None:
        self.source = source
        self.size = size
        self.child = child
        self.limits = limits
        self.damaged = 0
        self.served = self.furthest = 0
        self.reached = -1.0  # time of the last picture, seconds
        self.index = -1
        self.waited = 0.0
        self.ended = False
        kind, body = self.answer()
        if kind != messages.FACTS or not isinstance(body, dict):
            raise MediaRefused(MediaCode.UNREADABLE)
        self.facts = facts_from(media_type, body, limits)
        self.rows = whole(body, "rows", FILM_SIDE)
        self.columns = whole(body, "columns", FILM_SIDE)
        self.turn = turn_from(body)

    @property
    def position(self) -> float:
        """The share of the film that was read, 0 to 1: by time, or by bytes where no duration is known."""
        if self.ended:
            return 1.0
        if self.facts.duration:
            return min(1.0, max(0.0, self.reached) / self.facts.duration)
        return min(1.0, self.furthest / self.size)

    def answer(self) -> tuple[bytes, object]:
        """Serve the child until it has something to say. Raises MediaRefused or DecoderKilled."""
        while True:
            budget = SECONDS + SECONDS_PER_SECOND * max(0.0, self.reached)
            budget += self.served / BYTES_PER_SECOND
            self.child.grant(int(budget))
            started = time.monotonic()
            until = started + min(SECONDS, budget - self.waited)
            kind, length, a, b, seconds = self.child.message(until)
            self.waited += time.monotonic() - started
            if kind == messages.READ:
                self.serve(length, a, until=time.monotonic() + SECONDS)
            elif kind in (messages.FACTS, messages.REFUSED):
                return kind, self.child.body(length, until)
            elif kind in (messages.PICTURE, messages.ALIVE):
                self.check_progress(a, b, seconds)
                if kind == messages.PICTURE:
                    return kind, length
            elif kind == messages.END:
                self.damaged = b
                return kind, None
            else:
                raise MediaRefused(MediaCode.UNREADABLE)

    def check_progress(self, index: int, damaged: int, seconds: float) -> None:
        """Time and index must grow, within the limits; nan is no time."""
        if not self.reached < seconds <= self.limits.max_seconds or not (
            self.index < index < self.limits.max_frames
        ):
            raise MediaRefused(MediaCode.UNREADABLE)
        self.index, self.reached, self.damaged = index, seconds, damaged

    def serve(self, length: int, position: int, until: float) -> None:
        """Send a piece of the film. Raises MediaRefused for a position outside, and for endless reading."""
        if not 0 < length <= messages.PIECE or position + length > self.size:
            raise MediaRefused(MediaCode.UNREADABLE)
        self.served += length
        if self.served > PASSES_MAX * (self.size + messages.PIECE):
            raise MediaRefused(MediaCode.TIMEOUT)
        self.furthest = max(self.furthest, position + length)
        self.source.seek(position)
        data = self.source.read(length)
        if len(data) != length:
            raise MediaRefused(MediaCode.TRUNCATED)
        self.child.write(messages.REPLY.pack(messages.DATA, length), until)
        self.child.write(data, until)

    def picture(self, slot: int, colours: int) -> Planes:
        """What lies in a slot."""
        if colours >= CODES:
            raise MediaRefused(MediaCode.UNREADABLE)
        planes = planes_in(self.child.memory, slot, self.rows, self.columns)
        return Planes(*planes, Colours.of(colours), self.turn)

    def free(self, slot: int) -> None:
        """Let the child write into a slot again."""
        self.child.write(messages.REPLY.pack(messages.FREE, slot), time.monotonic() + SECONDS)

    def __iter__(self) -> Iterator[Frame]:
        """The wanted pictures in the order of time. Raises MediaRefused."""
        held: list[int] = []
        while not self.ended:
            kind, value = self.answer()
            if kind == messages.PICTURE and isinstance(value, int):
                colours, slot = divmod(value, messages.SLOTS)
                yield Frame(self.index, self.reached, self.picture(slot, colours))
                held.append(slot)
                if len(held) == PICTURES_HELD:
                    self.free(held.pop(0))
            elif kind == messages.END:
                self.ended = True
            else:
                raise MediaRefused(MediaCode.UNREADABLE)


def turn_from(body: dict[str, Any]) -> Turn:
    """How the child's pictures are to be turned; raises MediaRefused for no such way."""
    code = body.get("turn")
    if type(code) is not int or not 0 <= code < len(TURNS):
        raise MediaRefused(MediaCode.UNREADABLE)
    return TURNS[code]


def facts_from(media_type: str, body: dict[str, Any], limits: FilmLimits) -> FilmFacts:
    """The child's answer as facts; raises MediaRefused when they cannot be."""

    def number(name: str, most: float) -> float | None:
        value = body.get(name)
        if value is None:
            return None
        if type(value) is not float or not math.isfinite(value) or not 0 < value <= most:
            raise MediaRefused(MediaCode.UNREADABLE)
        return value

    codec = body.get("codec")
    if codec not in CODECS:
        raise MediaRefused(MediaCode.UNREADABLE)
    most = SIDE_MAX * 4  # pixels may be up to four times as wide as high
    return FilmFacts(
        media_type,
        str(codec),
        whole(body, "width", most),
        whole(body, "height", most),
        number("duration", limits.max_seconds),
        number("frames_per_second", 1000),
    )


@contextmanager
def open_film(
    source: Source, *, rate: float | None, start: float = 0.0, limits: FilmLimits | None = None
) -> Iterator[Film]:
    """Open a film and decode it while the ``Film`` is iterated; the child ends with the block.

    rate: pictures wanted a second, None for every picture. By the film's own time stamps: a picture is
    taken when its time is the first at or after a multiple of 1/rate, counted from the first picture.
    start: seconds; exactly the pictures that a run from the beginning would have yielded from there on,
    with the same pixels, times and indices. The decoder begins at the last picture before it that needs
    none from before, found by reading through the film without decoding (``film_entry.find_entry``).
    Raises MediaRefused or DecoderKilled here, and while iterating.
    """
    limits = limits or FilmLimits()
    media_type, size = check_structure(source, limits)
    fraction = None if rate is None else Fraction(rate).limit_denominator(1_000_000)
    order = {
        "media_type": media_type,
        "rate": fraction and [fraction.numerator, fraction.denominator],
        "start": start,
        "max_seconds": limits.max_seconds,
        "max_frames": limits.max_frames,
    }
    child = FilmChild(size, order)
    try:
        yield Film(source, size, media_type, child, limits)
    finally:
        child.close()
