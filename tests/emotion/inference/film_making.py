"""Films for the tests, made of the one real photograph: every picture tells its number."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache
from typing import Any

import av
import cv2
import numpy as np

from emotion.inference.arrays import Pixels
from tests.emotion.inference.photographs import pixels

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


@dataclass
class Recipe:
    """How a film is made. stamps: time stamps in units of ``base``, default one after another at 25/s."""

    container: str = "mp4"
    codec: str = "h264"
    count: int = 25
    size: tuple[int, int] = (320, 240)
    stamps: Sequence[int] | None = None
    base: Fraction = Fraction(1, 25)
    turned: int = 0
    live: bool = False
    sound: bool = False
    encoder: dict[str, str] = field(default_factory=dict)
    muxer: dict[str, str] = field(default_factory=dict)
    key_every: int = 12
    pixel_format: str = "yuv420p"


def film(recipe: Recipe) -> bytes:
    """The film's bytes."""
    held = Sink() if recipe.live else io.BytesIO()
    with av.open(held, "w", format=recipe.container, container_options=recipe.muxer) as container:
        name, options = ENCODERS[recipe.codec]
        video: Any = container.add_stream(name, options=options | recipe.encoder)
        video.width, video.height = recipe.size
        video.pix_fmt = recipe.pixel_format
        video.time_base = video.codec_context.time_base = recipe.base
        video.codec_context.framerate = Fraction(25)
        video.codec_context.gop_size = recipe.key_every
        video.codec_context.thread_count = 1
        if recipe.turned:
            video.set_display_rotation(recipe.turned)
        audio: Any = (
            container.add_stream(
                "aac" if recipe.container in ("mp4", "mov") else "libopus", rate=48000
            )
            if recipe.sound
            else None
        )
        stamps = recipe.stamps or range(recipe.count)
        for number, stamp in enumerate(stamps):
            frame = av.VideoFrame.from_ndarray(numbered(number, *recipe.size), format="rgb24")
            frame.pts, frame.time_base = stamp, recipe.base
            container.mux(video.encode(frame))
            if audio is not None:
                container.mux(audio.encode(silence(number)))
        container.mux(video.encode(None))
        if audio is not None:
            container.mux(audio.encode(None))
    return held.getvalue()


def silence(number: int) -> av.AudioFrame:
    """A twenty-fifth of a second of nothing."""
    frame = av.AudioFrame.from_ndarray(np.zeros((1, 1920), np.float32), "fltp", "mono")
    frame.sample_rate, frame.pts, frame.time_base = 48000, number * 1920, Fraction(1, 48000)
    return frame


@cache
def plain(container: str = "mp4", codec: str = "h264") -> bytes:
    """One second at 25/s."""
    return film(Recipe(container, codec))


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


def numbers(frames: Iterable[Any]) -> list[int]:
    """What the pictures show."""
    return [number_of(frame.pixels) for frame in frames]
