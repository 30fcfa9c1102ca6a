"""What the elements of a WebM or MKV say before anything is decoded.

Written against RFC 8794 (EBML) and RFC 9559 (Matroska, of which WebM is a part). Only names, lengths and
the announced duration are read, never pictures.
"""

from __future__ import annotations

import struct

from emotion.inference.film_formats import MKV, TRACKS_MAX, WEBM, FilmLimits
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
