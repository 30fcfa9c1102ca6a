"""A film's structure, checked before anything is decoded: its container, its limits, what it refers to.

The bytes are taken in order, in pieces of any size, and of them no more than a header is kept: the same
walk is done while an upload streams by and before an analysis. Whether the pictures can be decoded is
found out by decoding.
"""

from __future__ import annotations

import os
from typing import Protocol

from emotion.inference.film_formats import EBML, MOV, MP4, FilmLimits, is_film_type
from emotion.inference.film_window import Walk, Window
from emotion.inference.matroska_walk import walk_matroska
from emotion.inference.media_codes import MediaCode, MediaRefused
from emotion.inference.mp4_walk import walk_boxes

# Of a film that lies somewhere, so much is read at once.
PIECE = 256 * 1024


class Source(Protocol):
    """A film's bytes, to be read anywhere."""

    def read(self, size: int = -1, /) -> bytes:
        """At most ``size`` bytes from here; fewer only at the end."""

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Move to a position; returns it."""

    def tell(self) -> int:
        """The position."""


class FilmProbe:
    """Checks a film's structure while it is received: ``feed`` what comes, then ``finish``."""

    def __init__(self, limits: FilmLimits) -> None:
        self.limits = limits
        self.length = 0
        self.window = Window()
        self.media_type: str | None = None
        self.walk = walk_film(self.window, limits)
        self.advance()

    @classmethod
    def start(cls, max_bytes: int) -> FilmProbe:
        """A probe that refuses more than ``max_bytes``, and else by the default limits."""
        return cls(FilmLimits(max_bytes=max_bytes))

    @property
    def to_skip(self) -> int:
        """How many of the next bytes may be passed to ``skip`` instead of ``feed``."""
        return self.window.to_skip

    def advance(self) -> None:
        """Let the walk use what is at hand."""
        try:
            next(self.walk)
        except StopIteration as end:
            self.media_type = end.value

    def skip(self, count: int) -> None:
        """Pass over ``count`` (at most ``to_skip``) bytes that were not fed. Raises MediaRefused."""
        self.length += count
        if self.length > self.limits.max_bytes:
            raise MediaRefused(
                MediaCode.TOO_LARGE, f"Expected at most {self.limits.max_bytes} bytes."
            )
        self.window.to_skip -= count

    def feed(self, chunk: bytes | memoryview) -> None:
        """The next bytes. Raises MediaRefused as soon as they are not those of a film that is taken."""
        passed = min(self.window.to_skip, len(chunk))
        self.skip(passed)
        self.length += len(chunk) - passed
        self.skip(0)
        if self.media_type is None and not self.window.to_skip:
            self.window.held += chunk[passed:]
            self.advance()

    def finish(self) -> str:
        """The media type by the bytes. Raises MediaRefused for what is no whole film."""
        self.window.ended = True
        if self.media_type is None:
            self.advance()
        if self.media_type is None:  # refused before
            raise MediaRefused(MediaCode.UNREADABLE)
        return self.media_type

    def close(self) -> None:
        """Forget what was received; safe to repeat."""
        self.walk.close()
        self.window.held.clear()


def walk_film(window: Window, limits: FilmLimits) -> Walk[str]:
    """Media type of the film; ends as soon as nothing that follows is looked at."""
    start = yield from window.look(12)
    if not start:
        raise MediaRefused(MediaCode.EMPTY)
    if not is_film_type(start):
        raise MediaRefused(MediaCode.TYPE_NOT_SUPPORTED)
    if start.startswith(EBML):
        return (yield from walk_matroska(window, limits))
    quicktime = start[4:8] != b"ftyp" or start[8:12] == b"qt  "
    yield from walk_boxes(window, limits)
    return MOV if quicktime else MP4


def check_structure(source: Source, limits: FilmLimits) -> tuple[str, int]:
    """Media type and length in bytes. Raises MediaRefused for what is no whole film."""
    size = source.seek(0, os.SEEK_END)
    probe = FilmProbe(limits)
    position = source.seek(0)
    while position < size and probe.media_type is None:
        if probe.to_skip:
            passed = min(probe.to_skip, size - position)
            probe.skip(passed)
            position = source.seek(position + passed)
            continue
        chunk = source.read(PIECE)
        probe.feed(chunk)
        position += len(chunk)
        if not chunk:
            raise MediaRefused(MediaCode.TRUNCATED)
    probe.skip(size - position)
    return probe.finish(), size
