"""Films for the tests, made of the one real photograph: every picture tells its number."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache
from typing import Any

import av
import cv2
import numpy as np

from emotion.inference.arrays import Pixels
from emotion.inference.films import FilmLimits, Frame, open_film
from emotion.inference.pictures import Planes
from tests.emotion.inference.photographs import pixels

os.environ["SVT_LOG"] = "-1"  # its encoder writes to the terminal by itself
# Encoder and options for each codec, the fastest settings.
ENCODERS: dict[str, tuple[str, dict[str, str]]] = {
    "h264": ("libx264", {"preset": "ultrafast", "threads": "1"}),
    "hevc": ("libx265", {"preset": "ultrafast", "x265-params": "log-level=none:pools=none"}),
    "vp8": ("libvpx", {"cpu-used": "8", "deadline": "realtime", "auto-alt-ref": "0"}),
    "vp9": ("libvpx-vp9", {"cpu-used": "8", "deadline": "realtime"}),
    "av1": ("libsvtav1", {"preset": "12", "svtav1-params": "lp=1"}),
}
BIT = 16  # side of the squares that show a picture's number
BITS = 10


def numbered(number: int, width: int = 320, height: int = 240) -> Pixels:
    """The astronaut's face with the number in black and white squares along the top."""
    picture = cv2.resize(pixels()[:360, 30:510], (width, height), interpolation=cv2.INTER_AREA)
    for bit in range(BITS):
        picture[:BIT, bit * BIT : (bit + 1) * BIT] = 255 * (number >> bit & 1)
    return picture


def number_of(picture: Pixels, scale: float = 1.0) -> int:
    """The number that a picture of 320 columns, or ``scale`` times as many, shows."""
    middle = [int((bit + 0.5) * BIT * scale) for bit in range(BITS)]
    row = picture[int(BIT * scale / 2)]
    return sum((int(row[column].mean()) > 127) << bit for bit, column in enumerate(middle))


class Sink(io.BytesIO):
    """A file to be written from the beginning to the end only, as a live recording is."""

    def seekable(self) -> bool:
        return False


@dataclass(frozen=True)
class Recipe:
    """How a film is made. stamps: time stamps in units of ``base``, default one after another at 25/s."""

    container: str = "mp4"
    codec: str = "h264"
    count: int = 25
    size: tuple[int, int] = (320, 240)
    stamps: tuple[int, ...] = ()
    base: Fraction = Fraction(1, 25)
    matrix: tuple[int, ...] = ()
    live: bool = False
    sound: bool = False
    encoder: tuple[tuple[str, str], ...] = ()
    muxer: tuple[tuple[str, str], ...] = ()
    key_every: int = 12
    pixel_format: str = "yuv420p"
    pixel_aspect: Fraction = Fraction(1)


@cache
def film(recipe: Recipe) -> bytes:
    """The film's bytes."""
    held = Sink() if recipe.live else io.BytesIO()
    shown = recipe.stamps or range(recipe.count)
    frames = (numbered(number, *recipe.size) for number in range(len(shown)))
    write(held, recipe, zip(shown, frames, strict=True))
    return held.getvalue()


@contextmanager
def ordinary_priority() -> Iterator[None]:
    """Undo what libsvtav1 does for root: it makes the thread that starts it real-time (SCHED_FIFO, 99).

    Every test after that, and every process that it starts, would take the processor from all others.
    """
    try:
        yield
    finally:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


@ordinary_priority()
def write(held: io.BytesIO, recipe: Recipe, pictures: Iterable[tuple[int, Pixels]]) -> None:
    """Encode pictures with their time stamps into a file."""
    muxer = dict(recipe.muxer)
    with av.open(held, "w", format=recipe.container, container_options=muxer) as container:
        video = video_track(container, recipe)
        sound = sound_track(container, recipe) if recipe.sound else None
        for number, (stamp, picture) in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = stamp, recipe.base
            container.mux(video.encode(frame))
            if sound is not None:
                container.mux(sound.encode(silence(number)))
        container.mux(video.encode(None))
        if sound is not None:
            container.mux(sound.encode(None))


