"""Films to pictures, in the decoding child: which are wanted, in which order, and what is said of them.

Times are those of the film itself: a picture's time stamp minus that of the first picture.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from fractions import Fraction
from importlib import import_module
from itertools import chain
from typing import TYPE_CHECKING

import av

from emotion.inference import film_messages as messages
from emotion.inference.film_channel import Channel
from emotion.inference.film_entry import Entry, find_entry
from emotion.inference.film_scaling import Scaler, shape_of
from emotion.inference.film_track import Order, Track
from emotion.inference.media_codes import MediaCode, MediaRefused
from emotion.inference.planes import SLOT_BYTES

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

# Whoever waits is told that the work goes on, when no picture is due for longer than this.
ALIVE_SECONDS = 1.0


class Clock:
    """Times of pictures, and which of them are wanted."""

    def __init__(self, track: Track, order: Order, origin: int) -> None:
        self.base = track.stream.time_base or Fraction(1)
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
    track = Track(channel, order)
    frames = track.frames()
    first = next(frames, None)
    if first is None or first.pts is None:
        raise MediaRefused(
            MediaCode.UNREADABLE if track.damaged else MediaCode.FILM_WITHOUT_PICTURES
        )
    shape = shape_of(first, track.stream.sample_aspect_ratio)
    scaler = Scaler(shape)
    channel.say_json(messages.FACTS, facts(track, order, first.pts) | shape.sides())
    entry = Entry(0, first.pts, 0)
    if order.start > 0:
        entry = find_entry(Track(channel, order), first.pts, order.start)
        track = Track(channel, order)
        frames = track.frames(entry.packet)
    else:
        frames = chain([first], frames)
    send(channel, track, frames, entry, Clock(track, order, first.pts), scaler)


def send(
    channel: Channel,
    track: Track,
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
            colours = scaler.put(frame, channel.memory, slot * SLOT_BYTES).code
            channel.say(
                messages.PICTURE, messages.placed(slot, colours), index, track.damaged, seconds
            )
            said = time.monotonic()
        elif time.monotonic() - said > ALIVE_SECONDS:
            channel.say(messages.ALIVE, 0, index, track.damaged, seconds)
            said = time.monotonic()
    last = clock.seconds(clock.last) if clock.last is not None else 0.0
    channel.say(messages.END, 0, index + 1, track.damaged, last)


def facts(track: Track, order: Order, origin: int) -> dict[str, object]:
    """Codec, duration and rate as announced; null where nothing believable is."""
    stream, duration = track.stream, None
    base = stream.time_base or Fraction(1)
    if stream.duration is not None:
        duration = float(stream.duration * base)
    elif track.container.duration is not None:  # Matroska: of the whole, from the time 0 on
        duration = track.container.duration / av.time_base - float(origin * base)
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
