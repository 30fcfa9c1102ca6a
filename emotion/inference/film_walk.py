"""What a film's own bytes say before anything is decoded: its container, its limits, what it refers to.

Written against ISO/IEC 14496-12 (MP4), the QuickTime File Format, RFC 8794 (EBML) and RFC 9559 (Matroska,
of which WebM is a part). Only names, lengths and durations are read, never pictures; whether those can be
decoded is found out by decoding. The bytes are taken in order, in pieces of any size, and of them no more
than a header is kept: the same walk is done while an upload streams by and before an analysis.
"""

from __future__ import annotations

import struct
from collections.abc import Generator
from typing import TypeVar

from emotion.inference.film_formats import (
    EBML,
    MKV,
    MOV,
    MP4,
    TRACKS_MAX,
    WEBM,
    FilmLimits,
    is_film_type,
)
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


def box_header(window: Window) -> Walk[tuple[bytes, int | None]]:
    """Type of the box that begins here and the length of its body; None: to the end (14496-12 4.2)."""
    size, kind = struct.unpack(">I4s", (yield from window.take(8)))
    if size == 0:
        return kind, None
    size -= 8
    if size == 1 - 8:
        size = int.from_bytes((yield from window.take(8)), "big") - 16
    if size < 0:
        raise broken("a box is shorter than its header")
    return kind, size


def walk_boxes(window: Window, limits: FilmLimits) -> Walk[None]:
    """The top level of an MP4 or MOV: what describes the film must be there, and every box be whole."""
    seen: set[bytes] = set()
    for _ in range(BOXES_MAX):
        head = yield from window.look(8)
        if not head:
            break
        if not head[4:8].isascii() or not head[4:8].decode().isprintable() or len(head) < 8:
            raise MediaRefused(MediaCode.TRAILING_DATA) if b"moov" in seen else broken("no box")
        kind, size = yield from box_header(window)
        seen.add(kind)
        if size is None:
            if kind != b"mdat":
                raise broken("only the pictures may go on to the end")
            break
        if kind in (b"moov", b"moof", b"sidx") and size > INDEX_MAX:
            raise broken("the description is too long")
        if kind == b"moov":
            yield from walk_movie(window, limits, window.position + size)
        else:
            yield from window.drop(size)
    else:
        raise broken("too many boxes")
    if b"moov" not in seen:  # a recording that was never finished, or the second half is missing
        raise MediaRefused(MediaCode.TRUNCATED)


CONTAINERS = frozenset({b"trak", b"mdia", b"minf", b"dinf"})


def walk_movie(window: Window, limits: FilmLimits, end: int) -> Walk[None]:
    """The boxes in ``moov``, flat: tracks counted, duration and references checked."""
    tracks = 0
    while window.position < end:
        kind, size = yield from box_header(window)
        if size is None or window.position + size > end:
            raise broken("a box is longer than what it lies in")
        tracks += kind == b"trak"
        if tracks > TRACKS_MAX:
            raise too_many_tracks()
        if kind in CONTAINERS:
            continue
        if kind == b"cmov":
            raise broken("the description is compressed")
        if kind == b"rmra":
            raise MediaRefused(MediaCode.FILM_REFERS_ELSEWHERE)
        body = yield from window.take(min(size, HEADER_MAX) if kind in (b"mvhd", b"dref") else 0)
        if kind == b"mvhd":
            check_movie_header(body, limits)
        elif kind == b"dref":
            check_references(body)
        yield from window.drop(size - len(body))


def check_movie_header(body: bytes, limits: FilmLimits) -> None:
    """The announced duration, where there is one (14496-12 8.2.2)."""
    wide = body[:1] == b"\x01"
    if len(body) < (32 if wide else 20):
        raise broken("no movie header")
    scale, duration = struct.unpack_from(">IQ" if wide else ">II", body, 20 if wide else 12)
    unknown = (1 << (64 if wide else 32)) - 1
    if scale and duration != unknown and duration / scale > limits.max_seconds:
        raise too_long(limits, duration / scale)


def check_references(body: bytes) -> None:
    """Refuse a track whose pictures lie in another file (14496-12 8.7.2; flag 1: in this one)."""
    position = 8
    while position + 12 <= len(body):
        size, flags = struct.unpack_from(">I4xI", body, position)
        if size > 12 and not flags & 1:
            raise MediaRefused(MediaCode.FILM_REFERS_ELSEWHERE)
        position += max(size, 12)