def video_track(container: Any, recipe: Recipe) -> Any:
    """The track of pictures, ready to encode."""
    name, options = ENCODERS[recipe.codec]
    video = container.add_stream(name, options=options | dict(recipe.encoder))
    video.width, video.height = recipe.size
    video.pix_fmt = recipe.pixel_format
    video.time_base = video.codec_context.time_base = recipe.base
    video.codec_context.framerate = Fraction(25)
    video.codec_context.gop_size = recipe.key_every
    video.codec_context.thread_count = 1
    video.codec_context.sample_aspect_ratio = recipe.pixel_aspect
    if recipe.matrix:
        video.set_display_matrix(recipe.matrix)
    return video


def sound_track(container: Any, recipe: Recipe) -> Any:
    """A track of sound in the codec that goes with the container."""
    codec = "aac" if recipe.container in ("mp4", "mov") else "libopus"
    return container.add_stream(codec, rate=48000)


def silence(number: int) -> av.AudioFrame:
    """A twenty-fifth of a second of nothing."""
    frame = av.AudioFrame.from_ndarray(np.zeros((1, 1920), np.float32), "fltp", "mono")
    frame.sample_rate, frame.pts, frame.time_base = 48000, number * 1920, Fraction(1, 48000)
    return frame


def plain(container: str = "mp4", codec: str = "h264") -> bytes:
    """One second at 25/s."""
    return film(Recipe(container, codec))


def run(data: bytes, rate: float | None = None, start: float = 0.0, **limits: Any) -> list[Frame]:
    """All pictures that are yielded."""
    source, chosen = io.BytesIO(data), FilmLimits(**limits)
    with open_film(source, rate=rate, start=start, limits=chosen) as opened:
        return kept(opened)


def kept(film: Iterable[Frame]) -> list[Frame]:
    """All pictures, each copied before the child writes another into its place."""
    return [replace(frame, picture=copied(frame.picture)) for frame in film]


def copied(picture: Planes) -> Planes:
    """A picture that stays."""
    copies = (plane.copy() for plane in (picture.luma, picture.blue, picture.red))
    return Planes(*copies, picture.colours)


def box(kind: bytes, *content: bytes) -> bytes:
    """An MP4 box."""
    body = b"".join(content)
    return (len(body) + 8).to_bytes(4, "big") + kind + body


def element(name: int, *content: bytes) -> bytes:
    """An EBML element with an eight-byte length."""
    body = b"".join(content)
    return (
        name.to_bytes((name.bit_length() + 7) // 8, "big")
        + (len(body) | 1 << 56).to_bytes(8, "big")
        + body
    )


def numbers(frames: Iterable[Frame]) -> list[int]:
    """What the pictures show."""
    return [number_of(frame.pixels) for frame in frames]


def samples(data: bytes, container: str = "mov") -> list[bytes]:
    """The encoded pictures of a film."""
    with av.open(io.BytesIO(data), format=container) as opened:
        return [bytes(packet) for packet in opened.demux(video=0) if packet.size]


def boxes(data: bytes) -> list[tuple[bytes, bytes]]:
    """The boxes that lie side by side in ``data``: (type, body)."""
    found, position = [], 0
    while position < len(data):
        size = int.from_bytes(data[position : position + 4], "big")
        found.append((data[position + 4 : position + 8], data[position + 8 : position + size]))
        position += size
    return found


def inside(data: bytes, *path: bytes) -> bytes:
    """The body of the first box on a path."""
    for kind in path:
        data = dict(reversed(boxes(data)))[kind]
    return data


TABLE = (b"moov", b"trak", b"mdia", b"minf", b"stbl")


def changed(data: bytes, path: tuple[bytes, ...], body: bytes) -> bytes:
    """A film with another body in the first box on a path; its pictures must lie before its ``moov``."""
    made, done = [], False
    for kind, old in boxes(data):
        new = old
        if kind == path[0] and not done:
            done = True
            new = body if len(path) == 1 else changed(old, path[1:], body)
        made.append(box(kind, new))
    assert done
    return b"".join(made)


def numbers_32(*values: int) -> bytes:
    """Big-endian, four bytes each, as the tables of MP4 are."""
    return b"".join(value.to_bytes(4, "big") for value in values)
