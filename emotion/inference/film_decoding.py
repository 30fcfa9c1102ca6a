"""Films to pictures by FFmpeg (PyAV), in the decoding child.

Only the container that the first bytes name is tried, only five codecs are opened, and only one track is
decoded. Times are those of the film itself: a picture's time stamp minus that of the first picture.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from importlib import import_module
from itertools import chain, islice
from typing import TYPE_CHECKING

import av
import cv2
from av.codec.context import ThreadType
from av.stream import Discard, Disposition

from emotion.inference import film_messages as messages
from emotion.inference.film_channel import Channel, FilmFile, target
from emotion.inference.film_formats import (
    CODECS,
    MKV,
    MOV,
    MP4,
    PIXELS_MAX,
    TRACKS_MAX,
    WEBM,
)
from emotion.inference.film_scaling import Scaler, check_size, shape_of
from emotion.inference.media_codes import MediaCode, MediaRefused

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

DEMUXERS = {MP4: "mov", MOV: "mov", WEBM: "matroska", MKV: "matroska"}
# dav1d is how FFmpeg decodes AV1 without hardware.
DECODERS = ",".join([*CODECS, "libdav1d"])
# Whoever waits is told that the work goes on, when no picture is due for longer than this.
ALIVE_SECONDS = 1.0


@dataclass(frozen=True)
class Order:
    """What the parent wants. rate: pictures a second as [numerator, denominator], None for all of them."""

    media_type: str
    rate: list[int] | None
    start: float
    max_seconds: float
    max_frames: int


class Source:
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


def find_entry(source: Source, origin: int, start: float) -> Entry:
    """The last key picture shown before ``start`` (seconds after ``origin``), by reading, not decoding.

    Containers' own seeking is not used: where it lands differs between them, many recordings have no
    index, and only counting tells a picture's index. Reading costs a hundredth of decoding.
    """
    base, codec = source.stream.time_base or Fraction(1), source.stream.codec_context.name
    entry, shown = Entry(0, origin, 0), 0
    for number, packet in enumerate(source.packets()):
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


class Clock:
    """Times of pictures, and which of them are wanted."""

    def __init__(self, source: Source, order: Order, origin: int) -> None:
        self.base = source.stream.time_base or Fraction(1)
        self.order = order
        self.origin = origin
        self.rate = Fraction(*order.rate) if order.rate else None
        self.last: int | None = None

    def seconds(self, ticks: int) -> float:
        """A distance in the track's own unit as seconds."""
        return ticks * self.base.numerator / self.base.denominator

    def wants(self, ticks: int) -> bool:
        """Whether a wanted time lies after the picture before and not after this one."""
        if self.seconds(ticks) < self.order.start:
            return False
        if self.rate is None or self.last is None:
            return True
        step = self.base * self.rate
        return int(ticks * step // 1) > int(self.last * step // 1)


def decode(channel: Channel, order: Order) -> None:
    """Say the facts, then hand every wanted picture on. Raises MediaRefused."""
    source = Source(channel, order)
    frames = source.frames()
    first = next(frames, None)
    if first is None or first.pts is None:
        raise MediaRefused(
            MediaCode.UNREADABLE if source.damaged else MediaCode.FILM_WITHOUT_PICTURES
        )
    shape = shape_of(first, source.stream.sample_aspect_ratio)
    scaler = Scaler(shape)
    channel.say_json(messages.FACTS, facts(source, order, first.pts) | shape.sides())
    entry = Entry(0, first.pts, 0)
    if order.start > 0:
        entry = find_entry(Source(channel, order), first.pts, order.start)
        source = Source(channel, order)
        frames = source.frames(entry.packet)
    else:
        frames = chain([first], frames)
    send(channel, source, frames, entry, Clock(source, order, first.pts), scaler)


def send(
    channel: Channel,
    source: Source,
    frames: Iterator[VideoFrame],
    entry: Entry,
    clock: Clock,
    scaler: Scaler,
) -> None:
    """Pictures in the order of time; one whose time does not lie after the one before is left out."""
    index, said = entry.index - 1, time.monotonic()
    for frame in frames:
        if frame.pts is None or frame.pts < entry.pts:
            continue
        index += 1
        if index >= clock.order.max_frames:
            raise MediaRefused(MediaCode.FILM_TOO_LONG)
        ticks = frame.pts - clock.origin
        if clock.last is not None and ticks <= clock.last:
            continue
        seconds = clock.seconds(ticks)
        if seconds > clock.order.max_seconds:
            raise MediaRefused(MediaCode.FILM_TOO_LONG)
        wanted = clock.wants(ticks)
        clock.last = ticks
        if wanted:
            slot = channel.slot()
            scaler.put(frame, target(channel.memory, slot, scaler.rows, scaler.columns))
            channel.say(messages.PICTURE, slot, index, source.damaged, seconds)
            said = time.monotonic()
        elif time.monotonic() - said > ALIVE_SECONDS:
            channel.say(messages.ALIVE, 0, index, source.damaged, seconds)
            said = time.monotonic()
    last = clock.seconds(clock.last) if clock.last is not None else 0.0
    channel.say(messages.END, 0, index + 1, source.damaged, last)


def facts(source: Source, order: Order, origin: int) -> dict[str, object]:
    """Codec, duration and rate as announced; null where nothing believable is."""
    stream, duration = source.stream, None
    base = stream.time_base or Fraction(1)
    if stream.duration is not None:
        duration = float(stream.duration * base)
    elif source.container.duration is not None:  # Matroska: of the whole, from the time 0 on
        duration = source.container.duration / av.time_base - float(origin * base)
    if duration is not None and duration > order.max_seconds:
        raise MediaRefused(MediaCode.FILM_TOO_LONG)
    rate = float(stream.average_rate) if stream.average_rate else 0.0
    return {
        "codec": stream.codec_context.codec.canonical_name,
        "duration": duration if duration is not None and duration > 0 else None,
        "frames_per_second": rate if 0 < rate <= 1000 else None,
    }


def load() -> None:
    """Import what PyAV would look for when it meets the first track, and no more could open."""
    for name in (
        "audio.codeccontext",
        "audio.stream",
        "subtitles.codeccontext",
        "subtitles.stream",
    ):
        import_module(f"av.{name}")
    for name in ("codeccontext", "stream"):
        import_module(f"av.video.{name}")
    cv2.setNumThreads(1)