SEGMENT, CLUSTER, INFO, TRACKS, TRACK = 0x18538067, 0x1F43B675, 0x1549A966, 0x1654AE6B, 0xAE
DOC_TYPE, TIMESTAMP_SCALE, DURATION = 0x4282, 0x2AD7B1, 0x4489


def element_header(window: Window) -> Walk[tuple[int, int | None]]:
    """Identifier and length of the element that begins here; None: unknown (RFC 8794 5 and 6)."""
    head = yield from window.look(12)
    found = parse_element(head)
    if found is None:
        raise MediaRefused(MediaCode.TRUNCATED) if len(head) < 12 else broken("no element")
    name, size, used = found
    yield from window.take(used)
    return name, size


def parse_element(head: bytes) -> tuple[int, int | None, int] | None:
    """(identifier, length of the body or None, length of the header), if a whole header is there."""
    if not head or head[0] < 0x10:
        return None
    first = 9 - head[0].bit_length()
    if len(head) <= first or not head[first]:
        return None
    second = 9 - head[first].bit_length()
    if len(head) < first + second:
        return None
    size = int.from_bytes(head[first : first + second], "big") - (1 << 7 * second)
    unknown = size == (1 << 7 * second) - 1
    return int.from_bytes(head[:first], "big"), None if unknown else size, first + second


def children(body: bytes) -> list[tuple[int, bytes]]:
    """The elements of a body that is at hand: (identifier, content)."""
    found, position = [], 0
    while head := parse_element(body[position : position + 12]):
        name, size, used = head
        start = position + used
        position = len(body) if size is None else start + size
        found.append((name, body[start:position]))
    return found


def walk_matroska(window: Window, limits: FilmLimits) -> Walk[str]:
    """Media type; the segment is walked up to its first cluster, and its length is checked."""
    _ebml, size = yield from element_header(window)
    if size is None or size > HEADER_MAX:
        raise broken("the header is too long")
    document = dict(children((yield from window.take(size)))).get(DOC_TYPE, b"").rstrip(b"\0")
    if document not in (b"webm", b"matroska"):
        raise MediaRefused(MediaCode.TYPE_NOT_SUPPORTED)
    name, length = yield from element_header(window)
    if name != SEGMENT:
        raise broken("no segment")
    end = None if length is None else window.position + length
    if (yield from walk_segment(window, limits, end)) and end is not None:
        yield from window.drop(end - window.position)
    if end is not None and (yield from window.look(1)):
        raise MediaRefused(MediaCode.TRAILING_DATA)
    return WEBM if document == b"webm" else MKV


def walk_segment(window: Window, limits: FilmLimits, end: int | None) -> Walk[bool]:
    """What comes before the pictures; whether there are any."""
    for _ in range(BOXES_MAX):
        if window.position == end or (end is None and not (yield from window.look(1))):
            return False
        name, size = yield from element_header(window)
        if name == CLUSTER:
            return True
        if size is None or (end is not None and window.position + size > end):
            raise broken("an element is longer than what it lies in")
        if size > INDEX_MAX:
            raise broken("the description is too long")
        if name == INFO:
            check_info((yield from window.take(min(size, HEADER_MAX))), limits)
            size -= min(size, HEADER_MAX)
        elif name == TRACKS:
            yield from walk_tracks(window, window.position + size)
            continue
        yield from window.drop(size)
    raise broken("too many elements")


def check_info(body: bytes, limits: FilmLimits) -> None:
    """The announced duration, where there is one (RFC 9559 5.1.2)."""
    found = dict(children(body))
    scale = int.from_bytes(found.get(TIMESTAMP_SCALE, b""), "big") or 1_000_000
    duration = found.get(DURATION, b"")
    if len(duration) in (4, 8):
        (ticks,) = struct.unpack(">f" if len(duration) == 4 else ">d", duration)
        if ticks * scale / 1e9 > limits.max_seconds:
            raise too_long(limits, ticks * scale / 1e9)


def walk_tracks(window: Window, end: int) -> Walk[None]:
    """Count the tracks."""
    tracks = 0
    while window.position < end:
        name, size = yield from element_header(window)
        tracks += name == TRACK
        if tracks > TRACKS_MAX:
            raise too_many_tracks()
        if size is None or window.position + size > end:
            raise broken("an element is longer than what it lies in")
        yield from window.drop(size)
