"""Where in a film decoding begins for a later start; in the decoding child."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from emotion.inference.film_track import Track

if TYPE_CHECKING:
    from av.packet import Packet
    from av.video.stream import VideoStream


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


def find_entry(track: Track, origin: int, start: float) -> Entry:
    """The last key picture shown before ``start`` (seconds after ``origin``), by reading, not decoding.

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
        if packet.is_keyframe and float((packet.pts - origin) * base) < start:
            entry = Entry(number, packet.pts, shown)
        elif packet.pts < entry.pts:  # shown before the key picture though it comes after it
            entry = Entry(entry.packet, entry.pts, entry.index + 1)
        shown += 1
    return entry
