"""The one track of a film that is decoded, by FFmpeg (PyAV); in the decoding child.

Only the container that the first bytes name is tried, and only five codecs are opened. Other tracks are
passed over unread where the container allows it, and never decoded.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice
from typing import TYPE_CHECKING

import av
from av.codec.context import ThreadType
from av.stream import Discard, Disposition

from emotion.inference.film_channel import Channel, FilmFile
from emotion.inference.film_formats import (
    CODECS,
    MKV,
    MOV,
    MP4,
    PIXELS_MAX,
    TRACKS_MAX,
    WEBM,
)
from emotion.inference.film_scaling import check_size
from emotion.inference.media_codes import MediaCode, MediaRefused

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

DEMUXERS = {MP4: "mov", MOV: "mov", WEBM: "matroska", MKV: "matroska"}
# dav1d is how FFmpeg decodes AV1 without hardware.
DECODERS = ",".join([*CODECS, "libdav1d"])


@dataclass(frozen=True)
class Order:
    """What the parent wants. rate: pictures a second as [numerator, denominator], None for all of them."""

    media_type: str
    rate: list[int] | None
    start: float
    max_seconds: float
    max_frames: int


class Track:
    """One pass through the film: packets, or pictures from a packet on."""

    def __init__(self, channel: Channel, order: Order) -> None:
        self.damaged = 0
        options = {"max_pixels": str(PIXELS_MAX), "codec_whitelist": DECODERS}
        demuxer = {
            "max_streams": str(TRACKS_MAX),
            "protocol_whitelist": "none",
            "format_whitelist": "mov,matroska",
        }
        try:
            self.container: InputContainer = av.open(
                FilmFile(channel),
                "r",
                format=DEMUXERS[order.media_type],
                options=options,
                container_options=options | demuxer,
                metadata_errors="replace",
                buffer_size=65536,
            )
        except (av.FFmpegError, ValueError):
            raise MediaRefused(MediaCode.UNREADABLE) from None
        if len(self.container.streams) > TRACKS_MAX:
            raise MediaRefused(MediaCode.FILM_TOO_MANY_TRACKS)
        self.stream = choose(self.container)
        context = self.stream.codec_context
        context.thread_count = 1
        context.thread_type = ThreadType.NONE
        context.options = options
        if context.width and context.height:
            check_size(context.width, context.height)
        for stream in self.container.streams:
            stream.discard = Discard.default if stream is self.stream else Discard.all

    def packets(self) -> Iterator[Packet[VideoStream]]:
        """The track's packets in the order of the file, as far as it can be read."""
        try:
            for packet in self.container.demux(self.stream):
                if packet.size:
                    yield packet
        except av.FFmpegError:
            self.damaged += 1

    def frames(self, skip: int = 0) -> Iterator[VideoFrame]:
        """Decoded pictures in the order they are shown, from a packet on; damaged ones are left out."""
        for packet in chain(islice(self.packets(), skip, None), [None]):  # None: nothing follows
            try:
                frames = self.stream.decode(packet)
            except av.FFmpegError:
                self.damaged += 1
                continue
            for frame in frames:
                if frame.is_corrupt or frame.pts is None:
                    self.damaged += 1
                else:
                    yield frame


def choose(container: InputContainer) -> VideoStream:
    """The track that is decoded: FFmpeg's choice among those that are no cover pictures."""
    tracks = [
        stream
        for stream in container.streams.video
        if not stream.disposition & Disposition.attached_pic
    ]
    if not tracks:
        raise MediaRefused(MediaCode.FILM_WITHOUT_PICTURES)
    best = container.streams.best("video")
    chosen = next((track for track in tracks if track is best), tracks[0])
    if chosen.codec_context is None or chosen.codec_context.codec.canonical_name not in CODECS:
        raise MediaRefused(MediaCode.FILM_CODEC_NOT_SUPPORTED)
    return chosen
