"""What the boxes of an MP4 or MOV say before anything is decoded.

Written against ISO/IEC 14496-12 and the QuickTime File Format. Only names, lengths, the announced duration
and references are read, never pictures.
"""

from __future__ import annotations

import struct

from emotion.inference.film_formats import TRACKS_MAX, FilmLimits
from emotion.inference.film_window import (
    BOXES_MAX,
    HEADER_MAX,
    INDEX_MAX,
    Walk,
    Window,
    broken,
    too_long,
    too_many_tracks,
)
from emotion.inference.media_codes import MediaCode, MediaRefused


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
