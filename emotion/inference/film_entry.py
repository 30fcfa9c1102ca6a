"""Where in a film decoding begins for a later start; in the decoding child."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from emotion.inference.film_track import Track

if TYPE_CHECKING:
    from av.packet import Packet
    from av.video.stream import VideoStream

IDR = 5
"""In H.264, what a coded slice is called that needs nothing from before it (H.264 table 7-1)."""
START_CODE = b"\0\0\1"


@dataclass(frozen=True)
class Entry:
    """Where decoding begins. packet: number in the file. pts, index: those of its picture."""

    packet: int
    pts: int
    index: int


def is_shown(packet: Packet[VideoStream], codec: str) -> bool:
    """Whether a packet becomes a picture: not so outside an edit list, nor VP8's hidden references."""
    if packet.is_discard or packet.pts is None:
        return False
    return codec != "vp8" or bool(packet.size and memoryview(packet)[0] & 0x10)  # RFC 6386 9.1


def slice_kinds(packet: bytes, extradata: bytes | None) -> Iterator[int]:
    """The kinds of the units in a packet of H.264, as far as they can be told apart.

    Each has its length before it where the track's description is an avcC (ISO 14496-15 5.3.3.1), else a
    start code.
    """
    if extradata is None or len(extradata) < 5 or extradata[0] != 1:
        for unit in packet.split(START_CODE)[1:]:
            yield from (byte & 0x1F for byte in unit[:1])
        return
    width, at = (extradata[4] & 3) + 1, 0
    while at + width < len(packet):
        yield packet[at + width] & 0x1F
        at += width + int.from_bytes(packet[at : at + width], "big")


def stands_alone(packet: Packet[VideoStream], track: Track) -> bool:
    """Whether decoding may begin at a packet and gives what it gives after all before.

    In H.264 what a file marks as a key picture may be no more than a point from which pictures become right
    little by little, as cameras send it that refresh a picture in parts. So only an IDR picture is taken
    there. A film that has none but its first, as one of open groups, is decoded from its beginning.
    """
    if not packet.is_keyframe:
        return False
    context = track.stream.codec_context
    return context.name != "h264" or IDR in slice_kinds(bytes(packet), context.extradata)


def find_entry(track: Track, origin: int, start: float) -> Entry:
    """The last picture that stands alone and is shown before ``start`` (seconds after ``origin``), by
    reading, not decoding.

    Containers' own seeking is not used: where it lands differs between them, many recordings have no
    index, and only counting tells a picture's index. Reading costs a hundredth of decoding.
    """
    base, codec = track.stream.time_base or Fraction(1), track.stream.codec_context.name
    entry, shown = Entry(0, origin, 0), 0
    for number, packet in enumerate(track.packets()):
        decoded = packet.dts if packet.dts is not None else packet.pts
        if decoded is not None and float((decoded - origin) * base) >= start:
            break
        if not is_shown(packet, codec) or packet.pts is None or packet.pts < origin:
            continue
        before = float((packet.pts - origin) * base) < start
        if before and stands_alone(packet, track):
            entry = Entry(number, packet.pts, shown)
        elif packet.pts < entry.pts:  # shown before the key picture though it comes after it
            entry = Entry(entry.packet, entry.pts, entry.index + 1)
        shown += 1
    return entry
