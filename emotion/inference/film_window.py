"""A film's bytes as they come: looked at, taken or passed over, in pieces of any size."""

from __future__ import annotations

from collections.abc import Generator
from typing import TypeVar

from emotion.inference.film_formats import TRACKS_MAX, FilmLimits
from emotion.inference.media_codes import MediaCode, MediaRefused

# Of what describes a film: two hours at 60 pictures a second with sound need about 20 MiB.
INDEX_MAX = 64 * 1024 * 1024
# Films recorded in fragments have two boxes for each.
BOXES_MAX = 1_000_000
HEADER_MAX = 64 * 1024

T = TypeVar("T")
# A walk stops at every ``yield`` until more bytes have come.
Walk = Generator[None, None, T]


class Window:
    """The bytes at hand. held: from ``position`` on. to_skip: bytes that are passed over unseen."""

    def __init__(self) -> None:
        self.held = bytearray()
        self.position = 0
        self.to_skip = 0
        self.ended = False

    def look(self, count: int) -> Walk[bytes]:
        """The next bytes, left where they are; fewer at the end of the film."""
        while len(self.held) < count and not self.ended:
            yield
        return bytes(self.held[:count])

    def take(self, count: int) -> Walk[bytes]:
        """The next bytes. Raises MediaRefused when the film ends before."""
        found = yield from self.look(count)
        if len(found) < count:
            raise MediaRefused(MediaCode.TRUNCATED)
        del self.held[:count]
        self.position += count
        return found

    def drop(self, count: int) -> Walk[None]:
        """Pass over bytes. Raises MediaRefused when the film ends before."""
        at_hand = min(count, len(self.held))
        del self.held[:at_hand]
        self.position += count
        self.to_skip = count - at_hand
        while self.to_skip:
            if self.ended:
                raise MediaRefused(MediaCode.TRUNCATED)
            yield


def broken(what: str) -> MediaRefused:
    """A structure that no camera writes."""
    return MediaRefused(MediaCode.UNREADABLE, f"The film's structure is broken: {what}.")


def too_long(limits: FilmLimits, seconds: float) -> MediaRefused:
    """A film over the limit on its length."""
    return MediaRefused(
        MediaCode.FILM_TOO_LONG,
        f"Expected at most {limits.max_seconds:.0f} seconds; got {seconds:.0f}.",
    )


def too_many_tracks() -> MediaRefused:
    """A film over the limit on its tracks."""
    return MediaRefused(
        MediaCode.FILM_TOO_MANY_TRACKS, f"Expected at most {TRACKS_MAX} tracks; the film has more."
    )
